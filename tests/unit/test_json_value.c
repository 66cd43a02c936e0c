/* tests/unit/test_json_value.c: values found by path, and what they mean.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json/json.h"

/* ---- Paths ---------------------------------------------------------- */

/* Expect the slice `want` at `path`, or the code `rc`. */
static void
expect_found(const char *text, const char *path, int rc, const char *want)
{
    const struct json_value untouched = {JSON_ARRAY, "kept", 4};
    struct json_value value = untouched;
    int found = json_find(text, strlen(text), path, &value);
    if (found != rc) {
        fail_msg("path '%s': %s", path, rc_name(found));
    }
    if (rc != RC_OK) {
        assert_memory_equal(&value, &untouched, sizeof(value));
        return;
    }
    if (value.len != strlen(want) || memcmp(value.ptr, want, value.len) != 0) {
        fail_msg("path '%s': %.*s", path, (int)value.len, value.ptr);
    }
}

static const char sample[] =
    " {\"a\": {\"b\": [10, {\"c\": \"x\"}, [20, 21]], \"d.e\": 1, \"~f/g\": 2,"
    " \"\": 3, \"0\": 4, \"01\": 5, \"-\": 6}, \"\": {\"\": 7}, \"n\": null} ";

static void
paths_lead_to_values(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *want; /* NULL: not found */
    } rows[] = {
        {"n", "null"},
        {"a.b", "[10, {\"c\": \"x\"}, [20, 21]]"},
        {"a.b.0", "10"},
        {"a.b.1.c", "\"x\""},
        {"a.b.2.1", "21"},
        {"a.0", "4"},
        {"a.01", "5"},
        {"a.-", "6"},
        {"a.", "3"},
        {".", "7"},
        {"/n", "null"},
        {"/a/b/1/c", "\"x\""},
        {"/a/d.e", "1"},
        {"/a/~0f~1g", "2"},
        {"/a/", "3"},
        {"/", "{\"\": 7}"},
        {"//", "7"},
        {"/a/0", "4"},
        {"b", NULL},
        {"A", NULL},
        {"a.d.e", NULL},
        {"a.~0f~1g", NULL},
        {"a.b.3", NULL},
        {"a.b.-1", NULL},
        {"a.b.+1", NULL},
        {"a.b.01", NULL},
        {"a.b.00", NULL},
        {"a.b.1x", NULL},
        {"a.b. 1", NULL},
        {"a.b.-", NULL},
        {"/a/b/-", NULL},
        {"a.b.", NULL},
        {"a.b.18446744073709551616", NULL},
        {"a.b.18446744073709551615", NULL},
        {"a.b.99999999999999999999999999", NULL},
        {"a.b.0.x", NULL},
        {"a.b.1.c.0", NULL},
        {"n.x", NULL},
        {"a.b.1.cc", NULL},
        {"a.b.1.c\"", NULL},
        {"aa", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_found(sample, rows[i].path,
                     rows[i].want != NULL ? RC_OK : RC_NOT_FOUND, rows[i].want);
    }
    expect_found("[1, [2]]", "1.0", RC_OK, "2");
    expect_found("\"scalar\"", "a", RC_NOT_FOUND, NULL);
}

static void
the_empty_path_is_the_whole_value(void **state)
{
    (void)state;
    expect_found(" [1, 2]\n", "", RC_OK, "[1, 2]");
    expect_found("-5", "", RC_OK, "-5");
}

static void
a_malformed_pointer_is_invalid(void **state)
{
    (void)state;
    expect_found(sample, "/~", RC_INVALID, NULL);
    expect_found(sample, "/a~2b", RC_INVALID, NULL);
    expect_found(sample, "/nowhere/~", RC_INVALID, NULL);
    expect_found(sample, "/~/0", RC_INVALID, NULL);
    expect_found("{\"~\": 1, \"a~2\": 2}", "~", RC_OK, "1");
    expect_found("{\"~\": 1, \"a~2\": 2}", "a~2", RC_OK, "2");
    expect_found("{\"~01\": 1, \"/\": 2, \"~1\": 3}", "/~01", RC_OK, "3");
}

