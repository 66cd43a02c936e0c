/* tests/plugins/test_supervisor.c FIXTURES: runners of the generation that
 * serves, and what becomes of them when another one does.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor_rig.h"

#include "plugin/probe.h"

#include <signal.h>
#include <string.h>

/* ---- One generation ------------------------------------------------- */

static void
every_plugin_gets_its_runners(void **state)
{
    struct rig *rig = *state;
    struct supervisor_status status;
    struct generation *g = rig_generation(rig, "a noop 3 x b goodbye 1 x");
    rig_turn(rig);
    assert_int_equal(supervisor_runners(rig->supervisor), 0);
    rig_commit(rig, g);
    TURN_UNTIL(rig, rig->served_count == 4);

    assert_int_equal(supervisor_runners(rig->supervisor), 4);
    assert_int_equal(rig_status(rig, "a").wanted, 3);
    assert_int_equal(rig_status(rig, "a").serving, 3);
    assert_int_equal(rig_status(rig, "a").failures, 0);
    assert_int_equal(rig_status(rig, "b").serving, 1);
    assert_int_equal(supervisor_status(rig->supervisor, rig_id("c"), &status),
                     RC_NOT_FOUND);
}

static void
runner_knows_whose_it_is(void **state)
{
    struct rig *rig = *state;
    struct generation *g = rig_generation(rig, "b noop 1 x");
    rig_commit(rig, g);
    TURN_UNTIL(rig, rig->served_count == 1);
    const struct runner_identity *is = &rig->served[0]->is;
    const struct plugin *plugin = rig_plugin(g, "b");
    assert_int_equal(is->plugin, rig_id("b"));
    assert_int_equal(is->generation, g->number);
    assert_string_equal(is->name, "b");
    assert_string_equal(is->digest, plugin->snapshot.digest);
    assert_memory_equal(is->fingerprint, plugin->fingerprint,
                        sizeof(is->fingerprint));
}

static void
runner_that_ended_is_replaced_after_a_pause(void **state)
{
    struct rig *rig = *state;
    rig_commit(rig, rig_generation(rig, "a noop 1 x"));
    TURN_UNTIL(rig, rig->served_count == 1);
    rig_break(rig, rig->served[0]);
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 1);
    struct supervisor_status status = rig_status(rig, "a");
    assert_int_equal(status.serving, 0);
    assert_true(status.retry_at_ms > 0);
    assert_string_equal(status.why, "killed by signal 9 (SIGKILL)");
    TURN_UNTIL(rig, rig->served_count == 2);
    assert_int_equal(rig_status(rig, "a").failures, 0);
    assert_string_equal(rig_status(rig, "a").why, "");
}

static void
runner_given_back_unused_leaves_and_is_replaced(void **state)
{
    struct rig *rig = *state;
    rig_commit(rig, rig_generation(rig, "a goodbye 1 x"));
    TURN_UNTIL(rig, rig->served_count == 1);
    supervisor_return(rig->supervisor, rig->served[0], 0, 0);
    TURN_UNTIL(rig, rig->served_count == 2);
    assert_int_equal(rig_status(rig, "a").failures, 0);
}

static void
plugin_that_does_not_start_is_tried_again_and_told_of(void **state)
{
    struct rig *rig = *state;
    rig_commit(rig, rig_generation(rig, "a init_fail 1 x b noop 1 x"));
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 2);
    assert_string_equal(rig_status(rig, "a").why,
                        "init() returned 5: cannot reach the database");
    assert_int_equal(rig->served_count, 1);
    supervisor_recovered(rig->supervisor, rig_id("a"));
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 0);
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 1);
}

/* ---- The next generation -------------------------------------------- */

static void
same_plugin_keeps_its_runner(void **state)
{
    struct rig *rig = *state;
    struct generation *first = rig_generation(rig, "a noop 1 x");
    struct generation *next = rig_generation(rig, "a noop 1 x");
    rig_commit(rig, first);
    TURN_UNTIL(rig, rig->served_count == 1);
    pid_t pid = rig->served[0]->pid;
    rig_commit(rig, next);
    TURN_UNTIL(rig, atomic_load(&first->holders) == 1);
    assert_int_equal(rig->served_count, 1);
    assert_int_equal(rig_process("a"), pid);
    assert_int_equal(rig_status(rig, "a").serving, 1);

    rig_break(rig, rig->served[0]); /* and its successor is of the next */
    TURN_UNTIL(rig, rig->served_count == 2);
    assert_int_equal(rig->served[1]->is.generation, next->number);
}

static void
same_plugin_that_waits_is_tried_at_once(void **state)
{
    struct rig *rig = *state;
    struct generation *next = rig_generation(rig, "a init_fail 1 x");
    rig_commit(rig, rig_generation(rig, "a init_fail 1 x"));
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 3); /* a pause of 2 s */
    int64_t now_ms = clock_mono_ms();
    rig_commit(rig, next);
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 1);
    assert_true(clock_mono_ms() - now_ms < 1500);
}

