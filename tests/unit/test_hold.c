/* tests/unit/test_hold.c: for how long a plugin was held.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/hold.h"

#define DAY_MS (24LL * 3600 * 1000)

static const struct hold_time start = {.wall_ms = 50 * DAY_MS, .mono_ms = 5000};

static struct hold_time
later(int64_t ms)
{
    return (struct hold_time){.wall_ms = start.wall_ms + ms,
                              .mono_ms = start.mono_ms + ms};
}

static void
plugin_never_held_has_nothing_to_keep(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.id = 3};
    assert_int_equal(hold_init(&hold, &kept, start), 0);
    assert_int_equal(hold_set(&hold, 0, later(1000)), 0);
    assert_int_equal(hold_total_ms(&hold, later(1000).mono_ms), 0);
    assert_int_equal(hold.kept.id, 3);
}

static void
spans_add_up(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.held_ms = 100};
    hold_init(&hold, &kept, start);
    assert_int_equal(hold_set(&hold, 1, later(1000)), 1);
    assert_int_equal(hold_set(&hold, 1, later(1500)), 0); /* nothing new */
    assert_true(hold.kept.held_since_ms == later(1000).wall_ms);
    assert_int_equal(hold.kept.held_ms, 100);
    assert_int_equal(hold_total_ms(&hold, later(1700).mono_ms), 800);
    assert_int_equal(hold_set(&hold, 0, later(3000)), 1);
    assert_int_equal(hold.kept.held_ms, 2100);
    assert_int_equal(hold.kept.held_since_ms, 0);
    hold_set(&hold, 1, later(4000));
    hold_set(&hold, 0, later(4001));
    assert_int_equal(hold_total_ms(&hold, later(9000).mono_ms), 2101);
}

static void
setting_the_clock_changes_no_span(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {0};
    hold_init(&hold, &kept, start);
    hold_set(&hold, 1, start);
    struct hold_time end = later(1000);
    end.wall_ms += DAY_MS;
    hold_set(&hold, 0, end);
    assert_int_equal(hold.kept.held_ms, 1000);
    hold_set(&hold, 1, end);
    end.mono_ms += 500;
    end.wall_ms -= 7 * DAY_MS;
    hold_set(&hold, 0, end);
    assert_int_equal(hold.kept.held_ms, 1500);
}

static void
span_left_open_by_a_former_process_is_closed(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.held_ms = 10,
                                .held_since_ms = start.wall_ms - 400};
    assert_int_equal(hold_init(&hold, &kept, start), 1);
    assert_int_equal(hold.kept.held_ms, 410);
    assert_int_equal(hold.kept.held_since_ms, 0);
    kept.held_since_ms = start.wall_ms + 400; /* the clock was set back */
    assert_int_equal(hold_init(&hold, &kept, start), 1);
    assert_int_equal(hold.kept.held_ms, 10);
    assert_int_equal(hold.kept.held_since_ms, 0);
}

static void
span_of_a_pause_goes_on_in_the_next_process(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.paused_ms = start.wall_ms - 400,
                                .held_since_ms = start.wall_ms - 400};
    assert_int_equal(hold_init(&hold, &kept, start), 1);
    assert_int_equal(hold_is_paused(&hold), 1);
    assert_int_equal(hold.kept.held_ms, 400);
    assert_true(hold.kept.held_since_ms == start.wall_ms);
    assert_int_equal(hold_total_ms(&hold, later(100).mono_ms), 500);
}

/* Stored by an operator just before the daemon was killed. */
static void
pause_without_a_span_begins_one(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.paused_ms = start.wall_ms - 400};
    assert_int_equal(hold_init(&hold, &kept, start), 1);
    assert_true(hold.kept.held_since_ms == start.wall_ms);
}

static void
pause_ends_when_its_time_is_over(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {0};
    struct inbox_plugin asked = {.paused_ms = 1,
                                 .paused_until_ms = later(1000).wall_ms,
                                 .reason = "release"};
    hold_init(&hold, &kept, start);
    hold_pause(&hold, &asked);
    assert_int_equal(hold_is_paused(&hold), 1);
    assert_string_equal(hold.kept.reason, "release");
    assert_int_equal(hold_expire(&hold, later(999).wall_ms), 0);
    assert_int_equal(hold_is_paused(&hold), 1);
    assert_int_equal(hold_expire(&hold, later(1000).wall_ms), 1);
    assert_int_equal(hold_is_paused(&hold), 0);
    assert_int_equal(hold_expire(&hold, later(1000).wall_ms), 0);
}

static void
pause_without_end_stays_until_resumed(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {0}, asked = {.paused_ms = 1};
    hold_init(&hold, &kept, start);
    hold_pause(&hold, &asked);
    assert_int_equal(hold_expire(&hold, INT64_MAX), 0);
    asked.paused_ms = 0;
    hold_pause(&hold, &asked);
    assert_int_equal(hold_is_paused(&hold), 0);
}

static void
pause_that_ended_while_nobody_ran_is_none(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.paused_ms = 1,
                                .paused_until_ms = start.wall_ms};
    hold_init(&hold, &kept, start);
    assert_int_equal(hold_is_paused(&hold), 0);
    kept.paused_until_ms++;
    hold_init(&hold, &kept, start);
    assert_int_equal(hold_is_paused(&hold), 1);
}

static void
pausing_takes_no_held_times_from_outside(void **state)
{
    (void)state;
    struct hold hold;
    struct inbox_plugin kept = {.held_ms = 10};
    struct inbox_plugin asked = {
        .paused_ms = 1, .held_ms = 99, .held_since_ms = 77};
    hold_init(&hold, &kept, start);
    hold_pause(&hold, &asked);
    assert_int_equal(hold.kept.held_ms, 10);
    assert_int_equal(hold.kept.held_since_ms, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plugin_never_held_has_nothing_to_keep),
        cmocka_unit_test(spans_add_up),
        cmocka_unit_test(setting_the_clock_changes_no_span),
        cmocka_unit_test(span_left_open_by_a_former_process_is_closed),
        cmocka_unit_test(span_of_a_pause_goes_on_in_the_next_process),
        cmocka_unit_test(pause_without_a_span_begins_one),
        cmocka_unit_test(pause_ends_when_its_time_is_over),
        cmocka_unit_test(pause_without_end_stays_until_resumed),
        cmocka_unit_test(pause_that_ended_while_nobody_ran_is_none),
        cmocka_unit_test(pausing_takes_no_held_times_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