static void
a_malformed_text_is_invalid_wherever_the_path_leads(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\": 1, \"b\": [}", "{\"a\": 1} x", "{\"a\": 01}", "", "[1", "1 2",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_found(texts[i], "a", RC_INVALID, NULL);
        expect_found(texts[i], "/0", RC_INVALID, NULL);
        expect_found(texts[i], "", RC_INVALID, NULL);
    }
}

static void
the_last_of_repeated_members_counts(void **state)
{
    (void)state;
    expect_found("{\"a\":1,\"b\":2,\"a\":3}", "a", RC_OK, "3");
    expect_found("{\"a\":{\"x\":1},\"a\":{\"y\":2}}", "a.y", RC_OK, "2");
    expect_found("{\"a\":{\"x\":1},\"a\":{\"y\":2}}", "a.x", RC_NOT_FOUND,
                 NULL);
    expect_found("{\"a\":{\"x\":1},\"a\":5}", "a.x", RC_NOT_FOUND, NULL);
    expect_found("{\"a.b\":1,\"a\\u002eb\":2}", "/a.b", RC_OK, "2");
    expect_found("{\"a\\u002eb\":1,\"a.b\":2}", "/a.b", RC_OK, "2");
    expect_found("{\"\\u0061\":1,\"A\":2}", "a", RC_OK, "1");
}

static void
keys_are_compared_after_unescaping(void **state)
{
    (void)state;
    expect_found("{\"a\\u002eb\":1}", "/a.b", RC_OK, "1");
    expect_found("{\"a\\/b\":1}", "/a~1b", RC_OK, "1");
    expect_found("{\"a\\/b\":1}", "a/b", RC_OK, "1");
    expect_found("{\"\\u007e\":1}", "/~0", RC_OK, "1");
    expect_found("{\"\\ud83d\\ude00\":1}", "\xf0\x9f\x98\x80", RC_OK, "1");
    expect_found("{\"\\ud83d\":1}", "\xef\xbf\xbd", RC_OK, "1");
    expect_found("{\"a\\u0000\":1}", "a", RC_NOT_FOUND, NULL);
    expect_found("{\"\\u0000\":1}", "", RC_OK, "{\"\\u0000\":1}");
    expect_found("{\"a\\nb\":1}", "a\\nb", RC_NOT_FOUND, NULL);
    expect_found("{\"a\\n\":1}", "a", RC_NOT_FOUND, NULL);
    expect_found("{\"a\\n\":1}", "a\nb", RC_NOT_FOUND, NULL);
}

static void
members_and_elements_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } rows[] = {
        {"[]", 0},
        {"{}", 0},
        {"[[]]", 1},
        {"[1,[2,3],{}]", 3},
        {"null", 0},
        {"\"[1,2]\"", 0},
        {"{\"a\":[1,2]}", 1},
        {"[ {} , {} ]", 2},
        {"17", 0},
        {"{\"a\":1,\"a\":2,\"b\":{\"c\":3}}", 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_value value;
        assert_int_equal(
            json_find(rows[i].text, strlen(rows[i].text), "", &value), RC_OK);
        assert_int_equal(json_count(&value), rows[i].count);
    }
}

/* ---- Strings -------------------------------------------------------- */

static struct json_value
scalar(const char *text)
{
    struct json_value value = {JSON_NULL, text, strlen(text)};
    assert_int_equal(json_find(text, strlen(text), "", &value), RC_OK);
    return value;
}

static void
expect_decoded(const char *text, const char *want, size_t want_len)
{
    struct json_value value = scalar(text);
    char *out = malloc(value.len); /* exactly what json.h promises to need */
    assert_non_null(out);
    memset(out, 'x', value.len);
    assert_int_equal(json_unescape(&value, out), want_len);
    assert_memory_equal(out, want, want_len + 1);
    free(out);
}

#define DECODED(text, want) expect_decoded(text, want, sizeof(want) - 1)

