/* tests/unit/test_cmd_replay.c: bulk work: counted first, asked for when it is
 * wide, followed to its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"
#include "api_fixture.h"

static const struct command replay = {.name = "replay",
                                      .operands = "[ID...]",
                                      .flags = replay_flags,
                                      .max_operands = -1,
                                      .run = cmd_replay};
static const struct command discard = {.name = "discard",
                                       .operands = "[ID...]",
                                       .flags = discard_flags,
                                       .max_operands = -1,
                                       .run = cmd_discard};
static const struct command pause_command = {.name = "plugins pause",
                                             .operands = "NAME",
                                             .flags = plugins_pause_flags,
                                             .min_operands = 1,
                                             .max_operands = 1,
                                             .run = cmd_plugins_pause};
static const struct command cancel = {.name = "jobs cancel",
                                      .operands = "JOB",
                                      .flags = jobs_flags,
                                      .min_operands = 1,
                                      .max_operands = 1,
                                      .run = cmd_jobs_cancel};

#define DRY(count)                                                             \
    {                                                                          \
        "POST /api/v1/replays ", 200,                                          \
            "{\"object\":\"dry_run\",\"count\":" count                         \
            ",\"count_exact\":true,\"left_out\":0}",                           \
            1                                                                  \
    }
#define JOB(state, moved, done, dead)                                          \
    "{\"object\":\"job\",\"id\":\"job_7\",\"kind\":\"replay\",\"state\":"      \
    "\"" state "\",\"total\":3,\"moved\":" moved ",\"done\":" done             \
    ",\"dead\":" dead ",\"rate_per_second\":20}"
#define BEGUN                                                                  \
    {                                                                          \
        "POST /api/v1/replays ", 202, JOB("running", "0", "0", "0"), 0         \
    }
#define NOW(state, moved, done, dead)                                          \
    {                                                                          \
        "GET /api/v1/jobs/job_7 ", 200, JOB(state, moved, done, dead), 1       \
    }

static void
nothing_named_is_a_usage_error(void **state)
{
    (void)state;
    struct canned_api api = {0};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--yes"), EXIT_USAGE);
    assert_contains(cli_err, "this would replay everything");
    assert_int_equal(ASK(api, &replay, "--yes", "--plugin", ""), EXIT_USAGE);
    assert_int_equal(ASK(api, &discard, "--yes", "--reason", "x"), EXIT_USAGE);
    assert_int_equal(ASK(api, &discard, "--yes", "evt_1"), EXIT_USAGE);
    assert_contains(cli_err, "--reason");
    assert_int_equal(ASK(api, &discard, "evt_1", "--reason", " "), EXIT_USAGE);
    assert_int_equal(ASK(api, &replay, "evt_1", "--rate", "x"), EXIT_USAGE);
    assert_int_equal(ASK(api, &replay, "evt_1", "--wait", "--no-wait"),
                     EXIT_USAGE);
    api_end(&api);
    assert_int_equal(api.requests, 0);
}

static void
dry_run_only_counts(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {DRY("412"), DRY("1")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--state", "dead", "--dry-run"),
                     EXIT_OK);
    assert_string_equal(cli_out, "412 deliveries match\n");
    assert_int_equal(ASK(api, &replay, "evt_1", "-n", "--json"), EXIT_OK);
    assert_string_equal(cli_out, "{\"object\":\"dry_run\",\"count\":1,"
                                 "\"count_exact\":true,\"left_out\":0}\n");
    api_end(&api);
    assert_string_equal(api.asked,
                        "POST /api/v1/replays HTTP/1.1\n"
                        "{\"filter\":{\"state\":\"dead\"},\"dry_run\":true,"
                        "\"rate_per_second\":20}\n"
                        "POST /api/v1/replays HTTP/1.1\n"
                        "{\"filter\":{\"id\":[\"evt_1\"]},\"dry_run\":true,"
                        "\"rate_per_second\":20}\n");
}

static void
everything_is_asked_for_by_a_star_alone(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {DRY("1"), DRY("1")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--type", "*", "-n"), EXIT_OK);
    assert_int_equal(ASK(api, &replay, "--type", "invoice.*", "-n"), EXIT_OK);
    api_end(&api);
    const char *all = strstr(api.asked, "\"all\":true");
    assert_non_null(all);
    assert_null(strstr(all + 1, "\"all\""));
}

static void
wide_work_needs_yes(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {DRY("101"), DRY("101"), BEGUN}};
    api_serve(&api);
    assert_non_null(freopen("/dev/null", "r", stdin));
    assert_int_equal(ASK(api, &replay, "--state", "dead"), EXIT_REFUSED);
    assert_contains(cli_err, "101 deliveries match\n");
    assert_contains(cli_err, "--yes");
    assert_int_equal(ASK(api, &replay, "--state", "dead", "-y", "--no-wait"),
                     EXIT_OK);
    assert_string_equal(cli_out, "job_7\n");
    api_end(&api);
    assert_int_equal(api.requests, 3);
}

static void
hundred_need_no_yes(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {DRY("100"), BEGUN}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--state", "dead", "--no-wait"),
                     EXIT_OK);
    api_end(&api);
}

static void
discard_of_a_filter_always_needs_yes(void **state)
{
    (void)state;
    struct api_canned dry = {"POST /api/v1/discards ", 200,
                             "{\"count\":1,\"count_exact\":true}", 0};
    struct canned_api api = {.canned = {dry}};
    api_serve(&api);
    assert_int_equal(ASK(api, &discard, "--type", "*", "--reason", "x"),
                     EXIT_REFUSED);
    api_end(&api);
    assert_int_equal(api.requests, 1);
}

static void
what_could_not_be_counted_is_wide(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"POST", 200, "{\"count\":5,\"count_exact\":false}", 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--state", "dead"), EXIT_REFUSED);
    assert_contains(cli_err, "over 5 deliveries match");
    api_end(&api);
    assert_int_equal(api.requests, 1);
}

static void
wait_tells_how_it_ended(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {DRY("3"), BEGUN, NOW("running", "1", "1", "0"),
                   NOW("done", "3", "1", "1"), NOW("done", "3", "2", "1")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--plugin", "ledger", "--reason",
                         "mended", "--rate", "50", "--wait"),
                     EXIT_PARTLY);
    api_end(&api);
    assert_string_equal(cli_out, "done: 2 done, 1 dead\n");
    assert_string_equal(cli_err, "");
    assert_contains(api.asked,
                    "{\"filter\":{\"plugin\":\"ledger\"},\"dry_run\":false,"
                    "\"reason\":\"mended\",\"rate_per_second\":50,"
                    "\"plugin\":\"ledger\"}\n");
    assert_int_equal(api.requests, 5);
}

static void
all_well_is_success(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {DRY("3"), BEGUN, NOW("done", "3", "3", "0")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "evt_1", "--wait", "--json"), EXIT_OK);
    assert_string_equal(cli_out, JOB("done", "3", "3", "0") "\n");
    api_end(&api);
}

static void
timeout_leaves_the_job_at_work(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {
            DRY("3"), BEGUN, {"GET", 200, JOB("running", "1", "0", "0"), 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "evt_1", "--wait", "--timeout", "300ms"),
                     EXIT_TIMED_OUT);
    assert_contains(cli_err, "pegboard jobs show job_7");
    api_end(&api);
}

static void
trouble_of_a_step_is_told_once(void **state)
{
    (void)state;
    static const char trouble[] =
        "{\"object\":\"job\",\"id\":\"job_7\",\"kind\":\"replay\",\"state\":"
        "\"running\",\"total\":3,\"moved\":0,\"trouble\":\"disk full\"}";
    struct canned_api api = {
        .canned = {DRY("3"),
                   BEGUN,
                   {"GET /api/v1/jobs/job_7 ", 200, trouble, 1},
                   {"GET /api/v1/jobs/job_7 ", 200, trouble, 1},
                   NOW("done", "3", "3", "0")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "--state", "dead", "--wait"), EXIT_OK);
    api_end(&api);
    const char *told = strstr(cli_err, "tried again: disk full\n");
    assert_non_null(told);
    assert_null(strstr(told + 1, "tried again"));
}

static void
cancelled_job_is_told(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {DRY("3"), BEGUN, NOW("cancelled", "1", "1", "0")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "evt_1", "--wait"), EXIT_PARTLY);
    assert_string_equal(cli_out, "cancelled: 1 done, 0 dead\n");
    api_end(&api);
}

static void
nothing_to_do_is_a_mistake_of_ids_only(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {DRY("0"), DRY("0"), DRY("0")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "evt_none"), EXIT_MISSING);
    assert_contains(cli_err, "no such event has a delivery");
    assert_int_equal(ASK(api, &replay, "evt_none", "--plugin", "new"),
                     EXIT_MISSING);
    assert_contains(cli_err, "not of a type that it takes");
    assert_int_equal(ASK(api, &replay, "--state", "dead"), EXIT_OK);
    assert_string_equal(cli_out, "");
    api_end(&api);
}

static void
many_ids_become_several_jobs(void **state)
{
    (void)state;
    char ids[101 * 8 + 1] = "";
    for (int i = 0; i < 101; i++) {
        snprintf(ids + strlen(ids), 9, "evt_%03d\n", i);
    }
    write_file("ids", 0600, ids);
    assert_non_null(freopen("ids", "r", stdin));
    struct canned_api api = {
        .canned = {DRY("100"), DRY("1"), BEGUN, NOW("done", "3", "3", "0"),
                   NOW("done", "3", "3", "0"), NOW("done", "3", "3", "0")}};
    api_serve(&api);
    assert_int_equal(ASK(api, &replay, "-", "--wait", "--yes"), EXIT_OK);
    api_end(&api);
    assert_string_equal(cli_out, "done: 6 done, 0 dead\n");
    assert_contains(api.asked, "\"evt_099\"]},\"dry_run\":false");
    assert_contains(api.asked, "{\"id\":[\"evt_100\"]},\"dry_run\":false");
}

static void
pause_has_a_reason_and_an_end(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"POST /api/v1/plugins/ledger/pause ", 200,
                    "{\"name\":\"ledger\",\"state\":\"paused\",\"paused\":"
                    "{\"reason\":\"db\",\"until\":null}}",
                    0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &pause_command, "ledger"), EXIT_USAGE);
    assert_int_equal(ASK(api, &pause_command, "ledger", "--reason", "x",
                         "--until", "2020-01-01"),
                     EXIT_USAGE);
    assert_int_equal(ASK(api, &pause_command, "ledger", "--reason", "x",
                         "--until", "2999-01-01", "--for", "2h"),
                     EXIT_USAGE);
    assert_int_equal(ASK(api, &pause_command, "ledger", "--reason", "db"),
                     EXIT_OK);
    assert_string_equal(cli_out, "ledger: paused until resumed\n");
    assert_int_equal(ASK(api, &pause_command, "ledger", "--reason", "db",
                         "--until", "2999-01-01T00:00:00Z"),
                     EXIT_OK);
    api_end(&api);
    assert_int_equal(api.requests, 2);
    assert_contains(api.asked, "\n{\"reason\":\"db\"}\n");
    assert_contains(api.asked, "{\"reason\":\"db\",\"until\":"
                               "\"2999-01-01T00:00:00.000Z\"}\n");
}

static void
jobs_are_named_with_or_without_prefix(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {{"POST /api/v1/jobs/job_7/cancel ", 200,
                                         JOB("cancelled", "1", "1", "0"), 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &cancel, "7"), EXIT_OK);
    assert_contains(cli_out, "state        cancelled\n");
    assert_int_equal(ASK(api, &cancel, "job_7"), EXIT_OK);
    assert_int_equal(ASK(api, &cancel, "job_8"), EXIT_MISSING);
    api_end(&api);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(nothing_named_is_a_usage_error),
        FOLDER_TEST(dry_run_only_counts),
        FOLDER_TEST(everything_is_asked_for_by_a_star_alone),
        FOLDER_TEST(wide_work_needs_yes),
        FOLDER_TEST(hundred_need_no_yes),
        FOLDER_TEST(discard_of_a_filter_always_needs_yes),
        FOLDER_TEST(what_could_not_be_counted_is_wide),
        FOLDER_TEST(wait_tells_how_it_ended),
        FOLDER_TEST(all_well_is_success),
        FOLDER_TEST(timeout_leaves_the_job_at_work),
        FOLDER_TEST(trouble_of_a_step_is_told_once),
        FOLDER_TEST(cancelled_job_is_told),
        FOLDER_TEST(nothing_to_do_is_a_mistake_of_ids_only),
        FOLDER_TEST(many_ids_become_several_jobs),
        FOLDER_TEST(pause_has_a_reason_and_an_end),
        FOLDER_TEST(jobs_are_named_with_or_without_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
