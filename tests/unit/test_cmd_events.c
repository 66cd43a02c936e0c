/* tests/unit/test_cmd_events.c: how events, dead letters and plugins are shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"
#include "api_fixture.h"

#include "cli/when.h"
#include "clock.h"

#include <time.h>

static const struct command list = {.name = "events list",
                                    .operands = "[ID...]",
                                    .flags = events_list_flags,
                                    .max_operands = -1,
                                    .run = cmd_events_list};
static const struct command show = {.name = "events show",
                                    .operands = "ID",
                                    .flags = events_show_flags,
                                    .min_operands = 1,
                                    .max_operands = 1,
                                    .run = cmd_events_show};
static const struct command export = {.name = "events export",
                                      .operands = "[ID...]",
                                      .flags = events_export_flags,
                                      .max_operands = -1,
                                      .run = cmd_events_export};
static const struct command tail = {.name = "events tail",
                                    .operands = "",
                                    .flags = events_tail_flags,
                                    .run = cmd_events_tail};
static const struct command dead = {.name = "dead",
                                    .operands = "[ID...]",
                                    .flags = dead_flags,
                                    .max_operands = -1,
                                    .run = cmd_dead};
static const struct command status = {
    .name = "status", .operands = "", .flags = status_flags, .run = cmd_status};

#define EVENT(id, state)                                                       \
    "{\"object\":\"event\",\"id\":\"" id "\",\"type\":\"invoice.paid\","       \
    "\"state\":\"" state "\",\"livemode\":false,\"account\":null,"             \
    "\"object_id\":\"in_1\",\"received_at\":\"2026-11-23T09:41:02.384Z\"}"
#define LIST(rows, rest) "{\"object\":\"list\",\"data\":[" rows "]," rest "}"

static int
in_utc(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    return enter_folder(state);
}

#define UTC_TEST(test)                                                         \
    cmocka_unit_test_setup_teardown(test, in_utc, leave_folder)

static void
list_is_a_table(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/events?state=dead&limit=2 ", 200,
                    LIST(EVENT("evt_1", "dead") "," EVENT("evt_2", "dead"),
                         "\"has_more\":true,\"next_cursor\":\"c\""),
                    0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &list, "--state", "dead", "--limit", "2"),
                     EXIT_OK);
    api_end(&api);
    assert_string_equal(
        cli_out,
        "RECEIVED             STATE  EVENT  TYPE          OBJECT  ACCOUNT  "
        "MODE\n"
        "2026-11-23 09:41:02  dead   evt_1  invoice.paid  in_1    -        "
        "test\n"
        "2026-11-23 09:41:02  dead   evt_2  invoice.paid  in_1    -        "
        "test\n");
    assert_string_equal(cli_err, "there are more: --limit N, or --all\n");
}

static void
empty_list_says_so(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/events?", 200,
                    "{\"object\":\"list\",\"data\":[],\"has_more\":false}",
                    0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &list, "--state", "dead"), EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err, "no events match\n");
    assert_int_equal(ASK(api, &list, "--state", "dead", "--json"), EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_int_equal(ASK(api, &list, "--state", "dead", "-q"), EXIT_OK);
    assert_string_equal(cli_err, "");
    api_end(&api);
}

static void
all_goes_from_page_to_page(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/events?limit=200 ", 200,
                    LIST(EVENT("evt_1", "done"),
                         "\"has_more\":true,\"next_cursor\":\"a/b\""),
                    0},
                   {"GET /api/v1/events?limit=200&cursor=a%2Fb ", 200,
                    LIST(EVENT("evt_2", "done"), "\"has_more\":false"), 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &list, "--all", "--json"), EXIT_OK);
    assert_string_equal(
        cli_out, EVENT("evt_1", "done") "\n" EVENT("evt_2", "done") "\n");
    assert_string_equal(cli_err, "");
    assert_int_equal(ASK(api, &list, "--all", "--limit", "3"), EXIT_USAGE);
    assert_int_equal(ASK(api, &list, "--limit", "0"), EXIT_USAGE);
    api_end(&api);
    assert_int_equal(api.requests, 2);
}

static void
show_tells_attempts_and_crashes(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {
            {"GET /api/v1/events/evt_1 ", 200,
             "{\"id\":\"evt_1\",\"type\":\"invoice.paid\",\"state\":\"dead\","
             "\"livemode\":true,\"body_bytes\":512,"
             "\"deliveries\":[{\"plugin\":\"ledger\",\"state\":\"dead\","
             "\"attempts\":1,\"last_message\":\"no \\u001b[31mprice\"}],"
             "\"attempts\":[{\"plugin\":\"ledger\",\"number\":1,"
             "\"outcome\":\"crash\",\"started_at\":\"2026-11-23T09:41:02.000Z\""
             ",\"duration_seconds\":0.0126,\"signal\":\"SEGV\","
             "\"digest\":\"0123456789abcdef\",\"generation\":3,"
             "\"log\":\"first\\nsecond \\u0007\",\"message\":\"it died\"}],"
             "\"receipts\":[{\"received_at\":\"2026-11-23T10:00:00.000Z\","
             "\"endpoint\":\"main\",\"conflict\":true,\"conflict_bytes\":99}]}",
             0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &show, "evt_1"), EXIT_OK);
    api_end(&api);
    assert_string_equal(
        cli_out,
        "event        evt_1\ntype         invoice.paid\nstate        dead\n"
        "mode         live\nbody         512 bytes\n"
        "\nREPEATS\n"
        "  2026-11-23 10:00:00  main  OTHER BYTES under the same id (99 kept)\n"
        "\nPLUGIN  STATE  ATTEMPTS  NEXT  REASON\n"
        "ledger  dead   1         -     no ?[31mprice\n"
        "\nATTEMPTS\n"
        "  2026-11-23 09:41:02  ledger 1  [crash]  13 ms  it died\n"
        "      ended by SIGSEGV\n"
        "      plugin file 0123456789ab, generation 3\n"
        "      | first\n"
        "      | second ?\n");
}

#define BODY "{ \"id\": \"evt_1\",\n  \"n\": 12345678901234567890.10 }\n"

static void
body_is_exact(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/events/evt_1/body ", 200, BODY, 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &show, "evt_1", "--body"), EXIT_OK);
    assert_string_equal(cli_out, BODY);
    assert_int_equal(ASK(api, &show, "evt_2", "--body"), EXIT_MISSING);
    assert_string_equal(cli_out, "");
    assert_int_equal(ASK(api, &show, ""), EXIT_USAGE);
    api_end(&api);
}

static void
export_keeps_every_digit(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/events?type=invoice.%2A&order=asc&limit=200 ",
                    200,
                    LIST(EVENT("evt_1", "done") "," EVENT("evt_2", "done"),
                         "\"has_more\":false"),
                    0},
                   {"GET /api/v1/events/evt_1/body ", 200, BODY, 0}}};
    api_serve(&api);
    /* evt_2 was removed in between. */
    assert_int_equal(ASK(api, &export, "--type", "invoice.*"), EXIT_PARTLY);
    api_end(&api);
    assert_contains(cli_out, "{\"object\":\"event\",\"id\":\"evt_1\"");
    assert_contains(
        cli_out,
        ",\"payload\":{\"id\":\"evt_1\",\"n\":12345678901234567890.10}}\n");
    assert_null(strchr(strchr(cli_out, '\n') + 1, '\n'));
}

