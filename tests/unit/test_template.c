/* tests/unit/test_template.c: test events have the shape of Stripe's.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "template_fixture.h"

#include "clock.h"
#include "stripe/catalog.h"
#include "stripe/event.h"

#include <stdio.h>

/* Every amount is a whole number, and nothing in braces is left over. */
static void
check_values(const cJSON *item, const char *type)
{
    if (cJSON_IsNumber(item)) {
        assert_true(item->valuedouble == (double)(long long)item->valuedouble);
    }
    if (cJSON_IsString(item) && strpbrk(item->valuestring, "{}") != NULL) {
        fail_msg("%s: left over: %s", type, item->valuestring);
    }
    int is_amount = item->string != NULL &&
                    strncmp(item->string, "amount", 6) == 0 &&
                    strcmp(item->string, "amount_details") != 0 &&
                    strcmp(item->string, "amount_decimal") != 0;
    if (is_amount && !cJSON_IsNumber(item)) {
        fail_msg("%s: %s is not a number", type, item->string);
    }
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        check_values(child, type);
    }
}

static void
check_snapshot(const struct catalog_type *type, const char *body)
{
    struct event event;
    assert_int_equal(event_read(&event, body, strlen(body), NULL), RC_OK);
    assert_int_equal(event.family, EVENT_SNAPSHOT);
    assert_string_equal(event.type, type->name);
    assert_string_equal(event.api_version, TEMPLATE_API_VERSION);
    assert_memory_equal(event.id, "evt_3T", 6);
    assert_true(llabs((long long)(clock_wall_ms() / 1000 - event.created_s)) <
                60);
    cJSON *tree = cJSON_Parse(body);
    check_values(tree, type->name);
    assert_true(cJSON_IsFalse(at(tree, "livemode")));
    assert_int_equal(at(tree, "pending_webhooks")->valueint, 1);
    assert_true(cJSON_IsObject(at(tree, "request")));
    assert_null(at(tree, "account"));

    /* The catalogue joins alternatives with bars. */
    char known[256];
    char actual[256];
    snprintf(known, sizeof(known), "|%s|", type->object);
    snprintf(actual, sizeof(actual), "|%s|", event.object_type);
    if (strstr(known, actual) == NULL) {
        fail_msg("%s holds %s, not %s", type->name, event.object_type,
                 type->object);
    }
    cJSON_Delete(tree);
}

static void
every_snapshot_type_builds_with_the_object_of_the_catalogue(void **state)
{
    (void)state;
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    int with_template = 0;
    for (size_t i = 0; i < count; i++) {
        if (types[i].family == CATALOG_SNAPSHOT) {
            struct template_request req = {.type = types[i].name};
            char *body = build_body(&req);
            check_snapshot(&types[i], body);
            free(body);
            with_template += template_known(types[i].name);
        }
    }
    assert_true(with_template >= 57);
}

static void
every_thin_type_builds(void **state)
{
    (void)state;
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (types[i].family != CATALOG_THIN) {
            continue;
        }
        struct template_request req = {.type = types[i].name};
        char *body = build_body(&req);
        struct event event;
        assert_int_equal(event_read(&event, body, strlen(body), NULL), RC_OK);
        assert_int_equal(event.family, EVENT_THIN);
        assert_string_equal(event.type, types[i].name);
        assert_string_equal(event.object_type, types[i].object);
        assert_true(event.created_s > 0);
        free(body);
    }
}

static void
types_in_common_use_have_a_template_of_their_own(void **state)
{
    (void)state;
    static const char *const types[] = {
        "payment_intent.created",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "payment_intent.requires_action",
        "payment_intent.processing",
        "payment_intent.amount_capturable_updated",
        "payment_method.attached",
        "payment_method.detached",
        "payment_method.updated",
        "charge.succeeded",
        "charge.failed",
        "charge.captured",
        "charge.refunded",
        "charge.updated",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.refund.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "checkout.session.completed",
        "checkout.session.expired",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "customer.created",
        "customer.updated",
        "customer.deleted",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.trial_will_end",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice.payment_failed",
        "invoice.upcoming",
        "invoice.voided",
        "setup_intent.created",
        "setup_intent.succeeded",
        "setup_intent.setup_failed",
        "payout.created",
        "payout.paid",
        "payout.failed",
        "balance.available",
        "product.created",
        "product.updated",
        "product.deleted",
        "price.created",
        "price.updated",
        "price.deleted",
        "account.updated",
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!template_known(types[i])) {
            fail_msg("no template for %s", types[i]);
        }
    }
    assert_true(template_known("v1.invoice.paid"));
    assert_false(template_known("issuing_card.created"));
    assert_false(template_known("no.such.type"));
    assert_false(template_known("a/b"));
}

