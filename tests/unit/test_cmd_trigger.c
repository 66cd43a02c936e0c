/* tests/unit/test_cmd_trigger.c: `pegboard trigger` against a server that
 * checks signatures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"
#include "http_fixture.h"

#include "stripe/event.h"

#include <cjson/cJSON.h>

static const struct command trigger = {.name = "trigger",
                                       .operands = "[TYPE]",
                                       .flags = trigger_flags,
                                       .max_operands = 1,
                                       .run = cmd_trigger};

/* RUN() with the secret and the URL of `server`. */
#define TRIGGER(server, ...)                                                   \
    RUN(&trigger, "--secret-file", "secret", "--url", (server).url, __VA_ARGS__)

static int
count_lines(const char *text)
{
    int lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void
event_is_signed_posted_and_told(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server);
    int code = TRIGGER(server, "payment_intent.succeeded", "--override",
                       "amount=2000");
    server_stop(&server);
    assert_int_equal(code, EXIT_OK);
    struct event event;
    assert_int_equal(event_read(&event, server.body, server.body_len, NULL), 0);
    assert_string_equal(event.type, "payment_intent.succeeded");
    assert_contains(server.body, "\"amount\": 2000,");
    char tail[512];
    snprintf(tail, sizeof(tail), " ms [%s]\n", event.id);
    assert_contains(cli_out, tail);
    snprintf(tail, sizeof(tail), "  <--  [200] POST %s ", server.url);
    assert_contains(cli_out, tail);
    assert_string_equal(cli_err, "");
}

static void
many_events_differ_and_duplicates_do_not(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server);
    int code = TRIGGER(server, "invoice.paid", "--count", "3", "--duplicate",
                       "--json");
    server_stop(&server);
    assert_int_equal(code, EXIT_OK);
    assert_int_equal(server.requests, 6);
    assert_int_equal(server.connections, 1);
    char ids[6][64];
    char *rest = NULL;
    char *line = strtok_r(cli_out, "\n", &rest);
    for (int i = 0; i < 6; i++, line = strtok_r(NULL, "\n", &rest)) {
        assert_non_null(line);
        cJSON *item = cJSON_Parse(line);
        assert_int_equal(cJSON_GetObjectItem(item, "status")->valueint, 200);
        assert_string_equal(cJSON_GetObjectItem(item, "type")->valuestring,
                            "invoice.paid");
        assert_true(cJSON_IsNumber(cJSON_GetObjectItem(item, "ms")));
        assert_true(cJSON_IsObject(cJSON_GetObjectItem(item, "answer")));
        snprintf(ids[i], sizeof(ids[i]), "%s",
                 cJSON_GetObjectItem(item, "id")->valuestring);
        cJSON_Delete(item);
    }
    assert_null(line);
    assert_string_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[1], ids[2]);
    assert_string_equal(ids[4], ids[5]);
}

static void
rate_spreads_events(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server);
    int64_t start_ms = clock_mono_ms();
    int code =
        TRIGGER(server, "invoice.paid", "--count", "4", "--rate", "20", "-q");
    int64_t took_ms = clock_mono_ms() - start_ms;
    server_stop(&server);
    assert_int_equal(code, EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_true(took_ms >= 150); /* three gaps of 50 */
}

static void
refusal_is_success_when_it_is_asked_for(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server);
    assert_int_equal(TRIGGER(server, "invoice.paid", "--bad-signature"),
                     EXIT_OK);
    assert_contains(cli_out, "[400]");
    assert_int_equal(TRIGGER(server, "invoice.paid", "--age", "400s"), EXIT_OK);
    assert_contains(cli_out, "[400]");
    assert_int_equal(TRIGGER(server, "invoice.paid", "--age", "200s"), EXIT_OK);
    assert_contains(cli_out, "[200]");
    server_stop(&server);
    assert_int_equal(server.requests, 3);
}

static void
lenient_receiver_fails_a_bad_signature(void **state)
{
    (void)state;
    struct server server = {.status = 200};
    server_start(&server);
    assert_int_equal(TRIGGER(server, "invoice.paid", "--bad-signature"),
                     EXIT_FAILED);
    server_stop(&server);
}

static void
some_failures_are_told_from_all(void **state)
{
    (void)state;
    struct server server = {.fail_after = 3};
    server_start(&server);
    assert_int_equal(TRIGGER(server, "invoice.paid", "--count", "4"),
                     EXIT_PARTLY);
    assert_int_equal(count_lines(cli_out), 6); /* and two with the answer */
    assert_contains(cli_out, "{\"received\":true}");
    assert_int_equal(TRIGGER(server, "invoice.paid", "--count", "2"),
                     EXIT_FAILED);
    server_stop(&server);
}

static void
nobody_there_stops_at_once(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server);
    server_stop(&server);
    assert_int_equal(TRIGGER(server, "invoice.paid", "--count", "9"),
                     EXIT_NO_DAEMON);
    assert_int_equal(count_lines(cli_err), 1);
    assert_contains(cli_err, "Is pegboard running?");
    assert_string_equal(cli_out, "");
}

