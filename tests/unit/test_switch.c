/* tests/unit/test_switch.c: from one generation to the next, as seen by the
 * runners of both.
 * SPDX-License-Identifier: Apache-2.0 */
#include "switch_rig.h"

#include <limits.h>

/* ---- Handed over ---------------------------------------------------- */

static void
new_runner_begins_when_the_old_one_has_finished(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    uint64_t left = 0;
    set_to_work(stage, &old, 1);
    put_more(stage, "evt_2");
    switch_to(stage, 2, 1, LONG_MS);
    struct fake *new = hire(stage);
    expect_none(stage, new);
    assert_int_equal(status_of(stage).old, 1);
    assert_int_equal(status_of(stage).runners, 1);
    assert_int_equal(status_of(stage).running, 1);
    assert_int_equal(drain_of(stage, 0).left, 1);
    assert_int_equal(drain_of(stage, 2).left, 1);
    assert_int_equal(drain_of(stage, 3).left, 0);

    answer(old, PEG_DONE);
    expect_event(new, "evt_2");
    expect_return(stage, old, RETURN_UNUSED);
    assert_int_equal(old->handled, 1);
    assert_int_equal(hear(old, 0), 0);
    int fd = dispatcher_drain_fd(stage->dispatcher);
    struct pollfd drained = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&drained, 1, PATIENCE_MS), 1);
    assert_int_equal(read(fd, &left, sizeof(left)), sizeof(left));
    assert_int_equal(drain_of(stage, 0).left, 0);
    assert_int_equal(drain_of(stage, 0).killed, 0);
    assert_int_equal(
        dispatcher_draining_of(stage->dispatcher, stage->rig->plugin), 0);
    assert_int_equal(status_of(stage).old, 0);
}

static void
idle_runner_is_back_when_the_switch_is_done(void **state)
{
    struct switch_stage *stage = *state;
    switch_to(stage, 1, 1, LONG_MS);
    struct fake *old = hire(stage);
    settle(stage);
    switch_to(stage, 2, 1, LONG_MS);
    assert_int_equal(is_returned(stage, old), 1);
    assert_int_equal(old->why, RETURN_UNUSED);
    assert_int_equal(drain_of(stage, 0).left, 0);
}

static void
late_runner_of_the_former_generation_is_not_taken(void **state)
{
    struct switch_stage *stage = *state;
    switch_to(stage, 1, 2, LONG_MS);
    struct fake *late = make_fake(stage);
    put_more(stage, "evt_1");
    switch_to(stage, 2, 2, LONG_MS);
    dispatcher_adopt(stage->dispatcher, late->runner);
    expect_return(stage, late, RETURN_UNUSED);
    struct fake *new = hire(stage);
    expect_event(new, "evt_1");
    assert_int_equal(hear(late, 0), 0);
}

static void
same_plugin_keeps_its_runners(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *fakes[2];
    set_to_work(stage, fakes, 2);
    switch_to(stage, 1, 2, 0);
    put_more(stage, "evt_3");
    answer(fakes[0], PEG_DONE);
    expect_event(fakes[0], "evt_3");
    assert_int_equal(status_of(stage).runners, 2);
    assert_int_equal(status_of(stage).old, 0);

    /* A crash is still its own: it tells by whose runner. */
    crash(stage, fakes[1]);
    answer(fakes[0], PEG_DONE);
    AWAIT(ask_attempts(IS_CRASH " AND generation = 1") == 1);
    expect_event(fakes[0], "evt_2");
}

static void
fewer_handlers_begin_when_all_of_the_many_are_done(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old[4];
    set_to_work(stage, old, 4);
    put_more(stage, "evt_5");
    switch_to(stage, 2, 1, LONG_MS);
    struct fake *new = hire(stage);
    for (size_t i = 0; i < 4; i++) {
        expect_none(stage, new);
        answer(old[i], PEG_DONE);
    }
    expect_event(new, "evt_5");
}

static void
more_handlers_begin_beside_the_old_one(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    set_to_work(stage, &old, 1);
    put_more(stage, "evt_2");
    put_more(stage, "evt_3");
    switch_to(stage, 2, 2, LONG_MS);
    struct fake *first = hire(stage);
    expect_event(first, "evt_2");
    struct fake *second = hire(stage);
    expect_none(stage, second);
    answer(old, PEG_DONE);
    expect_event(second, "evt_3");
}

/* ---- Out of time ---------------------------------------------------- */

