/* tests/unit/test_switch_health.c: what is known of a plugin's health, across a
 * switch of generations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "switch_rig.h"

static void
break_plugin(struct switch_stage *stage, struct fake **two)
{
    crash(stage, two[0]);
    crash(stage, two[1]);
    AWAIT(status_of(stage).is_broken);
}

static void
expect_closed_breaker(struct switch_stage *stage, char version)
{
    struct fake *fakes[2];
    set_to_work(stage, fakes, 2);
    break_plugin(stage, fakes);
    switch_to(stage, version, 2, LONG_MS);
    assert_int_equal(status_of(stage).is_broken, 0);
    fakes[0] = hire(stage);
    fakes[1] = hire(stage);
    assert_int_equal(hear(fakes[0], PATIENCE_MS), 1);
    assert_int_equal(hear(fakes[1], PATIENCE_MS), 1); /* no trial before */
}

static void
breaker_closes_when_a_plugin_changes(void **state)
{
    expect_closed_breaker(*state, 2);
}

static void
breaker_closes_when_a_plugin_is_the_same(void **state)
{
    expect_closed_breaker(*state, 1);
}

static void
suspect_goes_free_with_a_switch(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    set_to_work(stage, &old, 1);
    crash(stage, old);
    switch_to(stage, 2, 1, LONG_MS);
    struct fake *new = hire(stage);
    expect_event(new, "evt_1");
    assert_int_equal(ask_attempts(IS_EXCUSED), 1);
    assert_int_equal(ask_delivery("crashes"), 0);
}

static void
crash_of_an_old_runner_does_not_break_the_new_version(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old[2];
    set_to_work(stage, old, 2);
    switch_to(stage, 2, 2, LONG_MS);
    crash(stage, old[0]);
    crash(stage, old[1]);
    struct fake *first = hire(stage), *second = hire(stage);
    assert_int_equal(hear(first, PATIENCE_MS), 1);
    assert_int_equal(hear(second, PATIENCE_MS), 1);
    assert_int_equal(status_of(stage).is_broken, 0);
    assert_int_equal(ask_attempts(IS_CRASH), 2);
    assert_int_equal(ask_delivery("min(crashes)"), 1);
    assert_int_equal(ask_delivery("sum(spared)"), 0);
}

/* The breaker was open because of what it does: that costs no event anything,
 * and its verdict does not close the breaker of the new version. */
static void
old_runner_of_a_broken_plugin_is_no_evidence(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *fakes[4];
    set_to_work(stage, fakes, 4);
    break_plugin(stage, fakes);
    switch_to(stage, 2, 4, LONG_MS);
    crash(stage, fakes[2]);
    AWAIT(ask_attempts(IS_EXCUSED) == 3);
    assert_int_equal(ask_delivery("max(crashes)"), 0);

    struct fake *new[2] = {hire(stage), hire(stage)};
    assert_int_equal(hear(new[0], PATIENCE_MS), 1);
    assert_int_equal(hear(new[1], PATIENCE_MS), 1);
    break_plugin(stage, new);
    answer(fakes[3], PEG_DONE);
    expect_return(stage, fakes[3], RETURN_UNUSED);
    assert_int_equal(status_of(stage).is_broken, 1);
}

static void
crashes_of_another_program_are_forgotten(void **state)
{
    struct switch_stage *stage = *state;
    struct fake *old;
    set_to_work(stage, &old, 1);
    for (char version = 2; version <= 5; version++) {
        switch_to(stage, version, 1, LONG_MS);
        crash(stage, old);
        old = hire(stage);
        expect_event(old, "evt_1");
        assert_int_equal(ask_delivery("crashes"), 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SWITCH_TEST(breaker_closes_when_a_plugin_changes),
        SWITCH_TEST(breaker_closes_when_a_plugin_is_the_same),
        SWITCH_TEST(suspect_goes_free_with_a_switch),
        SWITCH_TEST(crash_of_an_old_runner_does_not_break_the_new_version),
        SWITCH_TEST(old_runner_of_a_broken_plugin_is_no_evidence),
        SWITCH_TEST(crashes_of_another_program_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
