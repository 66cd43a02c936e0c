/* tests/unit/test_cmd_reload.c: what `pegboard reload` and `rollback` make of
 * the API's answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"
#include "api_fixture.h"

static const struct command reload = {
    .name = "reload", .operands = "", .flags = reload_flags, .run = cmd_reload};
static const struct command rollback = {.name = "rollback",
                                        .operands = "",
                                        .flags = rollback_flags,
                                        .run = cmd_rollback};

#define CHANGE(kind, what, detail)                                             \
    "{\"kind\":\"" kind "\",\"what\":\"" what "\",\"detail\":" detail "}"
#define FINDING(line, message)                                                 \
    "{\"file\":\"p.ini\",\"line\":" line ",\"message\":\"" message "\"}"
#define ANSWER(kind, result, rest)                                             \
    "{\"object\":\"reload\",\"kind\":\"" kind "\",\"result\":\"" result        \
    "\",\"generation\":8,\"took_ms\":140,\"drained_ms\":20" rest "}"

/* One command with one answer; its exit code. */
static int
answered(const struct command *command, int status, const char *body,
         const char *flag)
{
    struct canned_api api = {.canned = {{"POST", status, body, 0}}};
    api_serve(&api);
    int code = ASK(api, command, flag);
    api_end(&api);
    assert_int_equal(api.requests, 1);
    return code;
}

/* ---- Done ----------------------------------------------------------- */

#define CHANGES                                                                                                      \
    ",\"changes\":[" CHANGE("rolled", "plugin ledger", "\"code 3f21a0b2 -> 9ab0c3d4 (1.4.1 -> 1.4.2)\"") "," CHANGE( \
        "set", "server.max_body",                                                                                    \
        "\"1M -> 2M\"") "," CHANGE("added", "plugin new",                                                            \
                                   "null") "," CHANGE("removed",                                                     \
                                                      "endpoint old",                                                \
                                                      "null") "],\"warnings\":[" FINDING("null",                     \
                                                                                         "a secret stands in it") "]"
#define LINES                                                                  \
    "  ~ plugin ledger          code 3f21a0b2 -> 9ab0c3d4 (1.4.1 -> 1.4.2)\n"  \
    "  = server.max_body        1M -> 2M\n"                                    \
    "  + plugin new\n"                                                         \
    "  - endpoint old\n"

static void
changes_are_shown(void **state)
{
    (void)state;
    static const char done[] = ANSWER("apply", "done", CHANGES);
    assert_int_equal(answered(&reload, 200, done, NULL), EXIT_OK);
    assert_string_equal(cli_out, "reload ok (generation 8, 140 ms)\n" LINES);
    assert_string_equal(cli_err, "p.ini: warning: a secret stands in it\n");
    assert_int_equal(answered(&reload, 200, done, "-q"), EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err, "");
    assert_int_equal(answered(&reload, 200, done, "--json"), EXIT_OK);
    assert_contains(cli_out, "{\"object\":\"reload\",\"kind\":\"apply\",");
    assert_string_equal(cli_err, "");
}

static void
nothing_changed_says_so(void **state)
{
    (void)state;
    assert_int_equal(answered(&reload, 200,
                              ANSWER("apply", "done", ",\"changes\":[]"), NULL),
                     EXIT_OK);
    assert_string_equal(cli_out, "nothing changed (generation 8, 140 ms)\n");
    assert_int_equal(
        answered(&reload, 200, ANSWER("try", "done", ",\"changes\":[]"), "-n"),
        EXIT_OK);
    assert_string_equal(cli_out, "nothing would change (140 ms)\n");
}

static void
dry_run_says_would(void **state)
{
    (void)state;
    assert_int_equal(
        answered(&reload, 200, ANSWER("try", "done", CHANGES), "--dry-run"),
        EXIT_OK);
    assert_string_equal(cli_out, "would reload (140 ms):\n" LINES);
}

static void
rollback_says_to_what(void **state)
{
    (void)state;
    assert_int_equal(
        answered(&rollback, 200,
                 ANSWER("rollback", "done", ",\"restored\":6" CHANGES), "-q"),
        EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_int_equal(
        answered(&rollback, 200,
                 ANSWER("rollback", "done", ",\"restored\":6" CHANGES), NULL),
        EXIT_OK);
    assert_string_equal(
        cli_out,
        "rolled back to generation 6 as generation 8 (140 ms)\n" LINES);
    assert_int_equal(answered(&rollback, 200,
                              ANSWER("rollback", "done", ",\"changes\":[]"),
                              NULL),
                     EXIT_OK);
    assert_string_equal(cli_out, "rolled back as generation 8 (140 ms)\n");
}

static void
killed_runners_are_told(void **state)
{
    (void)state;
    assert_int_equal(
        answered(&reload, 200,
                 ANSWER("apply", "killed", ",\"killed\":1" CHANGES), "-q"),
        EXIT_PARTLY);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err, "1 runner overran the drain and was killed; "
                                 "its event runs again\n");
    assert_int_equal(
        answered(&reload, 200,
                 ANSWER("apply", "killed", ",\"killed\":2" CHANGES), NULL),
        EXIT_PARTLY);
    assert_string_equal(cli_out, "reload ok (generation 8, 140 ms)\n" LINES);
    assert_contains(cli_err, "2 runners overran the drain and were killed; "
                             "their events run again\n");
}

/* ---- Not done ------------------------------------------------------- */