static void
runner_of_a_plugin_that_is_gone_leaves_when_it_comes_back(void **state)
{
    struct rig *rig = *state;
    struct supervisor_status status;
    struct generation *first = rig_generation(rig, "a goodbye 2 x b noop 1 x");
    rig_commit(rig, first);
    TURN_UNTIL(rig, rig->served_count == 3);
    rig_commit(rig, rig_generation(rig, "b noop 1 x"));
    TURN_UNTIL(rig, supervisor_status(rig->supervisor, rig_id("a"), &status) ==
                        RC_NOT_FOUND);
    assert_int_equal(supervisor_runners(rig->supervisor), 3);

    int is_first = 1;
    for (size_t i = 0; i < 3; i++) {
        if (rig->served[i]->is.plugin != rig_id("a")) {
            continue;
        }
        if (is_first) {
            supervisor_return(rig->supervisor, rig->served[i], 0, 7);
        } else {
            rig_break(rig, rig->served[i]);
        }
        is_first = 0;
    }
    TURN_UNTIL(rig, atomic_load(&first->holders) == 1);
    assert_int_equal(supervisor_runners(rig->supervisor), 1);
    assert_int_equal(rig->served_count, 3); /* no new ones */
}

static void
plugin_that_goes_while_it_starts_is_killed(void **state)
{
    struct rig *rig = *state;
    struct generation *first = rig_generation(rig, "a init_hang 2 x");
    rig_commit(rig, first);
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 2);
    rig_commit(rig, rig_generation(rig, ""));
    int64_t now_ms = clock_mono_ms();
    TURN_UNTIL(rig, supervisor_is_empty(rig->supervisor));
    TURN_UNTIL(rig, atomic_load(&first->holders) == 1);
    assert_true(clock_mono_ms() - now_ms < PROBE_TIMEOUT_MS / 2);
    assert_true(supervisor_deadline_ms(rig->supervisor) == INT64_MAX);
}

static void
plugin_that_goes_while_it_waits_is_not_tried_again(void **state)
{
    struct rig *rig = *state;
    struct generation *first = rig_generation(rig, "a init_fail 1 x");
    rig_commit(rig, first);
    TURN_UNTIL(rig, rig_status(rig, "a").failures == 1);
    rig_commit(rig, rig_generation(rig, ""));
    TURN_UNTIL(rig, atomic_load(&first->holders) == 1);
    assert_true(supervisor_deadline_ms(rig->supervisor) == INT64_MAX);
}

static void
plugin_that_was_not_staged_is_started(void **state)
{
    struct rig *rig = *state;
    rig_commit(rig, rig_generation(rig, "a noop 1 x"));
    TURN_UNTIL(rig, rig->served_count == 1);
    rig_commit(rig, rig_generation(rig, "a noop 1 y b noop 1 x"));
    TURN_UNTIL(rig, rig->served_count == 3); /* changed, and new */
    assert_int_equal(supervisor_runners(rig->supervisor), 3);
    supervisor_return(rig->supervisor, rig->served[0], 0, 0);
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 2);
}

/* ---- The end -------------------------------------------------------- */

static void
stopping_starts_no_more(void **state)
{
    struct rig *rig = *state;
    rig_commit(rig, rig_generation(rig, "a goodbye 1 x b init_hang 1 x"));
    TURN_UNTIL(rig, rig->served_count == 1);
    supervisor_stop(rig->supervisor);
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) == 1);
    assert_false(supervisor_is_empty(rig->supervisor));
    supervisor_return(rig->supervisor, rig->served[0], 0, 0);
    TURN_UNTIL(rig, supervisor_is_empty(rig->supervisor));
    rig_commit(rig, rig_generation(rig, "a noop 1 y")); /* too late */
    rig_turn(rig);
    assert_true(supervisor_is_empty(rig->supervisor));
}

static void
closing_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    rig_commit(rig, rig_generation(rig, "a noop 2 x b init_hang 1 x"));
    TURN_UNTIL(rig, rig->served_count == 2);
    struct generation *next = rig_generation(rig, "a noop 2 y c init_hang 9 x");
    rig_stage(rig, next, "ac");
    TURN_UNTIL(rig, supervisor_runners(rig->supervisor) > 3);
    rig_unstage(rig); /* which is not even read before the end */
    rig_end(rig);
    assert_int_equal(rig->done, 1);
    assert_int_equal(rig->unstaged, 1);
}

#define RIG_TEST(test)                                                         \
    cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_plugin_gets_its_runners),
        RIG_TEST(runner_knows_whose_it_is),
        RIG_TEST(runner_that_ended_is_replaced_after_a_pause),
        RIG_TEST(runner_given_back_unused_leaves_and_is_replaced),
        RIG_TEST(plugin_that_does_not_start_is_tried_again_and_told_of),
        RIG_TEST(same_plugin_keeps_its_runner),
        RIG_TEST(same_plugin_that_waits_is_tried_at_once),
        RIG_TEST(runner_of_a_plugin_that_is_gone_leaves_when_it_comes_back),
        RIG_TEST(plugin_that_goes_while_it_starts_is_killed),
        RIG_TEST(plugin_that_goes_while_it_waits_is_not_tried_again),
        RIG_TEST(plugin_that_was_not_staged_is_started),
        RIG_TEST(stopping_starts_no_more),
        RIG_TEST(closing_leaves_nothing),
    };
    if (rig_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
