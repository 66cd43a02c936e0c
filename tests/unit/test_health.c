/* tests/unit/test_health.c: telling a bad event from a broken plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/health.h"

static void
lone_crash_makes_a_suspect(void **state)
{
    (void)state;
    struct health health = {0};
    assert_int_equal(health_is_wary(&health), 0);
    assert_int_equal(health_crashed(&health, 7, 1000, 0), HEALTH_SUSPECT);
    assert_int_equal(health.suspect, 7);
    assert_int_equal(health.is_broken, 0);
    assert_int_equal(health_is_wary(&health), 1);
}

static void
poison_among_good_events_is_suspected_each_time_and_nothing_else(void **state)
{
    (void)state;
    struct health health = {0};
    for (int round = 0; round < 100; round++) {
        assert_int_equal(health_crashed(&health, 13, round, 0), HEALTH_SUSPECT);
        assert_int_equal(health_answered(&health), 0);
        assert_int_equal(health.suspect, 0);
        for (int good = 0; good < 10; good++) {
            assert_int_equal(health_answered(&health), 0);
        }
    }
}

static void
different_poisons_with_verdicts_between_blame_no_plugin(void **state)
{
    (void)state;
    struct health health = {0};
    for (int64_t seq = 1; seq <= 100; seq++) {
        assert_int_equal(health_crashed(&health, seq, seq, 0), HEALTH_SUSPECT);
        assert_int_equal(health_answered(&health), 0);
    }
}

static void
two_different_crashes_open_the_breaker(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 1000, 0);
    assert_int_equal(health_crashed(&health, 2, 1010, 0), HEALTH_SPARE);
    assert_int_equal(health.is_broken, 1);
    assert_int_equal(health.suspect, 0);
}

static void
broken_plugin_never_charges_anybody(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    health_crashed(&health, 2, 1, 0);
    int64_t now_ms = 1;
    for (int64_t seq = 1; seq <= 1000; seq++) {
        now_ms = health.try_at_ms;
        assert_int_equal(health_crashed(&health, seq % 7, now_ms, 0),
                         HEALTH_SPARE);
        assert_int_equal(health.suspect, 0);
        assert_int_equal(health_settle(&health, now_ms + 1000000, 1), 0);
    }
    assert_int_equal(health.is_broken, 1);
}

static void
crash_after_a_charged_one_opens_the_breaker(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    assert_int_equal(health_settle(&health, HEALTH_SUSPECT_MS, 1), 1);
    assert_int_equal(health_crashed(&health, 2, 60000, 0), HEALTH_SPARE);
    assert_int_equal(health.is_broken, 1);
}

static void
same_one_crashing_again_does_not(void **state)
{
    (void)state;
    struct health health = {0};
    for (int64_t now_ms = 0; now_ms < 100000; now_ms += 10000) {
        assert_int_equal(health_crashed(&health, 1, now_ms, 0), HEALTH_SUSPECT);
        assert_int_equal(health.is_broken, 0);
        assert_int_equal(health_settle(&health, now_ms + HEALTH_SUSPECT_MS, 1),
                         1);
    }
}

static void
excused_suspect_is_still_the_last_that_crashed(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    health_excuse(&health);
    assert_int_equal(health_is_wary(&health), 0);
    assert_int_equal(health_settle(&health, 1000000, 1), 0);
    assert_int_equal(health_crashed(&health, 2, 1000, 0), HEALTH_SPARE);
}

static void
first_verdict_closes_the_breaker_and_starts_anew(void **state)
{
    (void)state;
    struct health health = {0};
    for (int round = 0; round < 3; round++) {
        health_crashed(&health, 1, 0, 0);
        health_crashed(&health, 2, 0, 0);
        assert_int_equal(health.try_at_ms, HEALTH_PAUSE_FIRST_MS);
        health_crashed(&health, 3, health.try_at_ms, 0); /* a failed try */
        assert_int_equal(health_answered(&health), 1);
        assert_int_equal(health_is_wary(&health), 0);
        assert_int_equal(health_answered(&health), 0);
        assert_int_equal(health_may_begin(&health, 0, 99), 1);
    }
    assert_int_equal(health_crashed(&health, 3, 0, 0), HEALTH_SUSPECT);
}

static void
pauses_double_from_half_a_second_to_a_minute(void **state)
{
    (void)state;
    static const int64_t pauses_ms[] = {500,   1000,  2000,  4000,  8000,
                                        16000, 32000, 60000, 60000, 60000};
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    int64_t now_ms = 100;
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        health_crashed(&health, 2, now_ms, 0);
        assert_int_equal(health.try_at_ms - now_ms, pauses_ms[i]);
        now_ms = health.try_at_ms;
    }
    health.tries = 100000; /* nothing overflows */
    health_crashed(&health, 2, now_ms, 0);
    assert_int_equal(health.try_at_ms - now_ms, HEALTH_PAUSE_MAX_MS);
}

