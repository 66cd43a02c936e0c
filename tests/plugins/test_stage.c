/* tests/plugins/test_stage.c FIXTURES: runners that are started beside those
 * that serve, and what becomes of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor_rig.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

/* ---- It goes well --------------------------------------------------- */

static void
ready_runners_wait_for_the_switch(void **state)
{
    struct rig *rig = *state;
    struct generation *first = rig_generation(rig, "a goodbye 1 x");
    struct generation *next = rig_generation(rig, "a goodbye 1 y");
    rig_commit(rig, first);
    TURN_UNTIL(rig, rig->served_count == 1);
    rig_staged(rig, next, "a");
    assert_int_equal(rig->plugins[0].failed, 0);
    assert_int_equal(rig->served_count, 1);
    assert_int_equal(supervisor_runners(rig->supervisor), 2);
    assert_int_equal(rig_status(rig, "a").wanted, 1);

    rig_commit(rig, next);
    TURN_UNTIL(rig, rig->served_count == 2);
    const struct runner_identity *is = &rig->served[1]->is;
    assert_int_equal(is->plugin, rig_id("a"));
    assert_int_equal(is->generation, next->number);
    assert_memory_equal(is->fingerprint, rig_plugin(next, "a")->fingerprint,
                        sizeof(is->fingerprint));
    assert_int_equal(rig_status(rig, "a").serving, 1);
}

static void
former_runner_leaves_when_it_comes_back(void **state)
{
    struct rig *rig = *state;
    struct generation *first = rig_generation(rig, "a goodbye 1 x b noop 1 x");
    struct generation *next = rig_generation(rig, "a goodbye 1 y b noop 1 x");
    rig_commit(rig, first);
    TURN_UNTIL(rig, rig->served_count == 2);
    struct runner *old = rig->served[rig->served[1]->is.plugin == rig_id("a")];
    rig_staged(rig, next, "a");
    rig_commit(rig, next);
    TURN_UNTIL(rig, rig->served_count == 3);
    for (int i = 0; i < 5; i++) {
        rig_turn(rig);
    }
    assert_int_equal(kill(old->pid, 0), 0); /* it may be at work */
    assert_true(atomic_load(&first->holders) > 1);

    supervisor_return(rig->supervisor, old, 0, 1);
    TURN_UNTIL(rig, atomic_load(&first->holders) == 1);
    assert_int_equal(supervisor_runners(rig->supervisor), 2);
    assert_int_equal(rig->served_count, 3);
}

/* Eight that hang leave no turn for the other four. */
static void
only_some_start_at_a_time(void **state)
{
    struct rig *rig = *state;
    rig_stage(rig, rig_generation(rig, "a init_hang 12 x"), "a");
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 8);
    for (int i = 0; i < 20; i++) {
        rig_turn(rig);
        assert_int_equal(supervisor_runners(rig->supervisor), 8);
    }
    rig_unstage(rig);
    TURN_UNTIL(rig, rig->unstaged);
}

static void
all_of_many_are_ready_in_the_end(void **state)
{
    struct rig *rig = *state;
    struct generation *g = rig_generation(rig, "a noop 12 x b noop 3 x");
    rig_stage(rig, g, "ab");
    while (!rig->done) {
        rig_turn(rig);
        assert_int_equal(rig->served_count, 0);
    }
    assert_int_equal(rig->plugins[0].failed + rig->plugins[1].failed, 0);
    assert_int_equal(supervisor_runners(rig->supervisor), 15);
    rig_commit(rig, g);
    rig_turn(rig);
    assert_int_equal(rig->served_count, 15); /* at once */
    assert_int_equal(rig_status(rig, "a").serving, 12);
}

static void
stage_of_nothing_is_done(void **state)
{
    struct rig *rig = *state;
    rig_staged(rig, rig_generation(rig, ""), "");
    rig_unstage(rig);
    TURN_UNTIL(rig, rig->unstaged);
}

/* ---- It does not ---------------------------------------------------- */

static void
every_failure_is_told_and_nothing_else_touched(void **state)
{
    struct rig *rig = *state;
    struct generation *first = rig_generation(rig, "a noop 1 x");
    struct generation *bad = rig_generation(
        rig, "a noop 2 y b init_fail 2 x c init_crash 1 x d exit0 1 x");
    rig_commit(rig, first);
    TURN_UNTIL(rig, rig->served_count == 1);
    pid_t pid = rig->served[0]->pid;
    rig_staged(rig, bad, "abcd");
    assert_int_equal(rig->plugins[0].failed, 0);
    assert_int_equal(rig->plugins[1].failed, 1);
    assert_string_equal(rig->plugins[1].why,
                        "init() returned 5: cannot reach the database");
    assert_int_equal(rig->plugins[2].failed, 1);
    assert_string_equal(rig->plugins[2].why,
                        "init() ends the process: killed by signal 6 "
                        "(SIGABRT) (pegboard try on its file tells more)");
    assert_int_equal(rig->plugins[3].failed, 0);

    rig_unstage(rig);
    TURN_UNTIL(rig, rig->unstaged);
    assert_int_equal(supervisor_runners(rig->supervisor), 1);
    assert_int_equal(rig->served_count, 1);
    assert_int_equal(rig_process("a"), pid);
    assert_int_equal(rig_status(rig, "a").serving, 1);
    assert_int_equal(atomic_load(&bad->holders), 1);

    struct generation *good = rig_generation(rig, "a noop 2 y");
    rig_staged(rig, good, "a");
    assert_int_equal(rig->plugins[0].failed, 0);
}