static void
strings_are_decoded(void **state)
{
    (void)state;
    DECODED("\"\"", "");
    DECODED("\"plain\"", "plain");
    DECODED("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    DECODED("\"a\\u0041z\"", "aAz");
    DECODED("\"\\u007f\\u0080\"", "\x7f\xc2\x80");
    DECODED("\"\\u07ff\\u0800\"", "\xdf\xbf\xe0\xa0\x80");
    DECODED("\"\\uD7FF\\ue000\\uFfFf\"",
            "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
    DECODED("\"\xe6\x97\xa5\\n\xe6\x9c\xac\"", "\xe6\x97\xa5\n\xe6\x9c\xac");
    DECODED("\"a\\u0000b\\u0000\"", "a\0b\0");
}

static void
surrogate_pairs_are_joined_and_lone_halves_replaced(void **state)
{
    (void)state;
    DECODED("\"\\ud800\\udc00\"", "\xf0\x90\x80\x80");
    DECODED("\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf");
    DECODED("\"\\ud834\\udd1e!\"", "\xf0\x9d\x84\x9e!");
    DECODED("\"\\ud834\"", "\xef\xbf\xbd");
    DECODED("\"\\udd1e\\ud834\"", "\xef\xbf\xbd\xef\xbf\xbd");
    DECODED("\"\\ud834\\ud834\\udd1e\"", "\xef\xbf\xbd\xf0\x9d\x84\x9e");
    DECODED("\"\\udd1e\\udd1e\"", "\xef\xbf\xbd\xef\xbf\xbd");
    DECODED("\"\\ud834 \\udd1e\"", "\xef\xbf\xbd \xef\xbf\xbd");
    DECODED("\"\\ud834\\n\"", "\xef\xbf\xbd\n");
    DECODED("\"\\ud834\\u0041\"", "\xef\xbf\xbd"
                                  "A");
    DECODED("\"\\ud834\\\\dd1e\"", "\xef\xbf\xbd\\dd1e");
}

static void
strings_equal_their_decoded_text(void **state)
{
    (void)state;
    struct json_value value = scalar("\"evt\\u005f1\"");
    assert_true(json_equals(&value, "evt_1"));
    assert_false(json_equals(&value, "evt_"));
    assert_false(json_equals(&value, "evt_12"));
    assert_false(json_equals(&value, "evt\\u005f1"));
    value = scalar("\"event\"");
    assert_true(json_equals(&value, "event"));
    assert_false(json_equals(&value, "Event"));
    assert_false(json_equals(&value, "even"));
    assert_false(json_equals(&value, ""));
    value = scalar("\"id\\u0000x\"");
    assert_false(json_equals(&value, "id"));
    value = scalar("\"\\u0000\"");
    assert_false(json_equals(&value, ""));
    value = scalar("\"\"");
    assert_true(json_equals(&value, ""));
    value = scalar("true");
    assert_false(json_equals(&value, "ru"));
    value = scalar("1");
    assert_false(json_equals(&value, ""));
}

/* ---- Integers ------------------------------------------------------- */

static void
expect_i64(const char *text, int rc, int64_t want)
{
    struct json_value value = scalar(text);
    int64_t got = 77;
    int found = json_i64(&value, &got);
    if (found != rc || got != (rc == RC_OK ? want : 77)) {
        fail_msg("%.60s: %s %lld", text, rc_name(found), (long long)got);
    }
}

static void
integers_are_exact(void **state)
{
    (void)state;
    expect_i64("1099", RC_OK, 1099);
    expect_i64("1099.0", RC_OK, 1099);
    expect_i64("1e3", RC_OK, 1000);
    expect_i64("-12E+2", RC_OK, -1200);
    expect_i64("1200e-2", RC_OK, 12);
    expect_i64("10.50e1", RC_OK, 105);
    expect_i64("0.0012e4", RC_OK, 12);
    expect_i64("-0", RC_OK, 0);
    expect_i64("-0.0e5", RC_OK, 0);
    expect_i64("0e999999999999", RC_OK, 0);
    expect_i64("0.000e-99999999999999999999999999", RC_OK, 0);
    expect_i64("9007199254740993", RC_OK, INT64_C(9007199254740993));
    expect_i64("9223372036854775807", RC_OK, INT64_MAX);
    expect_i64("-9223372036854775807", RC_OK, -INT64_MAX);
    expect_i64("-9223372036854775808", RC_OK, INT64_MIN);
    expect_i64("-9223372036854775808.000", RC_OK, INT64_MIN);
    expect_i64("9.223372036854775807e18", RC_OK, INT64_MAX);
    expect_i64("92233720368547758070e-1", RC_OK, INT64_MAX);
    expect_i64("1e18", RC_OK, INT64_C(1000000000000000000));
}

static void
fractions_are_not_integers(void **state)
{
    (void)state;
    expect_i64("1.5", RC_INVALID, 0);
    expect_i64("0.1", RC_INVALID, 0);
    expect_i64("-1e-1", RC_INVALID, 0);
    expect_i64("105e-2", RC_INVALID, 0);
    expect_i64("1e-400", RC_INVALID, 0);
    expect_i64("1e-99999999999999999999999999", RC_INVALID, 0);
    expect_i64("9223372036854775807.5", RC_INVALID, 0);
    expect_i64("99999999999999999999999999.5", RC_INVALID, 0);
    expect_i64("\"1\"", RC_INVALID, 0);
    expect_i64("null", RC_INVALID, 0);
    expect_i64("true", RC_INVALID, 0);
    expect_i64("[1]", RC_INVALID, 0);
}

static void
integers_beyond_64_bits_do_not_wrap(void **state)
{
    (void)state;
    expect_i64("9223372036854775808", RC_FULL, 0);
    expect_i64("-9223372036854775809", RC_FULL, 0);
    expect_i64("18446744073709551615", RC_FULL, 0);
    expect_i64("18446744073709551616", RC_FULL, 0);
    expect_i64("18446744073709551617", RC_FULL, 0);
    expect_i64("-18446744073709551616", RC_FULL, 0);
    expect_i64("184467440737095516160", RC_FULL, 0);
    expect_i64("1e19", RC_FULL, 0);
    expect_i64("-1e19", RC_FULL, 0);
    expect_i64("1e400", RC_FULL, 0);
    expect_i64("1e18446744073709551616", RC_FULL, 0);
    expect_i64("1e9223372036854775807", RC_FULL, 0);
    expect_i64("1e99999999999999999999999999", RC_FULL, 0);
    expect_i64("1.5e400", RC_FULL, 0);
}

static void
thousands_of_digits_are_weighed_exactly(void **state)
{
    (void)state;
    enum { ZEROS = 20000 };
    char text[ZEROS + 64];

    /* 0.00...042e20002 is 42, and e20001 makes a fraction of it */
    memcpy(text, "0.", 2);
    memset(text + 2, '0', ZEROS);
    strcpy(text + 2 + ZEROS, "42e20002");
    expect_i64(text, RC_OK, 42);
    text[strlen(text) - 1] = '1';
    expect_i64(text, RC_INVALID, 0);

    memcpy(text, "7", 1);
    memset(text + 1, '0', ZEROS);
    strcpy(text + 1 + ZEROS, "e-20000");
    expect_i64(text, RC_OK, 7);
    strcpy(text + 1 + ZEROS, "e-19970");
    expect_i64(text, RC_FULL, 0);
    strcpy(text + 1 + ZEROS, ".0");
    expect_i64(text, RC_FULL, 0);

    memset(text, '9', ZEROS);
    text[ZEROS] = '\0';
    expect_i64(text, RC_FULL, 0);
    strcpy(text + ZEROS, "e-19999");
    expect_i64(text, RC_INVALID, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_values),
        cmocka_unit_test(the_empty_path_is_the_whole_value),
        cmocka_unit_test(a_malformed_pointer_is_invalid),
        cmocka_unit_test(a_malformed_text_is_invalid_wherever_the_path_leads),
        cmocka_unit_test(the_last_of_repeated_members_counts),
        cmocka_unit_test(keys_are_compared_after_unescaping),
        cmocka_unit_test(members_and_elements_are_counted),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(surrogate_pairs_are_joined_and_lone_halves_replaced),
        cmocka_unit_test(strings_equal_their_decoded_text),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(fractions_are_not_integers),
        cmocka_unit_test(integers_beyond_64_bits_do_not_wrap),
        cmocka_unit_test(thousands_of_digits_are_weighed_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
