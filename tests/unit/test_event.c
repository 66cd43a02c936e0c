/* tests/unit/test_event.c: the envelope of an event: its two families, odd
 * shapes, repeated members, and what is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event_fixture.h"

/* ---- Both families -------------------------------------------------- */

static void
snapshot_event_is_read(void **state)
{
    (void)state;
    struct event event = read_good(
        "{\"id\":\"evt_snap\",\"object\":\"event\",\"account\":\"acct_7\","
        "\"api_version\":\"2026-10-28.endive\",\"created\":1790000000,"
        "\"context\":\"not_this\",\"data\":{\"object\":{\"id\":\"ch_1\","
        "\"object\":\"charge\",\"amount\":1099,\"customer\":\"cus_1\","
        "\"refunds\":{\"id\":\"no\",\"data\":[{\"id\":\"re_1\"}]}},"
        "\"previous_attributes\":{\"id\":\"no\"}},\"livemode\":true,"
        "\"pending_webhooks\":1,\"request\":{\"id\":\"req_1\"},"
        "\"related_object\":{\"id\":\"no\",\"type\":\"no\"},"
        "\"type\":\"charge.succeeded\"}");
    assert_int_equal(event.family, EVENT_SNAPSHOT);
    assert_int_equal(event.livemode, 1);
    assert_int_equal(event.created_s, 1790000000);
    assert_string_equal(event.id, "evt_snap");
    assert_string_equal(event.type, "charge.succeeded");
    assert_string_equal(event.account, "acct_7");
    assert_string_equal(event.api_version, "2026-10-28.endive");
    assert_string_equal(event.object_id, "ch_1");
    assert_string_equal(event.object_type, "charge");
    assert_string_equal(event.customer, "cus_1");
    assert_string_equal(event.snapshot_event, "");
}

static void
thin_event_is_read(void **state)
{
    (void)state;
    struct event event = read_good(
        "{\"id\":\"evt_thin\",\"object\":\"v2.core.event\","
        "\"type\":\"v1.charge.succeeded\",\"livemode\":false,"
        "\"created\":\"2026-09-21T14:13:20.337Z\",\"context\":\"acct_8\","
        "\"account\":\"not_this\",\"related_object\":{\"id\":\"ch_2\","
        "\"type\":\"charge\",\"url\":\"/v1/charges/ch_2\"},"
        "\"snapshot_event\":\"evt_snap\",\"reason\":null,"
        "\"data\":{\"object\":{\"id\":\"no\",\"object\":\"no\"}}}");
    assert_int_equal(event.family, EVENT_THIN);
    assert_int_equal(event.livemode, 0);
    assert_int_equal(event.created_s, 1790000000);
    assert_string_equal(event.id, "evt_thin");
    assert_string_equal(event.type, "v1.charge.succeeded");
    assert_string_equal(event.account, "acct_8");
    assert_string_equal(event.api_version, "");
    assert_string_equal(event.object_id, "ch_2");
    assert_string_equal(event.object_type, "charge");
    assert_string_equal(event.customer, "");
    assert_string_equal(event.snapshot_event, "evt_snap");
}

static void
id_and_type_are_enough(void **state)
{
    (void)state;
    struct event event = read_good("{" ID "," TYPE "}");
    struct event want = {.id = "evt_1", .type = "charge.succeeded"};
    assert_memory_equal(&event, &want, sizeof(want));
    /* An unknown family is read as a snapshot. */
    event = read_good("{" ID "," TYPE ",\"object\":\"v3.event\"}");
    assert_int_equal(event.family, EVENT_SNAPSHOT);
    event = read_good("{" ID "," TYPE ",\"object\":[\"v2.core.event\"]}");
    assert_int_equal(event.family, EVENT_SNAPSHOT);
}

static void
family_may_stand_anywhere_and_be_escaped(void **state)
{
    (void)state;
    struct event event =
        read_good("{\"context\":\"acct_1\",\"related_object\":{\"id\":\"a\"},"
                  "\"data\":{\"object\":{\"id\":\"b\"}}," ID "," TYPE
                  ",\"obj\\u0065ct\":\"v2.c\\u006fre.event\"}");
    assert_int_equal(event.family, EVENT_THIN);
    assert_string_equal(event.account, "acct_1");
    assert_string_equal(event.object_id, "a");
}