#define STREAM                                                                 \
    "event: arrived\ndata: {\"event_id\":\"evt_1\",\"type\":\"a.b\"}\n\n"      \
    "event: answered\ndata: {\"event_id\":\"evt_1\",\"status\":200}\n\n"       \
    "event: arrived\ndata: {\"event_id\":\"evt_2\",\"type\":\"c.d\"}\n\n"      \
    "event: delivered\ndata: "                                                 \
    "{\"event_id\":\"evt_1\",\"plugin\":\"p\",\"verdict\":\"done\"}\n\n"       \
    "event: delivered\ndata: {\"event_id\":\"evt_2\",\"plugin\":\"q\"}\n\n"

static void
tail_follows_a_type_by_its_events(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/stream ", 200, STREAM, 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &tail, "--type", "a.*", "--json"),
                     EXIT_NO_DAEMON);
    api_end(&api);
    assert_string_equal(
        cli_out,
        "{\"event_id\":\"evt_1\",\"type\":\"a.b\",\"event\":\"arrived\"}\n"
        "{\"event_id\":\"evt_1\",\"status\":200,\"event\":\"answered\"}\n"
        "{\"event_id\":\"evt_1\",\"plugin\":\"p\",\"verdict\":\"done\","
        "\"event\":\"delivered\"}\n");
    assert_contains(cli_err, "the daemon ended the stream");
}

static void
tail_of_a_plugin_shows_its_deliveries(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/stream ", 200, STREAM, 0},
                   {"GET /api/v1/plugins/p ", 200, "{}", 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &tail, "--plugin", "p"), EXIT_NO_DAEMON);
    assert_contains(cli_out, "  <--  [done] p 0 ms [evt_1]\n");
    assert_null(strstr(cli_out, "-->"));
    assert_null(strstr(cli_out, "evt_2"));
    assert_int_equal(ASK(api, &tail, "--plugin", "nobody"), EXIT_MISSING);
    api_end(&api);
}

static void
dead_letters_come_in_groups(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/dead-letters?plugin=ledger ", 200,
                    LIST("{\"plugin\":\"ledger\",\"type\":\"invoice.paid\","
                         "\"outcome\":\"fail\",\"cause\":\"unknown price <id>\""
                         ",\"count\":3,"
                         "\"first_at\":\"2026-11-23T09:40:00.000Z\","
                         "\"last_at\":\"2026-11-23T09:43:00.000Z\","
                         "\"sample_event_id\":\"evt_9\"}",
                         "\"has_more\":false"),
                    0},
                   {"GET /api/v1/dead-letters ", 200,
                    LIST("", "\"has_more\":false"), 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &dead, "--plugin", "ledger"), EXIT_OK);
    assert_contains(cli_out,
                    "\n3      ledger  invoice.paid  fail     2026-11-23 "
                    "09:40:00  2026-11-23 09:43:00  evt_9   unknown price "
                    "<id>\n");
    assert_contains(cli_err, "pegboard events show evt_9\n");
    assert_contains(cli_err, "pegboard replay --state dead --plugin ledger "
                             "--type 'invoice.paid'\n");
    assert_int_equal(ASK(api, &dead, "--offline"), EXIT_USAGE);
    assert_int_equal(ASK(api, &dead, "--color", "never"), EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err, "no dead letters\n");
    api_end(&api);
}