static void
runner_that_overruns_the_drain_is_killed_and_its_event_spared(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    set_to_work(stage, &old, 1);
    switch_to(stage, 2, 1, 50);
    struct fake *new = hire(stage);
    expect_return(stage, old, RETURN_ENDED);
    expect_event(new, "evt_1");
    assert_int_equal(new->attempt, 2);
    assert_int_equal(ask_delivery("spared"), 1);
    assert_int_equal(ask_delivery("crashes"), 0);
    assert_int_equal(ask_attempts(BY_A_RELOAD), 1);
    assert_int_equal(drain_of(stage, 0).killed, 1);
    assert_int_equal(drain_of(stage, 2).killed, 1);
    assert_int_equal(drain_of(stage, 3).killed, 0);
    assert_int_equal(status_of(stage).is_broken, 0);
}

static void
killed_runner_counts_until_its_process_is_gone(void **state)
{
    struct switch_stage *stage = *state;
    switch_to(stage, 1, 1, LONG_MS);
    put_more(stage, "evt_1");
    put_more(stage, "evt_2");
    struct fake *old = hire_undying(stage);
    expect_event(old, "evt_1");
    switch_to(stage, 2, 1, 0);
    struct fake *new = hire(stage);
    AWAIT(drain_of(stage, 0).killed == 1);
    expect_none(stage, new);
    assert_int_equal(drain_of(stage, 0).left, 1);
    tell_end(old);
    expect_return(stage, old, RETURN_ENDED);
    assert_int_equal(hear(new, PATIENCE_MS), 1);
}

static void
hurry_kills_only_those_that_are_old(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    uint32_t plugin = stage->rig->plugin;
    set_to_work(stage, &old, 1);
    dispatcher_hasten(stage->dispatcher, plugin); /* nobody is old yet */
    switch_to(stage, 2, 1, LONG_MS);
    settle(stage);
    assert_int_equal(is_returned(stage, old), 0);
    assert_int_equal(dispatcher_draining_of(stage->dispatcher, plugin), 1);

    dispatcher_hasten(stage->dispatcher, plugin);
    expect_return(stage, old, RETURN_ENDED);
    AWAIT(dispatcher_draining_of(stage->dispatcher, plugin) == 0);
    assert_int_equal(drain_of(stage, 2).killed, 1);
}

static void
second_change_kills_the_oldest_at_once(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *oldest;
    set_to_work(stage, &oldest, 1);
    put_more(stage, "evt_2");
    switch_to(stage, 2, 2, LONG_MS);
    struct fake *old = hire(stage);
    expect_event(old, "evt_2");
    switch_to(stage, 3, 2, LONG_MS);
    expect_return(stage, oldest, RETURN_ENDED);
    struct fake *new = hire(stage);
    expect_event(new, "evt_1");
    assert_int_equal(is_returned(stage, old), 0);
    assert_int_equal(drain_of(stage, 2).killed, 1);
    assert_int_equal(drain_of(stage, 3).killed, 0);
    assert_int_equal(drain_of(stage, 2).left, 0);
    assert_int_equal(drain_of(stage, 3).left, 1);
    assert_int_equal(drain_of(stage, 0).left, 1);
    answer(old, PEG_DONE);
    expect_return(stage, old, RETURN_UNUSED);
}

/* What a generation was enrolled with tells of a moment before. */
static void
pause_between_enrolment_and_switch_holds(void **state)
{
    struct switch_stage *stage = *state;
    struct inbox_plugin pause = {.id = stage->rig->plugin,
                                 .paused_ms = clock_wall_ms()};
    switch_to(stage, 0, 0, LONG_MS);
    dispatcher_pause(stage->dispatcher, &pause);
    put_more(stage, "evt_1");
    switch_to(stage, 1, 1, LONG_MS);
    assert_int_equal(status_of(stage).is_paused, 1);
    struct fake *fake = hire(stage);
    expect_none(stage, fake);
    pause.paused_ms = 0;
    dispatcher_pause(stage->dispatcher, &pause);
    expect_event(fake, "evt_1");
    answer(fake, PEG_DONE);
}

static void
our_stop_ends_a_drain(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    set_to_work(stage, &old, 1);
    switch_to(stage, 2, 1, LONG_MS);
    stop_dispatcher(stage);
    assert_int_equal(is_returned(stage, old), 1);
    AWAIT(ask_attempts(BY_OUR_STOP) == 1);
}

/* ---- Taken out ------------------------------------------------------ */

