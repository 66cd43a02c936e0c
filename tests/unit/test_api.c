/* tests/unit/test_api.c: the admin API: events, filters, cursors, plugins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_rig.h"

/* ---- Paths and problems --------------------------------------------- */

static void
paths_that_are_not_there_are_404(void **state)
{
    (void)state;
    assert_problem("GET", "/nothing", NULL, 404, "not-found");
    assert_problem("GET", "/events/", NULL, 404, "not-found");
    assert_problem("GET", "/events/a/b", NULL, 404, "not-found");
    assert_problem("GET", "/events/%zz", NULL, 404, "not-found");
    assert_problem("GET", "/events/%00", NULL, 404, "not-found");
    assert_string_equal(text_of("instance"), "/api/v1/events/%00");
    assert_problem("GET", "/events/evt_none", NULL, 404, "event-not-found");
    assert_problem("GET", "/events/evt_none/body", NULL, 404,
                   "event-not-found");
    assert_problem("GET", "/events/evt_none/attempts", NULL, 404,
                   "event-not-found");
    assert_problem("GET", "/jobs/job_1", NULL, 404, "job-not-found");
    assert_problem("GET", "/jobs/1", NULL, 404, "job-not-found");
    assert_problem("GET", "/jobs/job_99999999999999999999", NULL, 404,
                   "job-not-found");
}

static void
wrong_methods_are_told_the_right_one(void **state)
{
    (void)state;
    assert_problem("POST", "/events", NULL, 405, "method-not-allowed");
    assert_string_equal(rig.answer.allow, "GET");
    assert_problem("GET", "/replays", NULL, 405, "method-not-allowed");
    assert_string_equal(rig.answer.allow, "POST");
    assert_problem("DELETE", "/jobs/job_1", NULL, 405, "method-not-allowed");
    assert_string_equal(rig.answer.allow, "GET");
}

static void
unknown_parameters_are_errors_with_a_suggestion(void **state)
{
    (void)state;
    assert_problem("GET", "/events?custmer=cus_1", NULL, 400,
                   "invalid-parameter");
    assert_string_equal(text_of("errors.0.parameter"), "custmer");
    assert_string_equal(text_of("hint"), "did you mean \"customer\"?");
    assert_problem("GET", "/status?x=1", NULL, 400, "invalid-parameter");
    assert_problem("GET", "/dead-letters?limit=1", NULL, 400,
                   "invalid-parameter");
    assert_problem("GET", "/jobs?x", NULL, 400, "invalid-parameter");
    assert_problem("GET", "/events?customer=a&customer=b", NULL, 400,
                   "invalid-parameter");
    assert_problem("GET", "/events?type=%0a", NULL, 400, "invalid-parameter");
    assert_problem("POST", "/replays?all=true", "{}", 400, "invalid-parameter");
}

static void
wrong_values_are_errors(void **state)
{
    static const char *const queries[] = {
        "state=deaad",
        "state=",
        "livemode=1",
        "limit=0",
        "limit=201",
        "limit=1x",
        "limit=",
        "order=up",
        "count=yes",
        "type=*.invoice",
        "type=inv*",
        "cursor=abc",
        "id=",
        "customer=",
        "received_after=0",
        "received_after=x",
        "received_before=2026-02-30T00:00:00Z",
        "created_after=-1"};
    (void)state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        char target[128];
        snprintf(target, sizeof(target), "/events?%s", queries[i]);
        assert_problem("GET", target, NULL, 400, "invalid-parameter");
    }
    assert_int_equal(ask("GET", "/events?state=deaad", NULL), 400);
    assert_string_equal(text_of("hint"), "did you mean \"dead\"?");
    assert_string_equal(text_of("errors.0.allowed.0"), "queued");
}

static void
lists_of_a_filter_have_bounds(void **state)
{
    char target[2048] = "/events?type=a";
    (void)state;
    for (int i = 1; i < 16; i++) {
        strcat(target, "&type=a");
    }
    assert_int_equal(ask("GET", target, NULL), 200);
    strcat(target, "&type=a");
    assert_problem("GET", target, NULL, 400, "invalid-parameter");
    strcpy(target, "/events?id=e");
    for (int i = 1; i < 100; i++) {
        strcat(target, "&id=e");
    }
    assert_int_equal(ask("GET", target, NULL), 200);
    strcat(target, "&id=e");
    assert_problem("GET", target, NULL, 400, "invalid-parameter");
}