static void
blanks_around_the_body_are_accepted(void **state)
{
    (void)state;
    struct event event = read_good(" \r\n\t{ " ID " , " TYPE " }\n");
    assert_string_equal(event.id, "evt_1");
}

/* ---- Odd shapes ----------------------------------------------------- */

static void
request_is_ignored_in_every_shape(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "null", "\"req_1\"", "{\"id\":\"req_1\",\"type\":\"x\"}", "[{}]", "1"};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char body[256];
        snprintf(body, sizeof(body), "{%s,\"request\":%s,%s}", ID, shapes[i],
                 TYPE);
        struct event event = read_good(body);
        assert_string_equal(event.id, "evt_1");
        assert_string_equal(event.type, "charge.succeeded");
    }
}

static void
data_may_have_any_shape(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "null",
        "[]",
        "[{\"object\":{\"id\":\"no\"}}]",
        "\"text\"",
        "{}",
        "{\"object\":null}",
        "{\"object\":\"ch_1\"}",
        "{\"object\":[{\"id\":\"no\"}]}",
        "{\"object\":{}}",
        "{\"object\":{\"id\":null,\"object\":7,\"customer\":null}}",
        "{\"object\":{\"id\":{\"id\":\"no\"},\"customer\":[\"cus_1\"]}}",
        "{\"object\":{\"id\":\"\",\"customer\":{}}}",
        "{\"object\":{\"customer\":{\"id\":7}}}",
        "{\"inner\":{\"object\":{\"id\":\"no\"}}}",
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char body[256];
        snprintf(body, sizeof(body), "{%s,\"data\":%s,%s}", ID, shapes[i],
                 TYPE);
        struct event event = read_good(body);
        assert_string_equal(event.type, "charge.succeeded");
        assert_string_equal(event.object_id, "");
        assert_string_equal(event.object_type, "");
        assert_string_equal(event.customer, "");
    }
}

static void
object_without_id_keeps_its_type(void **state)
{
    (void)state;
    struct event event = read_good(
        "{" ID "," TYPE ",\"data\":{\"object\":{\"object\":\"balance\"}}}");
    assert_string_equal(event.object_id, "");
    assert_string_equal(event.object_type, "balance");
}

static void
expanded_customer_counts_by_its_id(void **state)
{
    (void)state;
    struct event event = read_good(
        "{" ID "," TYPE ",\"data\":{\"object\":{\"customer\":{"
        "\"object\":\"customer\",\"sources\":{\"id\":\"no\"},\"id\":\"cus_9\","
        "\"customer\":\"no\"},\"id\":\"ch_1\",\"object\":\"charge\"}}}");
    assert_string_equal(event.customer, "cus_9");
    assert_string_equal(event.object_id, "ch_1");
    assert_string_equal(event.object_type, "charge");
}

static void
related_object_may_be_absent_null_or_without_id(void **state)
{
    (void)state;
    static const struct {
        const char *member, *type;
    } shapes[] = {
        {"\"x\":0", ""},
        {"\"related_object\":null", ""},
        {"\"related_object\":[]", ""},
        {"\"related_object\":\"a\"", ""},
        {"\"related_object\":{\"type\":\"balance\"}", "balance"},
        {"\"related_object\":{\"id\":null,\"type\":null}", ""},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char body[256];
        snprintf(body, sizeof(body), "{%s,%s,%s,\"context\":null,%s}", ID, THIN,
                 shapes[i].member, TYPE);
        struct event event = read_good(body);
        assert_int_equal(event.family, EVENT_THIN);
        assert_string_equal(event.object_id, "");
        assert_string_equal(event.object_type, shapes[i].type);
        assert_string_equal(event.account, "");
    }
}

static void
livemode_is_true_only_if_it_says_so(void **state)
{
    (void)state;
    static const char *const shapes[] = {"false", "null", "1", "\"true\"",
                                         "[true]"};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char body[128];
        snprintf(body, sizeof(body), "{%s,%s,\"livemode\":%s}", ID, TYPE,
                 shapes[i]);
        assert_int_equal(read_good(body).livemode, 0);
    }
    assert_int_equal(read_good("{" ID "," TYPE ",\"livemode\":true}").livemode,
                     1);
}