static void
configuration_tells_place_and_secret(void **state)
{
    (void)state;
    struct server server = {0};
    server_start(&server);
    char ini[512];
    snprintf(ini, sizeof(ini),
             "[server]\nlisten = 0.0.0.0:%s\n"
             "[endpoint other]\npath = /x\nsecrets = file:other\n"
             "[endpoint main]\npath = /webhook\nsecrets = file:secret\n",
             strtok(strrchr(server.url, ':') + 1, "/"));
    write_file("pegboard.ini", 0600, ini);
    write_file("other", 0600, "whsec_another\n");
    unsetenv("PEGBOARD_CONFIG");
    assert_int_equal(RUN(&trigger, "invoice.paid", "-q", "--endpoint", "main"),
                     EXIT_OK);
    assert_int_equal(RUN(&trigger, "invoice.paid", "-q"), EXIT_FAILED);
    assert_contains(cli_out, "/x ");
    assert_int_equal(RUN(&trigger, "invoice.paid", "--endpoint", "nope"),
                     EXIT_MISSING);
    server_stop(&server);
    assert_int_equal(server.requests, 2);
    assert_memory_equal(server.head, "POST /x ", 8);
}

static void
printed_body_is_exactly_what_was_signed(void **state)
{
    (void)state;
    write_file("event.json", 0600,
               "{\"id\":\"evt_1\", \"object\":\"event\",\"type\":\"a.b\"}\n");
    assert_int_equal(RUN(&trigger, "--data", "event.json", "--secret-file",
                         "secret", "--print"),
                     EXIT_OK);
    assert_string_equal(
        cli_out, "{\"id\":\"evt_1\", \"object\":\"event\",\"type\":\"a.b\"}\n");
    assert_memory_equal(cli_err, "Stripe-Signature: t=", 20);
    assert_int_equal(count_lines(cli_err), 1);
}

static void
mistakes_are_told(void **state)
{
    (void)state;
    assert_int_equal(RUN(&trigger, "--print", "--secret-file", "secret"),
                     EXIT_USAGE);
    assert_contains(cli_err, "name an event type");
    assert_int_equal(
        RUN(&trigger, "invoice.pade", "--print", "--secret-file", "secret"),
        EXIT_MISSING);
    assert_contains(cli_err, "did you mean \"invoice.paid\"?");
    assert_int_equal(RUN(&trigger, "invoice.paid", "--print", "--secret-file",
                         "secret", "--override", "total"),
                     EXIT_USAGE);
    assert_int_equal(RUN(&trigger, "invoice.paid", "--data", "none.json"),
                     EXIT_MISSING);
    assert_int_equal(RUN(&trigger, "invoice.paid", "--count", "0"), EXIT_USAGE);
    assert_int_equal(
        RUN(&trigger, "invoice.paid", "--data", "-", "--secret-file", "-"),
        EXIT_USAGE);
    write_file("open", 0644, "whsec_open\n");
    assert_int_equal(
        RUN(&trigger, "invoice.paid", "--print", "--secret-file", "open"),
        EXIT_CONFIG);
}

static void
list_has_templates_first_and_is_filtered(void **state)
{
    (void)state;
    assert_int_equal(RUN(&trigger, "--list", "refund"), EXIT_OK);
    assert_memory_equal(cli_out, "* ", 2);
    assert_contains(cli_out, "* refund.created\n");
    const char *marked = strstr(cli_out, "* v1.refund.created\n");
    const char *plain = strstr(cli_out, "\n  application_fee.refunded\n");
    assert_true(marked != NULL && plain != NULL && marked < plain);
    assert_null(strstr(cli_out, "invoice"));
    assert_int_equal(RUN(&trigger, "--list", "payout.*", "--json"), EXIT_OK);
    assert_int_equal(count_lines(cli_out), 6); /* not v1.payout.* */
    assert_contains(cli_out, "{\"type\":\"payout.paid\",\"object\":\"payout\","
                             "\"family\":\"snapshot\",\"template\":true}\n");
    assert_int_equal(RUN(&trigger, "--list", "zebra"), EXIT_MISSING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(event_is_signed_posted_and_told),
        FOLDER_TEST(many_events_differ_and_duplicates_do_not),
        FOLDER_TEST(rate_spreads_events),
        FOLDER_TEST(refusal_is_success_when_it_is_asked_for),
        FOLDER_TEST(lenient_receiver_fails_a_bad_signature),
        FOLDER_TEST(some_failures_are_told_from_all),
        FOLDER_TEST(nobody_there_stops_at_once),
        FOLDER_TEST(configuration_tells_place_and_secret),
        FOLDER_TEST(printed_body_is_exactly_what_was_signed),
        FOLDER_TEST(mistakes_are_told),
        FOLDER_TEST(list_has_templates_first_and_is_filtered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