static void
bodies_are_one_flat_json_object(void **state)
{
    static const char *const bodies[] = {
        "x",
        "[]",
        "{\"a\":1,}",
        "1",
        "{\"reason\":\"a\",\"reason\":\"b\"}",
        "{\"filter\":[]}",
        "{\"filtr\":{}}",
        "{\"filter\":{\"stat\":\"dead\"}}",
        "{\"dry_run\":1}",
        "{\"rate_per_second\":1.5}",
        "{\"rate_per_second\":-1}",
        "{\"reason\":\"\"}",
        "{\"reason\":\"a\\nb\"}",
        "{\"event_ids\":[1]}",
        "{\"event_ids\":[]}",
        "[[[[[[[[[1]]]]]]]]]",
        "{\"filter\":{\"state\":\"dead\",\"state\":\"done\"}}",
        "{\"filter\":{\"state\":\"dead\"},\"state\":\"done\"}",
        "{\"event_ids\":[\"a\"],\"filter\":{\"id\":\"b\"}}",
        "{\"event_ids\":[\"a\\u0000b\"],\"dry_run\":true}",
        "{\"event_ids\":[\"a\"],\"dry_run\\u0000\":true}"};
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_problem("POST", "/replays", bodies[i], 400, "invalid-body");
    }
    assert_int_equal(ask("POST", "/replays",
                         "{\"event_ids\":[\"a\\\\u0000\"],\"dry_run\":true}"),
                     200);
    assert_int_equal(
        ask("POST", "/replays", "{\"filter\":{\"stat\":\"dead\"}}"), 400);
    assert_string_equal(text_of("errors.0.pointer"), "/filter/stat");
    assert_string_equal(text_of("hint"), "did you mean \"state\"?");
}

/* ---- Events --------------------------------------------------------- */

static void
event_is_shown_with_all_that_became_of_it(void **state)
{
    (void)state;
    rig_put_at("evt_1", "invoice.paid", 1, ALPHA | BETA, 1790000000123);
    rig_end(0, INBOX_CRASH, INBOX_BURY, "signal 11");
    assert_int_equal(ask("GET", "/events/evt_1", NULL), 200);
    assert_string_equal(text_of("object"), "event");
    assert_string_equal(text_of("id"), "evt_1");
    assert_string_equal(text_of("type"), "invoice.paid");
    assert_string_equal(text_of("state"), "dead");
    assert_string_equal(text_of("received_at"), "2026-09-21T14:13:20.123Z");
    assert_string_equal(text_of("object_id"), "in_evt_1");
    assert_true(is_true("livemode"));
    assert_true(cJSON_IsNull(member(rig.answer.json, "customer")));
    assert_string_equal(text_of("deliveries.0.plugin"), "alpha");
    assert_string_equal(text_of("deliveries.0.state"), "dead");
    assert_string_equal(text_of("deliveries.0.last_outcome"), "crash");
    assert_string_equal(text_of("deliveries.0.cause"), "signal <n>");
    assert_string_equal(text_of("deliveries.1.state"), "queued");
    assert_string_equal(text_of("attempts.0.outcome"), "crash");
    assert_string_equal(text_of("attempts.0.signal"), "SEGV");
    assert_string_equal(text_of("attempts.0.log"), "last line?");
    assert_int_equal(number_of("attempts.0.generation"), 7);
    assert_int_equal(number_of("attempts.0.number"), 1);
    assert_int_equal(cJSON_GetArraySize(member(rig.answer.json, "receipts")),
                     0);
}

static void
body_is_given_byte_by_byte(void **state)
{
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    assert_int_equal(ask("GET", "/events/evt_1/body", NULL), 200);
    assert_null(rig.answer.json);
    assert_int_equal(rig.answer.len, 7);
    assert_memory_equal(rig.answer.bytes, "{\"a\":1}", 7);
}

static void
parts_of_an_event_are_lists(void **state)
{
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    rig_end(0, INBOX_DONE, INBOX_CLOSE, "");
    assert_int_equal(ask("GET", "/events/evt_1/deliveries", NULL), 200);
    assert_int_equal(rows(), 1);
    assert_string_equal(text_of("data.0.state"), "done");
    assert_int_equal(ask("GET", "/events/evt_1/attempts", NULL), 200);
    assert_int_equal(rows(), 1);
    assert_int_equal(ask("GET", "/events/evt_1/receipts", NULL), 200);
    assert_int_equal(rows(), 1);
    assert_string_equal(text_of("data.0.endpoint"), "main");
}

