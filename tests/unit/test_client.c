/* tests/unit/test_client.c: how commands find the admin API, and what they make
 * of its refusals.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"
#include "api_fixture.h"

#include "admin/token.h"

static const struct command status = {
    .name = "status", .operands = "", .flags = status_flags, .run = cmd_status};

#define GOOD                                                                   \
    "{\"object\":\"status\",\"version\":\"0.1.0\",\"ready\":true,"             \
    "\"plugins\":[]}"

static void
token_is_sent_to_the_api_alone(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {{"GET /api/v1/status ", 200, GOOD, 0}}};
    api_serve(&api);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    int code = ASK(api, &status, "--ready");
    unsetenv("http_proxy");
    api_end(&api);
    assert_int_equal(code, EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err, "");
    assert_string_equal(api.asked, "GET /api/v1/status HTTP/1.1\n");
    assert_contains(api.head, "\r\nAuthorization: Bearer " API_TOKEN "\r\n");
}

static void
redirects_are_not_followed(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {{"GET", 307, "{}", 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &status, "--json"), EXIT_FAILED);
    api_end(&api);
    assert_int_equal(api.requests, 1);
    assert_contains(cli_err, "the admin API answered 307");
}

static void
problems_are_printed_with_their_hint(void **state)
{
    (void)state;
    static const struct {
        int status, exits;
    } rows[] = {{400, EXIT_USAGE},   {422, EXIT_USAGE},   {401, EXIT_REFUSED},
                {403, EXIT_REFUSED}, {409, EXIT_REFUSED}, {404, EXIT_MISSING},
                {500, EXIT_FAILED},  {503, EXIT_FAILED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct canned_api api = {
            .canned = {{"GET", rows[i].status,
                        "{\"detail\":\"no \\u001b[2J\",\"hint\":\"look\"}",
                        0}}};
        api_serve(&api);
        assert_int_equal(ASK(api, &status, "-q"), rows[i].exits);
        api_end(&api);
        assert_string_equal(cli_err, "error: no ?[2J\n  hint: look\n");
        assert_string_equal(cli_out, "");
    }
}

static void
answer_of_something_else_is_told(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {{"GET", 200, "<html>", 0}}};
    api_serve(&api);
    assert_int_equal(ASK(api, &status, "-q"), EXIT_FAILED);
    api_end(&api);
    assert_contains(cli_err, "is that the admin API?");
}

static void
nobody_there_is_told_with_what_to_type(void **state)
{
    (void)state;
    struct canned_api api = {0};
    api_serve(&api);
    api_end(&api);
    assert_int_equal(ASK(api, &status, "-q"), EXIT_NO_DAEMON);
    assert_contains(cli_err, "no daemon answers at http://127.0.0.1:");
    write_file("p.ini", 0600, "[server]\nstate_dir = state\n" ENDPOINT);
    assert_int_equal(RUN(&status, "-c", "p.ini"), EXIT_NO_DAEMON);
    assert_contains(cli_err, "start it with `pegboard serve -c p.ini`, or use "
                             "--offline");
}

static void
state_folder_tells_address_and_token(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {{"GET", 200, GOOD, 0}}};
    api_serve(&api);
    assert_int_equal(mkdir("state", 0700), 0);
    write_file("state/operator.token", 0600, API_TOKEN "\n");
    int held;
    assert_int_equal(token_publish(&held, "state", api.url, NULL), RC_OK);
    /* Neither a missing plugin nor a secret of others matters here. */
    write_file("p.ini", 0600,
               "[server]\nstate_dir = state\n"
               "[endpoint main]\nsecrets = file:no-such\n"
               "[plugin p]\npath = no-such.so\nmax_attempts = -1\n");
    assert_int_equal(RUN(&status, "-c", "p.ini", "--ready"), EXIT_OK);
    assert_string_equal(cli_err, "");
    write_file("p.ini", 0600,
               "[server]\nstate_dri = state\n[endpoint main]\n"
               "secrets = file:secret\n");
    assert_int_equal(RUN(&status, "-c", "p.ini", "--ready"), EXIT_CONFIG);
    assert_contains(cli_err, "state_dri");
    assert_int_equal(RUN(&status, "-c", "none.ini"), EXIT_CONFIG);
    api_end(&api);
    assert_int_equal(api.requests, 1);
}

static void
token_can_come_from_elsewhere(void **state)
{
    (void)state;
    struct canned_api api = {.canned = {{"GET", 200, GOOD, 0}}};
    api_serve(&api);
    setenv("PEGBOARD_TOKEN_FILE", "token", 1);
    assert_int_equal(RUN(&status, "--url", api.url, "--ready"), EXIT_OK);
    setenv("PEGBOARD_TOKEN_FILE", "none", 1);
    assert_int_equal(RUN(&status, "--url", api.url, "--ready"), EXIT_MISSING);
    unsetenv("PEGBOARD_TOKEN_FILE");
    write_file("token", 0644, API_TOKEN "\n");
    assert_int_equal(ASK(api, &status, "--ready"), EXIT_REFUSED);
    api_end(&api);
    assert_int_equal(api.requests, 1);
}

static void
token_never_leaves_this_machine_in_clear(void **state)
{
    (void)state;
    write_file("token", 0600, API_TOKEN "\n");
    static const char *const bad[] = {
        "http://192.0.2.1:4243", "http://example.com", "ftp://127.0.0.1",
        "http://127.0.0.1@192.0.2.1/", "http://127.0.0.1.example.com"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(RUN(&status, "--url", bad[i], "--token-file", "token"),
                         EXIT_USAGE);
    }
}

static void
offline_excludes_what_needs_a_daemon(void **state)
{
    (void)state;
    write_file("p.ini", 0600, "[server]\nstate_dir = state\n" ENDPOINT);
    assert_int_equal(RUN(&status, "--offline", "--url", "127.0.0.1:1"),
                     EXIT_USAGE);
    assert_int_equal(RUN(&status, "--offline", "--ready"), EXIT_USAGE);
    assert_int_equal(RUN(&status, "--offline", "-c", "p.ini"), EXIT_MISSING);
    assert_contains(cli_err, "there is no inbox at");
    assert_int_equal(access("state", F_OK), -1); /* none is made */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(token_is_sent_to_the_api_alone),
        FOLDER_TEST(redirects_are_not_followed),
        FOLDER_TEST(problems_are_printed_with_their_hint),
        FOLDER_TEST(answer_of_something_else_is_told),
        FOLDER_TEST(nobody_there_is_told_with_what_to_type),
        FOLDER_TEST(state_folder_tells_address_and_token),
        FOLDER_TEST(token_can_come_from_elsewhere),
        FOLDER_TEST(token_never_leaves_this_machine_in_clear),
        FOLDER_TEST(offline_excludes_what_needs_a_daemon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
