/* tests/unit/test_event_limits.c: how long the texts of an event may be, how
 * its time is read, and which patterns select it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event_fixture.h"

/* ---- Limits --------------------------------------------------------- */

/* A body whose member at `shape`'s %s is `unit`, `count` times. */
static char *
body_with(const char *shape, const char *unit, size_t count)
{
    char *text = calloc(1, strlen(unit) * count + 1);
    char *body = malloc(strlen(shape) + strlen(unit) * count + 1);
    assert_non_null(text);
    assert_non_null(body);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * strlen(unit), unit, strlen(unit));
    }
    char *mark = strstr(shape, "%s");
    sprintf(body, "%.*s%s%s", (int)(mark - shape), shape, text, mark + 2);
    free(text);
    return body;
}

static void
longest_id_and_type_fit_and_one_more_byte_does_not(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\\u0078"};
    for (size_t i = 0; i < 2; i++) {
        char *body =
            body_with("{\"id\":\"%s\"," TYPE "}", units[i], EVENT_ID_MAX);
        assert_int_equal(strlen(read_good(body).id), EVENT_ID_MAX);
        free(body);
        body =
            body_with("{\"id\":\"%s\"," TYPE "}", units[i], EVENT_ID_MAX + 1);
        refused(body, "body's `id` is too long");
        free(body);
        body = body_with("{" ID ",\"type\":\"%s\"}", units[i], EVENT_TYPE_MAX);
        assert_int_equal(strlen(read_good(body).type), EVENT_TYPE_MAX);
        free(body);
        body =
            body_with("{" ID ",\"type\":\"%s\"}", units[i], EVENT_TYPE_MAX + 1);
        refused(body, "body's `type` is too long");
        free(body);
    }
    /* In bytes, not in characters. */
    char *body = body_with("{\"id\":\"%s\"," TYPE "}", "\xc3\xa9", 128);
    refused(body, "body's `id` is too long");
    free(body);
    body = body_with("{\"id\":\"%s\"," TYPE "}", "x", 100000);
    refused(body, "body's `id` is too long");
    free(body);
}

static void
other_text_that_is_too_long_counts_as_absent(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        size_t offset, max;
    } rows[] = {
        {"{" ID "," TYPE ",\"account\":\"%s\"}",
         offsetof(struct event, account), EVENT_OBJECT_MAX},
        {"{" ID "," TYPE "," THIN ",\"context\":\"%s\"}",
         offsetof(struct event, account), EVENT_OBJECT_MAX},
        {"{" ID "," TYPE ",\"api_version\":\"%s\"}",
         offsetof(struct event, api_version), 63},
        {"{" ID "," TYPE ",\"data\":{\"object\":{\"id\":\"%s\"}}}",
         offsetof(struct event, object_id), EVENT_OBJECT_MAX},
        {"{" ID "," TYPE ",\"data\":{\"object\":{\"object\":\"%s\"}}}",
         offsetof(struct event, object_type), 63},
        {"{" ID "," TYPE ",\"data\":{\"object\":{\"customer\":\"%s\"}}}",
         offsetof(struct event, customer), EVENT_OBJECT_MAX},
        {"{" ID "," TYPE "," THIN ",\"related_object\":{\"id\":\"%s\"}}",
         offsetof(struct event, object_id), EVENT_OBJECT_MAX},
        {"{" ID "," TYPE "," THIN ",\"related_object\":{\"type\":\"%s\"}}",
         offsetof(struct event, object_type), 63},
        {"{" ID "," TYPE "," THIN ",\"snapshot_event\":\"%s\"}",
         offsetof(struct event, snapshot_event), EVENT_ID_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *body = body_with(rows[i].shape, "x", rows[i].max);
        struct event event = read_good(body);
        assert_int_equal(strlen((char *)&event + rows[i].offset), rows[i].max);
        free(body);
        body = body_with(rows[i].shape, "x", rows[i].max + 1);
        event = read_good(body);
        assert_string_equal((char *)&event + rows[i].offset, "");
        free(body);
        body = body_with(rows[i].shape, "a\\u0000", 1);
        event = read_good(body);
        assert_string_equal((char *)&event + rows[i].offset, "");
        free(body);
    }
}

static void
nesting_is_accepted_as_deep_as_the_scanner_goes(void **state)
{
    (void)state;
    static const struct {
        size_t levels;
        int rc;
    } rows[] = {{90, RC_OK}, {100000, RC_INVALID}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *opened =
            body_with("{" ID "," TYPE ",\"x\":%s%s}", "[", rows[i].levels);
        char *body = body_with(opened, "]", rows[i].levels);
        struct event event;
        assert_int_equal(event_read(&event, body, strlen(body), NULL),
                         rows[i].rc);
        free(body);
        free(opened);
    }
}

/* ---- Time ----------------------------------------------------------- */

static int64_t
created(const char *family, const char *value)
{
    char body[256];
    snprintf(body, sizeof(body), "{%s,%s,\"object\":\"%s\",\"created\":%s}", ID,
             TYPE, family, value);
    return read_good(body).created_s;
}

static void
snapshot_time_is_integer_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"1790000000", 1790000000},
        {"0", 0},
        {"1.79e9", 1790000000},
        {"253402300799", 253402300799},
        {"253402300800", 0},
        {"-1", 0},
        {"1790000000.5", 0},
        {"99999999999999999999", 0},
        {"null", 0},
        {"\"1790000000\"", 0},
        {"\"2026-09-21T14:13:20Z\"", 0},
        {"[1790000000]", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(created("event", rows[i].text), rows[i].want);
    }
}