static void
mistakes_are_shown_as_a_compiler_does(void **state)
{
    (void)state;
    static const char body[] = ANSWER(
        "apply", "refused",
        ",\"detail\":\"2 errors\",\"errors\":[" FINDING(
            "12", "unknown key") "," FINDING("null", "no\\u001bplugin") "]");
    assert_int_equal(answered(&reload, 409, body, "-q"), EXIT_CONFIG);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err,
                        "p.ini:12: unknown key\n"
                        "p.ini: no?plugin\n"
                        "reload refused: 2 errors; generation 8 serves on\n");
    assert_int_equal(answered(&reload, 409, body, "--json"), EXIT_CONFIG);
    assert_contains(cli_out, "\"result\":\"refused\"");
    assert_string_equal(cli_err, "");
    assert_int_equal(answered(&rollback, 409, body, NULL), EXIT_CONFIG);
    assert_int_equal(
        answered(&reload, 409,
                 ANSWER("try", "refused", ",\"detail\":\"1 error\""), "-n"),
        EXIT_CONFIG);
    assert_contains(cli_err, "reload would be refused: 1 error; generation 8 "
                             "serves on\n");
}

static void
keys_that_need_a_restart_are_named(void **state)
{
    (void)state;
    static const char body[] = ANSWER(
        "apply", "refused",
        ",\"detail\":\"1 changed key needs a restart\",\"changes\":[" CHANGE(
            "set", "server.max_body",
            "\"1M -> 2M\"") "," CHANGE("refused", "server.state_dir",
                                       "\"a -> b\"") "]");
    assert_int_equal(answered(&reload, 409, body, NULL), EXIT_CONFIG);
    assert_string_equal(cli_out, "");
    assert_string_equal(
        cli_err, "  ! server.state_dir       a -> b, needs a restart\n"
                 "reload refused: 1 changed key needs a restart; generation 8 "
                 "serves on\n");
}

static void
nothing_to_go_back_to_is_refused(void **state)
{
    (void)state;
    assert_int_equal(
        answered(&rollback, 409,
                 ANSWER("rollback", "refused",
                        ",\"detail\":\"there is nothing to go back to\""),
                 NULL),
        EXIT_REFUSED);
    assert_string_equal(cli_err, "rollback refused: there is nothing to go "
                                 "back to; generation 8 serves on\n");
}

static void
failures_are_not_mistakes(void **state)
{
    (void)state;
    assert_int_equal(
        answered(&reload, 500,
                 ANSWER("try", "failed", ",\"detail\":\"the disk is full\""),
                 NULL),
        EXIT_FAILED);
    assert_string_equal(cli_err, "reload failed: the disk is full; generation "
                                 "8 serves on\n");
    assert_int_equal(
        answered(&reload, 503,
                 ANSWER("apply", "stopped", ",\"detail\":\"it stops\""), NULL),
        EXIT_FAILED);
    assert_int_equal(answered(&reload, 503,
                              "{\"status\":503,\"detail\":\"4 others wait\"}",
                              NULL),
                     EXIT_FAILED);
    assert_string_equal(cli_err, "error: 4 others wait\n");
    assert_int_equal(answered(&reload, 200, "<html>", NULL), EXIT_FAILED);
    assert_int_equal(answered(&reload, 404, "{}", NULL), EXIT_MISSING);
}

static void
late_says_that_it_goes_on(void **state)
{
    (void)state;
    assert_int_equal(
        answered(&reload, 202, ANSWER("apply", "late", ""), "--timeout=1500ms"),
        EXIT_TIMED_OUT);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err,
                        "not over after 2 s; it goes on, and `pegboard status` "
                        "tells how it ended\n");
}

/* ---- Asking --------------------------------------------------------- */

static void
what_is_asked_follows_the_flags(void **state)
{
    (void)state;
    struct canned_api api = {
        .canned = {{"POST", 200, ANSWER("apply", "done", ""), 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &reload, NULL), EXIT_OK);
    assert_int_equal(ASK(api, &reload, "--dry-run", "--timeout", "60s"),
                     EXIT_OK);
    assert_int_equal(ASK(api, &rollback, "--timeout", "10m"), EXIT_OK);
    assert_int_equal(ASK(api, &reload, "--timeout", "999ms"), EXIT_USAGE);
    assert_int_equal(ASK(api, &rollback, "--timeout", "601s"), EXIT_USAGE);
    assert_int_equal(ASK(api, &rollback, "--dry-run"), EXIT_USAGE);
    assert_int_equal(ASK(api, &reload, "--offline"), EXIT_USAGE);
    api_end(&api);
    assert_string_equal(api.asked, "POST /api/v1/reload HTTP/1.1\n"
                                   "{\"timeout_seconds\":120}\n"
                                   "POST /api/v1/reload HTTP/1.1\n"
                                   "{\"timeout_seconds\":60,\"dry_run\":true}\n"
                                   "POST /api/v1/rollback HTTP/1.1\n"
                                   "{\"timeout_seconds\":600}\n");
    assert_int_equal(ASK(api, &reload, NULL), EXIT_NO_DAEMON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(changes_are_shown),
        FOLDER_TEST(nothing_changed_says_so),
        FOLDER_TEST(dry_run_says_would),
        FOLDER_TEST(rollback_says_to_what),
        FOLDER_TEST(killed_runners_are_told),
        FOLDER_TEST(mistakes_are_shown_as_a_compiler_does),
        FOLDER_TEST(keys_that_need_a_restart_are_named),
        FOLDER_TEST(nothing_to_go_back_to_is_refused),
        FOLDER_TEST(failures_are_not_mistakes),
        FOLDER_TEST(late_says_that_it_goes_on),
        FOLDER_TEST(what_is_asked_follows_the_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