static void
keys_match_with_case(void **state)
{
    (void)state;
    struct event event =
        read_good("{\"ID\":\"no\"," ID "," TYPE ",\"Type\":\"no\"}");
    assert_string_equal(event.id, "evt_1");
    assert_string_equal(event.type, "charge.succeeded");
    refused("{\"Id\":\"evt_1\"," TYPE "}", "body has no string `id`");
}

/* ---- Repeated members ----------------------------------------------- */

static void
last_of_repeated_members_counts(void **state)
{
    (void)state;
    struct event event = read_good(
        "{\"id\":\"first\",\"type\":\"first\",\"object\":\"v2.core.event\","
        "\"livemode\":true,\"created\":1,\"id\":\"last\",\"object\":\"event\","
        "\"livemode\":false,\"created\":2,\"typ\\u0065\":\"last\"}");
    assert_string_equal(event.id, "last");
    assert_string_equal(event.type, "last");
    assert_int_equal(event.family, EVENT_SNAPSHOT);
    assert_int_equal(event.livemode, 0);
    assert_int_equal(event.created_s, 2);
    refused("{" ID "," TYPE ",\"id\":null}", "body has no string `id`");
    refused("{" ID "," TYPE ",\"type\":{}}", "body has no string `type`");
}

static void
repeated_object_forgets_the_earlier_one(void **state)
{
    (void)state;
#define FULL "{\"id\":\"a\",\"object\":\"b\",\"customer\":\"c\"}"
    static const struct {
        const char *data, *id, *type, *customer;
    } rows[] = {
        {"\"data\":{\"object\":" FULL "},\"data\":{}", "", "", ""},
        {"\"data\":{\"object\":" FULL "},\"data\":null", "", "", ""},
        {"\"data\":{\"object\":" FULL ",\"object\":{}}", "", "", ""},
        {"\"data\":{\"object\":" FULL ",\"object\":{\"id\":\"z\"}}", "z", "",
         ""},
        {"\"data\":{\"object\":{}},\"data\":{\"object\":" FULL "}", "a", "b",
         "c"},
        {"\"data\":{\"object\":{\"id\":\"a\",\"id\":\"b\",\"object\":\"x\","
         "\"object\":\"y\",\"customer\":\"c\",\"customer\":\"d\"}}",
         "b", "y", "d"},
        {"\"data\":{\"object\":{\"id\":\"a\",\"id\":7,\"customer\":\"c\","
         "\"customer\":{}}}",
         "", "", ""},
        {"\"data\":{\"object\":{\"customer\":{\"id\":\"c\",\"id\":\"d\"},"
         "\"customer\":[]}}",
         "", "", ""},
        {"\"data\":{\"object\":{\"customer\":[],"
         "\"customer\":{\"id\":\"c\",\"id\":\"d\"}}}",
         "", "", "d"},
    };
#undef FULL
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[512];
        snprintf(body, sizeof(body), "{%s,%s,%s}", ID, rows[i].data, TYPE);
        struct event event = read_good(body);
        assert_string_equal(event.object_id, rows[i].id);
        assert_string_equal(event.object_type, rows[i].type);
        assert_string_equal(event.customer, rows[i].customer);
    }
}

static void
repeated_related_object_forgets_the_earlier_one(void **state)
{
    (void)state;
    struct event event =
        read_good("{" ID "," TYPE "," THIN ",\"related_object\":{\"id\":\"a\","
                  "\"type\":\"b\"},\"related_object\":{\"id\":\"c\"}}");
    assert_string_equal(event.object_id, "c");
    assert_string_equal(event.object_type, "");
}

/* ---- Refusals ------------------------------------------------------- */

