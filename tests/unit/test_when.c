/* tests/unit/test_when.c: times as people write them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/when.h"

#include "error.h"

#include <stdlib.h>
#include <time.h>

#define NOW 1795400000000 /* 2026-11-23T02:13:20Z */

static int64_t
parse(const char *text)
{
    int64_t ms = -1;
    int rc = when_parse(text, WHEN_AGO, NOW, &ms);
    assert_true(rc == RC_OK || (rc == RC_INVALID && ms == -1));
    return ms;
}

static void
durations_count_from_now(void **state)
{
    (void)state;
    int64_t ms;
    assert_int_equal(parse("2h"), NOW - 7200000);
    assert_int_equal(parse("250ms"), NOW - 250);
    assert_int_equal(when_parse("30m", WHEN_AHEAD, NOW, &ms), RC_OK);
    assert_int_equal(ms, NOW + 1800000);
    assert_int_equal(parse("30000d"), -1); /* before 1970 */
    assert_int_equal(parse("2"), -1);
    assert_int_equal(parse("-2h"), -1);
}

static void
stamps_with_a_zone_are_exact(void **state)
{
    (void)state;
    assert_int_equal(parse("2026-11-23T02:13:20Z"), NOW);
    assert_int_equal(parse("2026-11-23t02:13:20.384Z"), NOW + 384);
    assert_int_equal(parse("2026-11-23T02:13:20.3849999z"), NOW + 384);
    assert_int_equal(parse("2026-11-23T03:13:20+01:00"), NOW);
    assert_int_equal(parse("2026-11-22 20:43:20-05:30"), NOW);
}

static void
stamps_without_a_zone_are_of_this_machine(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    assert_int_equal(parse("2026-11-23 03:13:20"), NOW);
    assert_int_equal(parse("2026-11-23"), NOW - (3 * 3600 + 800) * 1000);
    char room[WHEN_MAX];
    assert_string_equal(when_local("2026-11-23T02:13:20.384Z", room),
                        "2026-11-23 03:13:20");
    setenv("TZ", "UTC", 1);
    tzset();
    assert_int_equal(parse("2026-11-23 02:13"), NOW - 20000);
}

static void
what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "soon",
                                      "2026",
                                      "2026-11",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2026-02-30T00:00:00Z",
                                      "2026-00-10",
                                      "2026-11-23T",
                                      "2026-11-23T02",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T02:60:00Z",
                                      "2026-11-23T02:13:20.Z",
                                      "2026-11-23T02:13:20+1:00",
                                      "2026-11-23T02:13:20+01:00x",
                                      "2026-11-23T02:13:20Zulu",
                                      " 2026-11-23"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i]), -1);
    }
}

static void
times_are_written_for_programs_and_people(void **state)
{
    (void)state;
    char room[WHEN_MAX];
    assert_string_equal(when_utc(NOW + 7, room), "2026-11-23T02:13:20.007Z");
    assert_string_equal(when_local("", room), "-");
    assert_string_equal(when_local("never", room), "-");
    assert_string_equal(when_span(0, room), "0 s");
    assert_string_equal(when_span(119999, room), "120 s");
    assert_string_equal(when_span(120000, room), "2 min");
    assert_string_equal(when_span(7200000, room), "2 h");
    assert_string_equal(when_span(172800000, room), "2 d");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_count_from_now),
        cmocka_unit_test(stamps_with_a_zone_are_exact),
        cmocka_unit_test(stamps_without_a_zone_are_of_this_machine),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(times_are_written_for_programs_and_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