static void
ids_agree_inside_one_event_and_differ_between_two(void **state)
{
    (void)state;
    struct template_request req = {.type = "charge.succeeded"};
    cJSON *one = build_tree(&req);
    cJSON *two = build_tree(&req);
    char url[128];
    snprintf(url, sizeof(url), "/v1/charges/%s/refunds",
             text_at(one, "data.object.id"));
    assert_string_equal(text_at(one, "data.object.refunds.url"), url);
    assert_string_not_equal(text_at(one, "id"), text_at(two, "id"));
    assert_string_not_equal(text_at(one, "data.object.id"),
                            text_at(two, "data.object.id"));
    cJSON_Delete(one);
    cJSON_Delete(two);
}

static void
succeeded_payment_is_complete(void **state)
{
    (void)state;
    struct template_request req = {.type = "payment_intent.succeeded"};
    char *body = build_body(&req);
    assert_non_null(strstr(body, "\n      \"amount\": 4350,\n"));
    cJSON *tree = cJSON_Parse(body);
    assert_string_equal(text_at(tree, "data.object.status"), "succeeded");
    assert_int_equal(at(tree, "data.object.amount_received")->valueint, 4350);
    assert_memory_equal(text_at(tree, "data.object.id"), "pi_3T", 5);
    assert_memory_equal(text_at(tree, "data.object.latest_charge"), "ch_3T", 5);
    assert_memory_equal(text_at(tree, "data.object.customer"), "cus_", 4);
    assert_null(at(tree, "data.previous_attributes"));
    cJSON_Delete(tree);
    free(body);
}

static void
updates_tell_what_was_there_before(void **state)
{
    (void)state;
    struct template_request req = {.type = "customer.subscription.updated"};
    cJSON *tree = build_tree(&req);
    assert_true(cJSON_IsTrue(at(tree, "data.object.cancel_at_period_end")));
    assert_true(cJSON_IsFalse(
        at(tree, "data.previous_attributes.cancel_at_period_end")));
    cJSON_Delete(tree);
}

static void
likeness_is_inherited_and_changed(void **state)
{
    (void)state;
    struct template_request req = {.type = "invoice.voided"};
    cJSON *tree = build_tree(&req);
    assert_string_equal(text_at(tree, "data.object.status"), "void");
    assert_string_equal(text_at(tree, "data.object.number"), "8C41TEA0-0007");
    assert_true(cJSON_IsNumber(
        at(tree, "data.object.status_transitions.finalized_at")));
    assert_memory_equal(text_at(tree, "request.id"), "req_", 4);
    cJSON_Delete(tree);
}

static void
balance_and_upcoming_invoice_have_no_id(void **state)
{
    (void)state;
    static const char *const types[] = {"balance.available",
                                        "invoice.upcoming"};
    for (size_t i = 0; i < 2; i++) {
        struct template_request req = {.type = types[i]};
        cJSON *tree = build_tree(&req);
        assert_non_null(at(tree, "data.object"));
        assert_null(at(tree, "data.object.id"));
        assert_true(cJSON_IsNull(at(tree, "request.id")));
        cJSON_Delete(tree);
    }
}