static void
body_that_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        " ",
        "{",
        "{" ID "," TYPE,
        "{" ID "," TYPE "}x",
        "{" ID "," TYPE "}{}",
        "{" ID "," TYPE ",}",
        "{" ID "," TYPE ",\"created\":01}",
        "{" ID "," TYPE ",\"data\":{\"object\":{\"id\":}}}",
        "{" ID "," TYPE ",\"data\":{\"object\":[1,]}}",
        "{" ID "," TYPE ",\"x\":[{]}",
        "{" ID "," TYPE ",\"x\":\"\xff\"}",
        "{" ID "," TYPE ",\"x\":\"a\nb\"}",
        "\xef\xbb\xbf{" ID "," TYPE "}",
        "id=evt_1&type=charge.succeeded",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct event event;
        struct error err = {0};
        assert_int_equal(event_read(&event, bodies[i], strlen(bodies[i]), &err),
                         RC_INVALID);
        if (strncmp(err.text, "body is not JSON: ", 18) != 0) {
            fail_msg("%s: %s", bodies[i], err.text);
        }
    }
    static const char nul[] = "{" ID "," TYPE "}\0";
    struct event event;
    assert_int_equal(event_read(&event, nul, sizeof(nul) - 1, NULL),
                     RC_INVALID);
    assert_int_equal(event_read(&event, nul, sizeof(nul) - 2, NULL), RC_OK);
}

static void
refusal_tells_where(void **state)
{
    (void)state;
    refused("{\"id\":\"a\"  !}",
            "body is not JSON: unexpected character at byte 11");
}

static void
json_that_is_not_an_object_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "[]", "[{" ID "," TYPE "}]", "null", "\"x\"", "1", "true"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        refused(bodies[i], "body is JSON, but not an object");
    }
}

static void
id_and_type_must_be_strings(void **state)
{
    (void)state;
    refused("{}", "body has no string `id`");
    refused("{" TYPE "}", "body has no string `id`");
    refused("{" ID "}", "body has no string `type`");
    refused("{\"id\":7," TYPE "}", "body has no string `id`");
    refused("{\"id\":[\"evt_1\"]," TYPE "}", "body has no string `id`");
    refused("{" ID ",\"type\":null}", "body has no string `type`");
    refused("{\"data\":{" ID "," TYPE "}}", "body has no string `id`");
    refused("{\"id\":\"\"," TYPE "}", "body's `id` is empty");
    refused("{" ID ",\"type\":\"\"}", "body's `type` is empty");
}

static void
id_and_type_hold_no_control_characters(void **state)
{
    (void)state;
    static const char *const escapes[] = {"\\u0000", "\\u0001", "\\n",
                                          "\\u001f", "\\u007f", "\x7f"};
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"id\":\"evt_1%s\",%s}", escapes[i],
                 TYPE);
        refused(body, "body's `id` holds a control character");
        snprintf(body, sizeof(body), "{%s,\"type\":\"%sx\"}", ID, escapes[i]);
        refused(body, "body's `type` holds a control character");
    }
}

static void
escapes_in_id_and_type_are_decoded(void **state)
{
    (void)state;
    struct event event =
        read_good("{\"id\":\"evt\\u005f\\u00e9\\/\\ud83d\\ude00\","
                  "\"type\":\"charge\\u002esucceeded\"}");
    assert_string_equal(event.id, "evt_\xc3\xa9/\xf0\x9f\x98\x80");
    assert_string_equal(event.type, "charge.succeeded");
    event = read_good("{\"id\":\"\\u0020~\"," TYPE "}");
    assert_string_equal(event.id, " ~");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_event_is_read),
        cmocka_unit_test(thin_event_is_read),
        cmocka_unit_test(id_and_type_are_enough),
        cmocka_unit_test(family_may_stand_anywhere_and_be_escaped),
        cmocka_unit_test(blanks_around_the_body_are_accepted),
        cmocka_unit_test(request_is_ignored_in_every_shape),
        cmocka_unit_test(data_may_have_any_shape),
        cmocka_unit_test(object_without_id_keeps_its_type),
        cmocka_unit_test(expanded_customer_counts_by_its_id),
        cmocka_unit_test(related_object_may_be_absent_null_or_without_id),
        cmocka_unit_test(livemode_is_true_only_if_it_says_so),
        cmocka_unit_test(keys_match_with_case),
        cmocka_unit_test(last_of_repeated_members_counts),
        cmocka_unit_test(repeated_object_forgets_the_earlier_one),
        cmocka_unit_test(repeated_related_object_forgets_the_earlier_one),
        cmocka_unit_test(body_that_is_not_json_is_refused),
        cmocka_unit_test(refusal_tells_where),
        cmocka_unit_test(json_that_is_not_an_object_is_refused),
        cmocka_unit_test(id_and_type_must_be_strings),
        cmocka_unit_test(id_and_type_hold_no_control_characters),
        cmocka_unit_test(escapes_in_id_and_type_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
