/* tests/unit/test_value.c: the forms of values in the INI file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "value.h"

#include <pegboard/plugin.h>

typedef int parse_fn(const char *text, int64_t *out);

static void
accepts(parse_fn *parse, const char *text, int64_t want)
{
    int64_t got = 77;
    if (parse(text, &got) != RC_OK || got != want) {
        fail_msg("\"%s\" became %lld", text, (long long)got);
    }
}

/* ... and leaves the output alone. */
static void
refuses(parse_fn *parse, const char *text)
{
    int64_t got = 77;
    if (parse(text, &got) != RC_INVALID || got != 77) {
        fail_msg("\"%s\" became %lld", text, (long long)got);
    }
}

static void
booleans_have_four_words_each(void **state)
{
    (void)state;
    static const char *const yes[] = {"yes", "true", "on", "1", "Yes", "TRUE"};
    static const char *const no[] = {"no", "false", "off", "0", "No", "OFF"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        accepts(value_parse_bool, yes[i], 1);
        accepts(value_parse_bool, no[i], 0);
    }
    refuses(value_parse_bool, "");
    refuses(value_parse_bool, "2");
    refuses(value_parse_bool, "y");
    refuses(value_parse_bool, "yes ");
}

static void
integers_are_exact_to_both_ends(void **state)
{
    (void)state;
    accepts(value_parse_int, "0", 0);
    accepts(value_parse_int, "-0", 0);
    accepts(value_parse_int, "007", 7);
    accepts(value_parse_int, "-42", -42);
    accepts(value_parse_int, "9223372036854775807", INT64_MAX);
    accepts(value_parse_int, "-9223372036854775808", INT64_MIN);
    refuses(value_parse_int, "9223372036854775808");
    refuses(value_parse_int, "-9223372036854775809");
    refuses(value_parse_int, "99999999999999999999999");
    refuses(value_parse_int, "");
    refuses(value_parse_int, "-");
    refuses(value_parse_int, "+1");
    refuses(value_parse_int, " 1");
    refuses(value_parse_int, "1 ");
    refuses(value_parse_int, "1.0");
    refuses(value_parse_int, "0x10");
    refuses(value_parse_int, "1K");
    refuses(value_parse_int, "--1");
}

static void
durations_need_a_unit(void **state)
{
    (void)state;
    accepts(value_parse_duration, "250ms", 250);
    accepts(value_parse_duration, "30s", 30000);
    accepts(value_parse_duration, "5m", 300000);
    accepts(value_parse_duration, "4h", 14400000);
    accepts(value_parse_duration, "35d", 3024000000);
    accepts(value_parse_duration, "0s", 0);
    accepts(value_parse_duration, "9223372036854775807ms", INT64_MAX);
    accepts(value_parse_duration, "106751991167d", 106751991167 * 86400000);
    refuses(value_parse_duration, "106751991168d");
    refuses(value_parse_duration, "9223372036854775807s");
    refuses(value_parse_duration, "30");
    refuses(value_parse_duration, "s");
    refuses(value_parse_duration, "");
    refuses(value_parse_duration, "-1s");
    refuses(value_parse_duration, "1.5s");
    refuses(value_parse_duration, "30 s");
    refuses(value_parse_duration, "30S");
    refuses(value_parse_duration, "1w");
    refuses(value_parse_duration, "1m30s");
}

static void
sizes_count_in_powers_of_1024(void **state)
{
    (void)state;
    accepts(value_parse_size, "4096", 4096);
    accepts(value_parse_size, "64K", 65536);
    accepts(value_parse_size, "1M", 1048576);
    accepts(value_parse_size, "1G", 1073741824);
    accepts(value_parse_size, "8589934591G", 8589934591 << 30);
    refuses(value_parse_size, "8589934592G");
    refuses(value_parse_size, "");
    refuses(value_parse_size, "K");
    refuses(value_parse_size, "-1");
    refuses(value_parse_size, "1k");
    refuses(value_parse_size, "1KB");
    refuses(value_parse_size, "1 M");
    refuses(value_parse_size, "1T");
}

static void
type_chooses_the_form(void **state)
{
    (void)state;
    int64_t got = 77;
    assert_int_equal(value_parse(PEG_OPTION_STRING, "any", &got), RC_OK);
    assert_int_equal(value_parse(PEG_OPTION_LIST, "a, b", &got), RC_OK);
    assert_int_equal(value_parse(PEG_OPTION_PATH, "x", &got), RC_OK);
    assert_int_equal(got, 77);
    assert_int_equal(value_parse(PEG_OPTION_INT, "5", &got), RC_OK);
    assert_int_equal(got, 5);
    assert_int_equal(value_parse(PEG_OPTION_BOOL, "on", &got), RC_OK);
    assert_int_equal(got, 1);
    assert_int_equal(value_parse(PEG_OPTION_DURATION, "5s", &got), RC_OK);
    assert_int_equal(got, 5000);
    assert_int_equal(value_parse(PEG_OPTION_SIZE, "5K", &got), RC_OK);
    assert_int_equal(got, 5120);
    assert_int_equal(value_parse(PEG_OPTION_INT, "on", &got), RC_INVALID);
    assert_int_equal(value_parse(0, "x", &got), RC_INVALID);
    assert_int_equal(value_parse(8, "x", &got), RC_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_have_four_words_each),
        cmocka_unit_test(integers_are_exact_to_both_ends),
        cmocka_unit_test(durations_need_a_unit),
        cmocka_unit_test(sizes_count_in_powers_of_1024),
        cmocka_unit_test(type_chooses_the_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