static void
thin_time_is_iso_8601(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"2026-09-21T14:13:20Z", 1790000000},
        {"2026-09-21T14:13:20.3Z", 1790000000},
        {"2026-09-21T14:13:20.999999999Z", 1790000000},
        {"2026-09-21T14:13:20.9999999999Z", 0},
        {"2026-09-21T14:13:20.Z", 0},
        {"2026-09-21T16:13:20+02:00", 1790000000},
        {"2026-09-21T08:43:20.5-05:30", 1790000000},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:01Z", 1},
        {"1970-01-01T00:00:01+00:01", 0},
        {"1969-12-31T23:59:59Z", 0},
        {"2000-02-29T00:00:00Z", 951782400},
        {"2024-02-29T23:59:59Z", 1709251199},
        {"2024-03-01T00:00:00Z", 1709251200},
        {"2023-02-29T00:00:00Z", 0},
        {"2100-02-28T23:59:59Z", 4107542399},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"2100-02-29T00:00:00Z", 0},
        {"2038-01-19T03:14:08Z", 2147483648},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"9999-12-31T23:59:59-00:01", 0},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"2026-12-31T23:59:61Z", 0},
        {"2026-00-01T00:00:00Z", 0},
        {"2026-13-01T00:00:00Z", 0},
        {"2026-01-00T00:00:00Z", 0},
        {"2026-01-32T00:00:00Z", 0},
        {"2026-04-31T00:00:00Z", 0},
        {"2026-01-01T24:00:00Z", 0},
        {"2026-01-01T00:60:00Z", 0},
        {"2026-01-01T00:00:00", 0},
        {"2026-01-01T00:00:00z", 0},
        {"2026-01-01T00:00:00+24:00", 0},
        {"2026-01-01T00:00:00+0100", 0},
        {"2026-01-01T00:00:00+01:000", 0},
        {"2026-01-01T00:00:00 01:00", 0},
        {"2026-01-01T00:00:00ZZ", 0},
        {"2026-01-01 00:00:00Z", 0},
        {"2026-1-1T00:00:00Z", 0},
        {"+026-01-01T00:00:00Z", 0},
        {"2026-01-01", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char value[64];
        snprintf(value, sizeof(value), "\"%s\"", rows[i].text);
        int64_t got = created("v2.core.event", value);
        if (got != rows[i].want) {
            fail_msg("%s: %lld", value, (long long)got);
        }
    }
    assert_int_equal(created("v2.core.event", "1790000000"), 0);
    assert_int_equal(created("v2.core.event", "null"), 0);
}

/* ---- Patterns ------------------------------------------------------- */

static void
pattern_matches_exactly_or_below_its_prefix(void **state)
{
    (void)state;
    assert_true(event_type_matches("*", "charge.succeeded"));
    assert_true(event_type_matches("*", "x"));
    assert_true(event_type_matches("charge.succeeded", "charge.succeeded"));
    assert_false(event_type_matches("charge.succeeded", "charge.succeede"));
    assert_false(event_type_matches("charge.succeeded", "charge.succeeded2"));
    assert_true(event_type_matches("charge.*", "charge.succeeded"));
    assert_true(event_type_matches("charge.*", "charge.dispute.created"));
    assert_true(
        event_type_matches("charge.dispute.*", "charge.dispute.created"));
    assert_false(event_type_matches("charge.*", "charge"));
    assert_false(event_type_matches("charge.*", "charge."));
    assert_false(event_type_matches("charge.*", "charges.x"));
    assert_false(event_type_matches("charge.*", "xcharge.x"));
    assert_false(event_type_matches("charge.*", "Charge.x"));
    assert_false(event_type_matches("charge*", "charge.x"));
    assert_false(event_type_matches("charge", "charge.x"));
}

static void
brackets_are_plain_characters(void **state)
{
    (void)state;
    static const char *const type = "v2.core.account[configuration.merchant]."
                                    "capability_status_updated";
    assert_true(event_type_matches(type, type));
    assert_true(event_type_matches("v2.core.*", type));
    assert_true(
        event_type_matches("v2.core.account[configuration.merchant].*", type));
    assert_false(event_type_matches("v2.core.account.*", type));
    assert_false(event_type_matches("[v]2", "v2"));
    assert_true(event_pattern_valid(type));
}

static void
three_forms_of_pattern_are_valid(void **state)
{
    (void)state;
    static const char *const valid[] = {"*", "charge.succeeded", "charge",
                                        "charge.*", "charge.dispute.*"};
    static const char *const invalid[] = {
        "",          ".*",      "**",      "*.created",   "charge*",
        "charge.**", "charge.", ".charge", "charge..x",   "charge..*",
        "charge.*.", "cha rge", "a,b",     "charge.\x7f", "charge.\n",
        "charge.*x", "*.*",     " *",      ".",           "charge.*.created"};
    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        if (!event_pattern_valid(valid[i])) {
            fail_msg("%s is valid", valid[i]);
        }
    }
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        if (event_pattern_valid(invalid[i])) {
            fail_msg("%s is not valid", invalid[i]);
        }
    }
    char *longest = body_with("%s", "x", EVENT_TYPE_MAX);
    assert_true(event_pattern_valid(longest));
    free(longest);
    longest = body_with("%s", "x", EVENT_TYPE_MAX + 1);
    assert_false(event_pattern_valid(longest));
    free(longest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_id_and_type_fit_and_one_more_byte_does_not),
        cmocka_unit_test(other_text_that_is_too_long_counts_as_absent),
        cmocka_unit_test(nesting_is_accepted_as_deep_as_the_scanner_goes),
        cmocka_unit_test(snapshot_time_is_integer_seconds),
        cmocka_unit_test(thin_time_is_iso_8601),
        cmocka_unit_test(pattern_matches_exactly_or_below_its_prefix),
        cmocka_unit_test(brackets_are_plain_characters),
        cmocka_unit_test(three_forms_of_pattern_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