static void
list_goes_on_with_its_cursor_and_only_its_own(void **state)
{
    char target[256], cursor[64];
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    rig_put("evt_2", "invoice.sent", 1, ALPHA);
    rig_put("evt_3", "charge.captured", 1, ALPHA);
    assert_int_equal(ask("GET", "/events?limit=2", NULL), 200);
    assert_int_equal(rows(), 2);
    assert_true(is_true("has_more"));
    assert_string_equal(text_of("data.0.id"), "evt_3");
    snprintf(cursor, sizeof(cursor), "%s", text_of("next_cursor"));

    snprintf(target, sizeof(target), "/events?limit=9&cursor=%s", cursor);
    assert_int_equal(ask("GET", target, NULL), 200);
    assert_int_equal(rows(), 1);
    assert_false(is_true("has_more"));
    assert_null(member(rig.answer.json, "next_cursor"));
    assert_string_equal(text_of("data.0.id"), "evt_1");

    snprintf(target, sizeof(target), "/events?order=asc&cursor=%s", cursor);
    assert_problem("GET", target, NULL, 400, "cursor-mismatch");
    snprintf(target, sizeof(target), "/events?livemode=true&cursor=%s", cursor);
    assert_problem("GET", target, NULL, 400, "cursor-mismatch");
}

static void
list_is_filtered_ordered_and_counted(void **state)
{
    (void)state;
    rig_put_at("evt_1", "invoice.paid", 1, ALPHA, 1000000);
    rig_put_at("evt_2", "invoice.sent", 0, ALPHA, 2000000);
    rig_put_at("evt_3", "charge.captured", 1, 0, 3000000);
    assert_int_equal(
        ask("GET", "/events?type=invoice.*&order=asc&count=true", NULL), 200);
    assert_int_equal(rows(), 2);
    assert_string_equal(text_of("data.0.id"), "evt_1");
    assert_int_equal(number_of("count"), 2);
    assert_true(is_true("count_exact"));
    ask("GET", "/events?livemode=false", NULL);
    assert_int_equal(rows(), 1);
    ask("GET", "/events?state=unrouted", NULL);
    assert_int_equal(rows(), 1);
    assert_string_equal(text_of("data.0.id"), "evt_3");
    ask("GET", "/events?object_id=in_evt_2", NULL);
    assert_int_equal(rows(), 1);
    ask("GET", "/events?id=evt_1&id=evt_3&id=evt_9", NULL);
    assert_int_equal(rows(), 2);
    ask("GET", "/events?received_after=2000&received_before=3000", NULL);
    assert_int_equal(rows(), 1);
    assert_string_equal(text_of("data.0.id"), "evt_2");
    ask("GET", "/events?received_after=1970-01-01T00:33:20.001Z", NULL);
    assert_int_equal(rows(), 1);
    ask("GET", "/events?received_after=1970-01-01T01:33:20+01:00", NULL);
    assert_int_equal(rows(), 2);
    ask("GET", "/events?plugin=alpha&state=pending", NULL);
    assert_int_equal(rows(), 2);
    assert_problem("GET", "/events?plugin=alhpa", NULL, 404,
                   "plugin-not-found");
    assert_string_equal(text_of("hint"), "did you mean \"alpha\"?");
}

static void
dead_letters_are_grouped_with_a_stable_fingerprint(void **state)
{
    char first[32];
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    rig_put("evt_2", "invoice.paid", 1, ALPHA);
    rig_put("evt_3", "invoice.paid", 1, BETA);
    rig_end(0, INBOX_FAIL, INBOX_BURY, "no order 17");
    ask("GET", "/dead-letters", NULL);
    snprintf(first, sizeof(first), "%s", text_of("data.0.fingerprint"));
    assert_int_equal(strlen(first), 12);
    rig_end(0, INBOX_FAIL, INBOX_BURY, "no order 18");
    rig_end(1, INBOX_FAIL, INBOX_BURY, "no order 18");
    ask("GET", "/dead-letters", NULL);
    assert_int_equal(rows(), 2);
    assert_string_equal(text_of("data.0.plugin"), "alpha");
    assert_string_equal(text_of("data.0.fingerprint"), first);
    assert_int_equal(number_of("data.0.count"), 2);
    assert_string_equal(text_of("data.0.cause"), "no order <n>");
    assert_string_equal(text_of("data.0.outcome"), "fail");
    assert_string_equal(text_of("data.0.sample_event_id"), "evt_2");
    assert_string_not_equal(text_of("data.1.fingerprint"), first);
    ask("GET", "/dead-letters?plugin=beta", NULL);
    assert_int_equal(rows(), 1);
}