static void
status_fits_one_screen(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/status ", 200,
                    "{\"version\":\"0.1.0\",\"uptime_seconds\":7300,"
                    "\"ready\":false,\"generation\":2,\"pending\":4,"
                    "\"dead\":1,\"inbox\":{\"events\":9,\"duplicates\":2},"
                    "\"plugins\":[{\"name\":\"ledger\",\"state\":\"paused\","
                    "\"running\":1,\"pending\":4,\"dead\":1,\"paused\":"
                    "{\"reason\":\"db moves\","
                    "\"until\":\"2026-11-23T10:30:00.000Z\"}}]}",
                    0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &status, "-q"), EXIT_OK);
    assert_string_equal(
        cli_out,
        "pegboard 0.1.0   up 2 h   not ready   generation 2\n"
        "accepted 9, repeats 2   waiting 4   dead 1\n"
        "PLUGIN  STATE   AT WORK  WAITING  OLDEST  DEAD  NOTE\n"
        "ledger  paused  1        4        -       1     db moves, until "
        "2026-11-23 10:30:00\n"
        "! ledger: 1 dead, see pegboard dead --plugin ledger\n");
    assert_int_equal(ASK(api, &status, "--ready"), EXIT_FAILED);
    assert_string_equal(cli_out, "");
    api_end(&api);
}

static void
status_points_at_trouble(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"GET /api/v1/status ", 200,
                    "{\"version\":\"0.1.0\",\"offline\":true,\"pending\":9,"
                    "\"dead\":0,\"inbox\":{\"events\":0,\"duplicates\":0},"
                    "\"plugins\":[{\"name\":\"a\",\"state\":\"broken\","
                    "\"pending\":7},{\"name\":\"b\",\"state\":\"orphaned\","
                    "\"pending\":2},{\"name\":\"c\",\"state\":\"orphaned\","
                    "\"pending\":0}]}",
                    0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &status, "-q"), EXIT_OK);
    api_end(&api);
    assert_contains(cli_out, "pegboard 0.1.0   not running\nwaiting 9   dead "
                             "0\n");
    assert_contains(cli_out, "! a: it crashes or hangs");
    assert_contains(cli_out, "! b: 2 wait, but it is not in the configuration");
    assert_null(strstr(cli_out, "! c"));
}

static void
status_points_at_what_does_not_start(void **state)
{
    (void)state;
    char body[1024];
    char retry[WHEN_MAX];
    snprintf(body, sizeof(body),
             "{\"version\":\"0.1.0\",\"uptime_seconds\":7300,"
             "\"ready\":true,\"generation\":7,\"degraded\":true,"
             "\"reloading\":true,\"last_reload\":{\"kind\":\"apply\","
             "\"result\":\"refused\",\"at\":\"2026-11-23T09:41:02.000Z\","
             "\"detail\":\"p.ini:3: no such\\nkey\"},"
             "\"plugins\":[{\"name\":\"a\",\"state\":\"failing\","
             "\"failures\":3,\"retry_at\":\"%s\","
             "\"detail\":\"init(): database down\"},{\"name\":\"b\","
             "\"state\":\"running\",\"old_runners\":1}]}",
             when_utc(clock_wall_ms() + 7201000, retry));
    struct canned_api api = {.canned = {{"GET", 200, body, 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &status, "-q"), EXIT_OK);
    api_end(&api);
    assert_contains(cli_out,
                    "   ready   generation 7   reloading   degraded\n");
    assert_contains(cli_out, "! the last reload was refused at 2026-11-23 "
                             "09:41:02: p.ini:3: no such?key; generation 7 "
                             "serves on\n");
    assert_contains(cli_out, "! a: failing: init(): database down; next try in "
                             "2 h\n");
    assert_contains(cli_out, "1 old runner finishing\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UTC_TEST(list_is_a_table),
        UTC_TEST(empty_list_says_so),
        UTC_TEST(all_goes_from_page_to_page),
        UTC_TEST(show_tells_attempts_and_crashes),
        UTC_TEST(body_is_exact),
        UTC_TEST(export_keeps_every_digit),
        UTC_TEST(tail_follows_a_type_by_its_events),
        UTC_TEST(tail_of_a_plugin_shows_its_deliveries),
        UTC_TEST(dead_letters_come_in_groups),
        UTC_TEST(status_fits_one_screen),
        UTC_TEST(status_points_at_trouble),
        UTC_TEST(status_points_at_what_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