static void
plugin_that_goes_gives_its_claims_back(void **state)
{
    struct switch_stage *stage = *state;
    struct dispatcher_status status;
    struct fake *old;
    set_to_work(stage, &old, 1);
    put_more(stage, "evt_2");
    put_more(stage, "evt_3");
    AWAIT(ask_file("SELECT count(*) FROM delivery WHERE state = 1") == 3);
    struct fake *late = make_fake(stage);
    switch_to(stage, 0, 1, LONG_MS);
    AWAIT(ask_file("SELECT count(*) FROM delivery WHERE state = 0") == 2);
    assert_int_equal(ask_file("SELECT sum(attempt) FROM delivery"), 1);
    assert_int_equal(status_of(stage).old, 1);
    dispatcher_adopt(stage->dispatcher, late->runner);
    expect_return(stage, late, RETURN_UNUSED);

    answer(old, PEG_DONE);
    expect_return(stage, old, RETURN_UNUSED);
    settle(stage);
    assert_int_equal(
        dispatcher_status(stage->dispatcher, stage->rig->plugin, &status),
        RC_NOT_FOUND);
    assert_int_equal(ask_file("SELECT count(*) FROM delivery"), 2);

    switch_to(stage, 1, 1, LONG_MS);
    struct fake *new = hire(stage);
    expect_event(new, "evt_2");
}

static void
expect_handover_to(struct switch_stage *stage, char version)
{
    struct fake *old;
    set_to_work(stage, &old, 1);
    put_more(stage, "evt_2");
    switch_to(stage, 0, 1, LONG_MS);
    switch_to(stage, 0, 1, LONG_MS); /* which changes nothing for it */
    switch_to(stage, version, 1, LONG_MS);
    struct fake *new = hire(stage);
    expect_none(stage, new);
    assert_int_equal(is_returned(stage, old), 0);
    answer(old, PEG_DONE);
    expect_event(new, "evt_2");
    expect_return(stage, old, RETURN_UNUSED);
    assert_int_equal(drain_of(stage, 0).killed, 0);
}

static void
plugin_that_comes_back_waits_for_its_old_runner(void **state)
{
    expect_handover_to(*state, 1);
}

static void
plugin_that_comes_back_changed_waits_for_its_old_runner(void **state)
{
    expect_handover_to(*state, 2);
}

/* ---- Without memory ------------------------------------------------- */

/* How many more calls of calloc() on the dispatcher's thread go well. */
static atomic_int callocs_left = INT_MAX;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
    char name[16] = "";
    if (atomic_load(&callocs_left) != INT_MAX &&
        pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
        strcmp(name, "peg-dispatcher") == 0 &&
        atomic_fetch_sub(&callocs_left, 1) <= 0) {
        return NULL;
    }
    return __real_calloc(count, size);
}

static void
switch_without_memory_changes_nothing(void **state)
{
    struct switch_stage *stage = *state;
    struct dispatcher_status status;
    struct fake *fakes[2];
    set_to_work(stage, fakes, 2);
    struct generation *next = make_generation(stage, 2, 2);
    uint32_t plugin = next->plugins[0].id;
    next->plugins[0].id = plugin + 1; /* one goes, one comes */
    int rc, failed = 0;
    do {
        atomic_store(&callocs_left, failed);
        rc = dispatcher_switch(stage->dispatcher, next, 0);
        atomic_store(&callocs_left, INT_MAX);
        if (rc != RC_OK) {
            assert_int_equal(rc, RC_NOMEM);
            assert_int_equal(status_of(stage).runners, 2);
            assert_int_equal(status_of(stage).old, 0);
            assert_int_equal(
                dispatcher_status(stage->dispatcher, plugin + 1, &status),
                RC_NOT_FOUND);
            failed++;
        }
    } while (rc != RC_OK);
    assert_int_equal(failed, 2);
    generation_drop(stage->now);
    stage->now = next;
    expect_return(stage, fakes[0], RETURN_ENDED);
    expect_return(stage, fakes[1], RETURN_ENDED);
    assert_int_equal(dispatcher_status(stage->dispatcher, plugin + 1, &status),
                     RC_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SWITCH_TEST(new_runner_begins_when_the_old_one_has_finished),
        SWITCH_TEST(idle_runner_is_back_when_the_switch_is_done),
        SWITCH_TEST(late_runner_of_the_former_generation_is_not_taken),
        SWITCH_TEST(same_plugin_keeps_its_runners),
        SWITCH_TEST(fewer_handlers_begin_when_all_of_the_many_are_done),
        SWITCH_TEST(more_handlers_begin_beside_the_old_one),
        SWITCH_TEST(
            runner_that_overruns_the_drain_is_killed_and_its_event_spared),
        SWITCH_TEST(killed_runner_counts_until_its_process_is_gone),
        SWITCH_TEST(hurry_kills_only_those_that_are_old),
        SWITCH_TEST(second_change_kills_the_oldest_at_once),
        SWITCH_TEST(pause_between_enrolment_and_switch_holds),
        SWITCH_TEST(our_stop_ends_a_drain),
        SWITCH_TEST(plugin_that_goes_gives_its_claims_back),
        SWITCH_TEST(plugin_that_comes_back_waits_for_its_old_runner),
        SWITCH_TEST(plugin_that_comes_back_changed_waits_for_its_old_runner),
        SWITCH_TEST(switch_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