static void
live_reaches_every_object_inside(void **state)
{
    (void)state;
    struct template_request req = {.type = "checkout.session.completed",
                                   .livemode = 1};
    cJSON *tree = build_tree(&req);
    assert_true(cJSON_IsTrue(at(tree, "livemode")));
    assert_true(cJSON_IsTrue(at(tree, "data.object.livemode")));
    assert_memory_equal(text_at(tree, "data.object.id"), "cs_live_", 8);
    cJSON_Delete(tree);
    req.type = "invoice.paid";
    tree = build_tree(&req);
    assert_true(cJSON_IsTrue(at(tree, "data.object.lines.data.0.livemode")));
    cJSON_Delete(tree);
}

static void
account_is_on_the_envelope_and_is_the_object_of_its_update(void **state)
{
    (void)state;
    struct template_request req = {.type = "account.updated",
                                   .account = "acct_tea"};
    cJSON *tree = build_tree(&req);
    assert_string_equal(text_at(tree, "account"), "acct_tea");
    assert_string_equal(text_at(tree, "data.object.id"), "acct_tea");
    cJSON_Delete(tree);
    req.thin = 1;
    tree = build_tree(&req);
    assert_string_equal(text_at(tree, "context"), "acct_tea");
    assert_string_equal(text_at(tree, "related_object.url"),
                        "/v1/accounts/acct_tea");
    cJSON_Delete(tree);
}

static void
thin_event_refers_to_object_and_twin(void **state)
{
    (void)state;
    struct template_request req = {.type = "payment_intent.succeeded",
                                   .thin = 1,
                                   .now_ms = INT64_C(1795438862317)};
    cJSON *tree = build_tree(&req);
    assert_string_equal(text_at(tree, "object"), "v2.core.event");
    assert_string_equal(text_at(tree, "type"), "v1.payment_intent.succeeded");
    assert_string_equal(text_at(tree, "created"), "2026-11-23T13:01:02.317Z");
    assert_memory_equal(text_at(tree, "id"), "evt_test_65", 11);
    assert_memory_equal(text_at(tree, "snapshot_event"), "evt_3T", 6);
    assert_string_equal(text_at(tree, "related_object.type"), "payment_intent");
    char url[128];
    snprintf(url, sizeof(url), "/v1/payment_intents/%s",
             text_at(tree, "related_object.id"));
    assert_string_equal(text_at(tree, "related_object.url"), url);
    assert_string_equal(text_at(tree, "reason.type"), "request");
    assert_true(cJSON_IsNull(at(tree, "context")));
    assert_null(at(tree, "data"));
    cJSON_Delete(tree);
}

static void
thin_event_may_lack_id_or_object(void **state)
{
    (void)state;
    struct template_request req = {.type = "v1.balance.available"};
    cJSON *tree = build_tree(&req);
    assert_string_equal(text_at(tree, "related_object.url"), "/v1/balance");
    assert_null(at(tree, "related_object.id"));
    assert_true(cJSON_IsNull(at(tree, "reason")));
    cJSON_Delete(tree);
    req.type = "v1.invoice.upcoming";
    tree = build_tree(&req);
    assert_null(at(tree, "related_object"));
    assert_true(cJSON_IsNull(at(tree, "reason")));
    cJSON_Delete(tree);
}

static void
unknown_type_is_refused_with_a_suggestion(void **state)
{
    (void)state;
    struct template_request req = {.type = "invoice.payd"};
    assert_build_fails(&req, RC_NOT_FOUND,
                       "unknown event type \"invoice.payd\", did you mean "
                       "\"invoice.paid\"?; --list shows the known ones, "
                       "--data FILE sends any type");
    req.type = "treasury.received_debit.created";
    req.thin = 1;
    assert_build_fails(&req, RC_NOT_FOUND,
                       "treasury.received_debit.created has no thin form: "
                       "there is no type v1.treasury.received_debit.created");
}

static struct template_request
with_data(const char *type, const char *data)
{
    return (struct template_request){
        .type = type, .data = data, .data_len = strlen(data)};
}