static void
init_that_hangs_is_told_of(void **state)
{
    struct rig *rig = *state;
    rig_staged(rig, rig_generation(rig, "a init_hang 1 x b noop 1 x"), "ab");
    assert_string_equal(rig->plugins[0].why,
                        "init() takes more than 10 s: leave slow work to "
                        "handle(), or to a thread of its own");
    assert_int_equal(rig->plugins[1].failed, 0);
}

static void
unstaged_before_it_is_done_it_fails_first(void **state)
{
    struct rig *rig = *state;
    struct generation *g = rig_generation(rig, "a noop 1 x b init_hang 8 x");
    rig_stage(rig, g, "ab");
    /* Eight start at a time: the ninth because the first one is ready. */
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 9);
    rig_unstage(rig);
    TURN_UNTIL(rig, rig->done);
    assert_int_equal(rig->plugins[0].failed, 0);
    assert_int_equal(rig->plugins[1].failed, 1);
    assert_string_equal(rig->plugins[1].why, "given up");
    TURN_UNTIL(rig, rig->unstaged);
    assert_int_equal(supervisor_runners(rig->supervisor), 0);
    assert_int_equal(atomic_load(&g->holders), 1);
}

static void
runner_that_dies_before_all_are_ready_fails_its_plugin(void **state)
{
    struct rig *rig = *state;
    rig_stage(rig, rig_generation(rig, "a goodbye 2 x b init_hang 8 x"), "ab");
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 10);
    kill(rig_process("a"), SIGKILL);
    TURN_UNTIL(rig, rig->plugins[0].failed);
    TURN_UNTIL(rig, rig_process("a") == 0); /* the other one is of no use */
    assert_string_equal(rig->plugins[0].why, "being idle ends the process: "
                                             "killed by signal 9 (SIGKILL)");
    assert_int_equal(rig->done, 0);
    rig_unstage(rig);
    TURN_UNTIL(rig, rig->unstaged);
}

static void
runner_that_dies_before_the_switch_is_replaced_after_it(void **state)
{
    struct rig *rig = *state;
    struct generation *g = rig_generation(rig, "a noop 1 x");
    rig_staged(rig, g, "a");
    kill(rig_process("a"), SIGKILL);
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 0);
    assert_true(supervisor_deadline_ms(rig->supervisor) == INT64_MAX);
    rig_commit(rig, g);
    TURN_UNTIL(rig, rig->served_count == 1);
}

static void
stopping_fails_what_is_being_started(void **state)
{
    struct rig *rig = *state;
    struct generation *g = rig_generation(rig, "a goodbye 1 x b init_hang 8 x");
    rig_stage(rig, g, "ab");
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 9);
    supervisor_stop(rig->supervisor);
    assert_int_equal(rig->done, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rig->plugins[i].failed, 1);
        assert_string_equal(rig->plugins[i].why, "we are stopping");
    }
    TURN_UNTIL(rig, supervisor_is_empty(rig->supervisor));
    rig_staged(rig, g, "a"); /* too late: it is told at once */
    assert_string_equal(rig->plugins[0].why, "we are stopping");
    rig_unstage(rig);
    TURN_UNTIL(rig, rig->unstaged);
}

/* ---- From another thread -------------------------------------------- */

struct reloader {
    struct rig *rig;
    struct generation *generation;
    struct stage_plugin plugin;
    struct stage stage;
    sem_t done;
    atomic_int is_over;
};

static void
wake_reloader(void *arg, struct stage *stage)
{
    struct reloader *reloader = arg;
    (void)stage;
    sem_post(&reloader->done);
}

static void *
reload(void *arg)
{
    struct reloader *r = arg;
    r->plugin.plugin = &r->generation->plugins[0];
    r->stage = (struct stage){.generation = r->generation,
                              .plugins = &r->plugin,
                              .count = 1,
                              .done = wake_reloader,
                              .arg = r};
    supervisor_stage(r->rig->supervisor, &r->stage);
    while (sem_trywait(&r->done) != 0) {
        rig_status(r->rig, "a");
        supervisor_runners(r->rig->supervisor);
    }
    rig_commit(r->rig, r->generation);
    while (rig_status(r->rig, "a").wanted != 2) {
        sched_yield();
    }
    atomic_store(&r->is_over, 1);
    return NULL;
}

static void
another_thread_may_reload(void **state)
{
    struct rig *rig = *state;
    pthread_t thread;
    struct reloader reloader = {.rig = rig};
    rig_commit(rig, rig_generation(rig, "a noop 1 x"));
    TURN_UNTIL(rig, rig->served_count == 1);
    reloader.generation = rig_generation(rig, "a noop 2 x");
    sem_init(&reloader.done, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, reload, &reloader), 0);
    TURN_UNTIL(rig, atomic_load(&reloader.is_over));
    assert_int_equal(pthread_join(thread, NULL), 0);
    sem_destroy(&reloader.done);
    assert_int_equal(rig->served_count, 3);
}

#define RIG_TEST(test)                                                         \
    cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(ready_runners_wait_for_the_switch),
        RIG_TEST(former_runner_leaves_when_it_comes_back),
        RIG_TEST(only_some_start_at_a_time),
        RIG_TEST(all_of_many_are_ready_in_the_end),
        RIG_TEST(stage_of_nothing_is_done),
        RIG_TEST(every_failure_is_told_and_nothing_else_touched),
        RIG_TEST(init_that_hangs_is_told_of),
        RIG_TEST(unstaged_before_it_is_done_it_fails_first),
        RIG_TEST(runner_that_dies_before_all_are_ready_fails_its_plugin),
        RIG_TEST(runner_that_dies_before_the_switch_is_replaced_after_it),
        RIG_TEST(stopping_fails_what_is_being_started),
        RIG_TEST(another_thread_may_reload),
    };
    if (rig_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