/* ---- Plugins -------------------------------------------------------- */

static void
plugins_are_shown_also_those_that_are_gone(void **state)
{
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA | GONE);
    assert_int_equal(ask("GET", "/plugins", NULL), 200);
    assert_int_equal(rows(), 3);
    assert_int_equal(ask("GET", "/plugins/gone", NULL), 200);
    assert_string_equal(text_of("state"), "orphaned");
    assert_int_equal(number_of("pending"), 1);
    assert_int_equal(ask("GET", "/plugins/alpha", NULL), 200);
    assert_string_equal(text_of("state"), "starting");
    assert_string_equal(text_of("version"), "1.0");
    assert_string_equal(text_of("events.0"), "invoice.*");
    assert_int_equal(number_of("limits.concurrency"), 1);
    assert_int_equal(number_of("limits.timeout_seconds"), 30);
    assert_string_equal(text_of("limits.order"), "object");
    assert_problem("GET", "/plugins/alph", NULL, 404, "plugin-not-found");
}

static void
pause_has_a_reason_and_may_have_an_end(void **state)
{
    (void)state;
    assert_problem("POST", "/plugins/alpha/pause", "{}", 400, "invalid-body");
    assert_problem("POST", "/plugins/alpha/pause",
                   "{\"reason\":\"x\",\"until\":\"2020-01-01T00:00:00Z\"}", 422,
                   "refused");
    assert_problem("POST", "/plugins/alpha/pause",
                   "{\"reason\":\"x\",\"for_seconds\":0}", 400, "invalid-body");
    assert_problem("POST", "/plugins/none/pause", "{\"reason\":\"x\"}", 404,
                   "plugin-not-found");
    assert_int_equal(ask("POST", "/plugins/alpha/pause",
                         "{\"reason\":\"database moves\",\"for_seconds\":60}"),
                     200);
    assert_string_equal(text_of("state"), "paused");
    assert_string_equal(text_of("paused.reason"), "database moves");
    assert_string_not_equal(text_of("paused.until"), "(none)");
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    ask("GET", "/events/evt_1", NULL);
    assert_string_equal(text_of("state"), "held");
    assert_int_equal(ask("POST", "/plugins/alpha/resume", NULL), 200);
    assert_string_equal(text_of("state"), "starting");
    assert_true(cJSON_IsNull(member(rig.answer.json, "paused")));
}

static void
status_tells_the_whole_in_figures(void **state)
{
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA | BETA);
    rig_end(0, INBOX_FAIL, INBOX_BURY, "no");
    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_string_equal(text_of("version"), PEGBOARD_VERSION);
    assert_true(cJSON_IsNull(member(rig.answer.json, "url")));
    assert_int_equal(number_of("generation"), 7);
    assert_true(is_true("ready"));
    assert_true(is_true("live"));
    assert_false(is_true("degraded"));
    assert_int_equal(number_of("pending"), 1);
    assert_int_equal(number_of("dead"), 1);
    assert_string_not_equal(text_of("oldest_pending_at"), "(none)");
    assert_int_equal(number_of("inbox.events"), 1);
    assert_int_equal(cJSON_GetArraySize(member(rig.answer.json, "plugins")), 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(paths_that_are_not_there_are_404),
        API_TEST(wrong_methods_are_told_the_right_one),
        API_TEST(unknown_parameters_are_errors_with_a_suggestion),
        API_TEST(wrong_values_are_errors),
        API_TEST(lists_of_a_filter_have_bounds),
        API_TEST(bodies_are_one_flat_json_object),
        API_TEST(event_is_shown_with_all_that_became_of_it),
        API_TEST(body_is_given_byte_by_byte),
        API_TEST(parts_of_an_event_are_lists),
        API_TEST(list_goes_on_with_its_cursor_and_only_its_own),
        API_TEST(list_is_filtered_ordered_and_counted),
        API_TEST(dead_letters_are_grouped_with_a_stable_fingerprint),
        API_TEST(plugins_are_shown_also_those_that_are_gone),
        API_TEST(pause_has_a_reason_and_may_have_an_end),
        API_TEST(status_tells_the_whole_in_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
