/* tests/unit/test_override.c: "path=value" changes what it names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "template_fixture.h"

#include "template/document.h"
#include "template/override.h"

static const char event_text[] =
    "{\"id\":\"evt_1\",\"data\":{\"object\":{\"object\":\"checkout.session\","
    "\"amount\":1,\"note\":null,\"lines\":[{\"n\":1},{\"n\":2}]}}}";

/* The event after one change, printed without white space. */
static char *
changed(const char *override)
{
    cJSON *event;
    assert_int_equal(
        document_parse(&event, event_text, strlen(event_text), NULL), RC_OK);
    struct error err = {0};
    if (override_apply(event, 0, override, &err) != RC_OK) {
        fail_msg("%s: %s", override, err.text);
    }
    char *text = cJSON_PrintUnformatted(event);
    cJSON_Delete(event);
    return text;
}

/* `part` must stand in the event after the change. */
static void
assert_makes(const char *override, const char *part)
{
    char *text = changed(override);
    if (strstr(text, part) == NULL) {
        fail_msg("%s: %s", override, text);
    }
    free(text);
}

static void
assert_refused(const char *override, int thin, const char *why)
{
    cJSON *event;
    assert_int_equal(
        document_parse(&event, event_text, strlen(event_text), NULL), RC_OK);
    struct error err = {0};
    assert_int_equal(override_apply(event, thin, override, &err), RC_INVALID);
    assert_string_equal(err.text, why);
    char *text = cJSON_PrintUnformatted(event);
    assert_string_equal(text, event_text); /* nothing is half changed */
    free(text);
    cJSON_Delete(event);
}

static void
path_starts_at_the_object_or_at_the_envelope(void **state)
{
    (void)state;
    assert_makes("amount=2000", "\"amount\":2000");
    assert_makes("data.object.amount=2000", "\"amount\":2000");
    assert_makes("id=evt_2", "{\"id\":\"evt_2\"");
    assert_makes("data.object.id=cs_9", "\"id\":\"cs_9\"}}}");
    assert_makes("checkout_session:amount=5", "\"amount\":5");
    assert_makes("checkout_session:id=cs_9", "\"id\":\"cs_9\"}}}");
}

static void
value_is_json_or_else_text(void **state)
{
    (void)state;
    assert_makes("amount=12345678901234567890",
                 "\"amount\":12345678901234567890");
    assert_makes("amount=-1.50", "\"amount\":-1.50");
    assert_makes("amount=true", "\"amount\":true");
    assert_makes("amount=null", "\"amount\":null");
    assert_makes("amount=\"7\"", "\"amount\":\"7\"");
    assert_makes("amount=007", "\"amount\":\"007\"");
    assert_makes("amount=a=b", "\"amount\":\"a=b\"");
    assert_makes("amount=", "\"amount\":\"\"");
    assert_makes("amount={\"a\":[1]}", "\"amount\":{\"a\":[1]}");
}

static void
missing_objects_are_made(void **state)
{
    (void)state;
    assert_makes("metadata.a.b=1", "\"metadata\":{\"a\":{\"b\":1}}");
    assert_makes("note.text=hi", "\"note\":{\"text\":\"hi\"}");
}

static void
numbers_are_indexes_of_lists(void **state)
{
    (void)state;
    assert_makes("lines.1.n=9", "\"lines\":[{\"n\":1},{\"n\":9}]");
    assert_makes("lines.0=x", "\"lines\":[\"x\",{\"n\":2}]");
    assert_makes("lines.2=x", "[{\"n\":1},{\"n\":2},\"x\"]");
    assert_makes("lines.2.n=3", "[{\"n\":1},{\"n\":2},{\"n\":3}]");
}

static void
path_that_leads_nowhere_is_named(void **state)
{
    (void)state;
    assert_refused("lines.4.n=1", 0,
                   "data.object.lines.4.n: \"4\" is no index of a list of 2 "
                   "elements; to append, use 2");
    assert_refused("lines.01=1", 0,
                   "data.object.lines.01: \"01\" is no index of a list of 2 "
                   "elements; to append, use 2");
    assert_refused("amount.x=1", 0,
                   "data.object.amount.x: \"x\" has nothing to be in: what is "
                   "in front of it is neither an object nor a list");
    assert_refused("a..b=1", 0,
                   "data.object.a..b: not a path: a part of it is empty");
    assert_refused("a.=1", 0,
                   "data.object.a.: not a path: a part of it is empty");
    assert_refused("amount", 0,
                   "amount: an override is path=value, such as amount=2000");
    assert_refused("=1", 0,
                   "=1: an override is path=value, such as amount=2000");
}

static void
name_of_another_object_is_refused(void **state)
{
    (void)state;
    assert_refused("customer:email=a", 0,
                   "customer:email: this event holds checkout_session, not "
                   "customer");
}

static void
thin_events_have_only_an_envelope(void **state)
{
    (void)state;
    assert_refused("amount=1", 1,
                   "amount: a thin event holds no object; begin the path with "
                   "one of its own members, such as related_object.id");
    struct template_request req = {.type = "v1.invoice.paid"};
    const char *overrides[] = {"related_object.id=in_9", "reason=null"};
    req.overrides = overrides;
    req.override_count = 2;
    cJSON *tree = build_tree(&req);
    assert_string_equal(text_at(tree, "related_object.id"), "in_9");
    assert_true(cJSON_IsNull(at(tree, "reason")));
    cJSON_Delete(tree);
}

static void
later_override_wins_and_bad_utf8_is_refused(void **state)
{
    (void)state;
    struct template_request req = {.type = "invoice.paid"};
    const char *overrides[] = {"total=1", "total=2"};
    req.overrides = overrides;
    req.override_count = 2;
    cJSON *tree = build_tree(&req);
    assert_int_equal(at(tree, "data.object.total")->valueint, 2);
    cJSON_Delete(tree);

    overrides[1] = "total=\xff";
    char *body;
    size_t len;
    struct error err = {0};
    assert_int_equal(template_build(&req, &body, &len, &err), RC_INVALID);
    assert_non_null(strstr(err.text, "is an override not UTF-8?"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_starts_at_the_object_or_at_the_envelope),
        cmocka_unit_test(value_is_json_or_else_text),
        cmocka_unit_test(missing_objects_are_made),
        cmocka_unit_test(numbers_are_indexes_of_lists),
        cmocka_unit_test(path_that_leads_nowhere_is_named),
        cmocka_unit_test(name_of_another_object_is_refused),
        cmocka_unit_test(thin_events_have_only_an_envelope),
        cmocka_unit_test(later_override_wins_and_bad_utf8_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