static void
whole_event_is_passed_on_byte_by_byte(void **state)
{
    (void)state;
    const char *data = "{ \"id\":\"evt_1\",\n\"object\":\"event\",\t\"type\":"
                       "\"a.b\", \"n\":1e2,\"n\":12345678901234567890 }\r\n";
    struct template_request req = with_data(NULL, data);
    char *body = build_body(&req);
    assert_string_equal(body, data);
    free(body);
    req.type = "a.b";
    body = build_body(&req);
    assert_string_equal(body, data);
    free(body);
    req.type = "a.c";
    assert_build_fails(&req, RC_INVALID,
                       "the data is a whole event of type \"a.b\", not "
                       "\"a.c\": leave the type out, or give --override "
                       "type=a.c");
}

static void
whole_event_changes_only_where_asked(void **state)
{
    (void)state;
    const char *overrides[] = {"data.object.x=1"};
    struct template_request req =
        with_data(NULL, "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":"
                        "\"a.b\",\"n\":12345678901234567890,\"f\":1.50}");
    req.overrides = overrides;
    req.override_count = 1;
    req.account = "acct_1";
    req.livemode = 1;
    char *body = build_body(&req);
    assert_string_equal(body, "{\n  \"id\": \"evt_1\",\n"
                              "  \"object\": \"event\",\n"
                              "  \"type\": \"a.b\",\n"
                              "  \"n\": 12345678901234567890,\n"
                              "  \"f\": 1.50,\n"
                              "  \"account\": \"acct_1\",\n"
                              "  \"livemode\": true,\n"
                              "  \"data\": {\n    \"object\": {\n"
                              "      \"x\": 1\n    }\n  }\n}");
    free(body);
}

static void
object_from_data_is_wrapped_in_any_type(void **state)
{
    (void)state;
    struct template_request req =
        with_data("flux.charged", "{\"id\":\"fx_1\",\"object\":\"flux\"}");
    cJSON *tree = build_tree(&req);
    assert_string_equal(text_at(tree, "type"), "flux.charged");
    assert_string_equal(text_at(tree, "data.object.id"), "fx_1");
    cJSON_Delete(tree);
    req.thin = 1;
    tree = build_tree(&req);
    assert_string_equal(text_at(tree, "type"), "v1.flux.charged");
    assert_string_equal(text_at(tree, "related_object.url"), "/v1/fluxs/fx_1");
    cJSON_Delete(tree);
}

static void
data_that_is_no_event_is_refused(void **state)
{
    (void)state;
    struct template_request req = with_data(NULL, "{\"object\":\"charge\"}");
    assert_build_fails(&req, RC_INVALID,
                       "the data is not a whole event (no \"object\": "
                       "\"event\"): name the event's type as well");
    req = with_data("a.b", "[1]");
    assert_build_fails(&req, RC_INVALID, "the data is not a JSON object");
    req = with_data("a.b", "{\"a\":1}x");
    char *body;
    size_t len;
    assert_int_equal(template_build(&req, &body, &len, NULL), RC_INVALID);
    req = with_data("a.b", "{\"object\":\"event\",\"type\":\"a.b\"}");
    req.thin = 1;
    assert_int_equal(template_build(&req, &body, &len, NULL), RC_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_snapshot_type_builds_with_the_object_of_the_catalogue),
        cmocka_unit_test(every_thin_type_builds),
        cmocka_unit_test(types_in_common_use_have_a_template_of_their_own),
        cmocka_unit_test(ids_agree_inside_one_event_and_differ_between_two),
        cmocka_unit_test(succeeded_payment_is_complete),
        cmocka_unit_test(updates_tell_what_was_there_before),
        cmocka_unit_test(likeness_is_inherited_and_changed),
        cmocka_unit_test(balance_and_upcoming_invoice_have_no_id),
        cmocka_unit_test(live_reaches_every_object_inside),
        cmocka_unit_test(
            account_is_on_the_envelope_and_is_the_object_of_its_update),
        cmocka_unit_test(thin_event_refers_to_object_and_twin),
        cmocka_unit_test(thin_event_may_lack_id_or_object),
        cmocka_unit_test(unknown_type_is_refused_with_a_suggestion),
        cmocka_unit_test(whole_event_is_passed_on_byte_by_byte),
        cmocka_unit_test(whole_event_changes_only_where_asked),
        cmocka_unit_test(object_from_data_is_wrapped_in_any_type),
        cmocka_unit_test(data_that_is_no_event_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