static void
jitter_makes_pauses_shorter_never_longer(void **state)
{
    (void)state;
    for (uint64_t random = 0; random <= UINT32_MAX; random += 16777259) {
        struct health health = {0};
        health_crashed(&health, 1, 0, (uint32_t)random);
        health_crashed(&health, 2, 0, (uint32_t)random);
        assert_in_range(health.try_at_ms, 375, 500);
        health.tries = 20;
        health_crashed(&health, 2, 1000, (uint32_t)random);
        assert_in_range(health.try_at_ms - 1000, 45000, 60000);
    }
    struct health health = {0};
    health_crashed(&health, 1, 0, UINT32_MAX);
    health_crashed(&health, 2, 0, UINT32_MAX);
    assert_int_equal(health.try_at_ms, 375);
}

/* Thirty-two runners that die at once are one failure. */
static void
crash_of_what_was_in_work_is_no_failed_try(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    for (int64_t seq = 2; seq <= 32; seq++) {
        assert_int_equal(health_crashed(&health, seq, 10, 0), HEALTH_SPARE);
    }
    assert_int_equal(health.try_at_ms, 10 + HEALTH_PAUSE_FIRST_MS);
    health_crashed(&health, 33, health.try_at_ms - 1, 0);
    assert_int_equal(health.tries, 0);
    health_crashed(&health, 33, health.try_at_ms, 0);
    assert_int_equal(health.tries, 1);
}

static void
suspect_is_charged_when_nothing_else_was_there_in_time(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 1000, 0);
    assert_int_equal(health_settle(&health, 1000 + HEALTH_SUSPECT_MS - 1, 1),
                     0);
    assert_int_equal(health_settle(&health, 1000 + HEALTH_SUSPECT_MS, 1), 1);
    assert_int_equal(health.suspect, 0);
    assert_int_equal(health_settle(&health, 1000 + HEALTH_SUSPECT_MS, 1), 0);
}

static void
time_does_not_run_while_something_else_is_being_tried(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    assert_int_equal(health_settle(&health, 100000, 0), 0);
    assert_int_equal(health_settle(&health, 100000 + HEALTH_SUSPECT_MS - 1, 1),
                     0);
    assert_int_equal(health_settle(&health, 100000 + HEALTH_SUSPECT_MS, 1), 1);
}

static void
one_at_a_time_begins_while_there_is_a_suspect(void **state)
{
    (void)state;
    struct health health = {0};
    assert_int_equal(health_may_begin(&health, 0, 1000), 1);
    health_crashed(&health, 1, 0, 0);
    assert_int_equal(health_may_begin(&health, 0, 0), 1);
    assert_int_equal(health_may_begin(&health, 0, 1), 0);
    health_answered(&health);
    assert_int_equal(health_may_begin(&health, 0, 1), 1);
}

static void
broken_plugin_is_tried_when_the_pause_is_over_and_one_at_a_time(void **state)
{
    (void)state;
    struct health health = {0};
    health_crashed(&health, 1, 0, 0);
    health_crashed(&health, 2, 0, 0);
    assert_int_equal(health_may_begin(&health, health.try_at_ms - 1, 0), 0);
    assert_int_equal(health_may_begin(&health, health.try_at_ms, 0), 1);
    assert_int_equal(health_may_begin(&health, health.try_at_ms, 1), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_crash_makes_a_suspect),
        cmocka_unit_test(
            poison_among_good_events_is_suspected_each_time_and_nothing_else),
        cmocka_unit_test(
            different_poisons_with_verdicts_between_blame_no_plugin),
        cmocka_unit_test(two_different_crashes_open_the_breaker),
        cmocka_unit_test(broken_plugin_never_charges_anybody),
        cmocka_unit_test(crash_after_a_charged_one_opens_the_breaker),
        cmocka_unit_test(same_one_crashing_again_does_not),
        cmocka_unit_test(excused_suspect_is_still_the_last_that_crashed),
        cmocka_unit_test(first_verdict_closes_the_breaker_and_starts_anew),
        cmocka_unit_test(pauses_double_from_half_a_second_to_a_minute),
        cmocka_unit_test(jitter_makes_pauses_shorter_never_longer),
        cmocka_unit_test(crash_of_what_was_in_work_is_no_failed_try),
        cmocka_unit_test(
            suspect_is_charged_when_nothing_else_was_there_in_time),
        cmocka_unit_test(time_does_not_run_while_something_else_is_being_tried),
        cmocka_unit_test(one_at_a_time_begins_while_there_is_a_suspect),
        cmocka_unit_test(
            broken_plugin_is_tried_when_the_pause_is_over_and_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
