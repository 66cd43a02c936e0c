/* tests/unit/test_cmd_verify.c: `pegboard verify` names the broken rule and its
 * cause, and `pegboard secret` makes what it can check.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include "cli_fixture.h"

#include "stripe/signature.h"

#include <cjson/cJSON.h>

#define BODY "{\n  \"id\": \"evt_1\",\n  \"n\": 12345678901234567890\n}"
#define AT   "1795438862"

static const struct command verify = {
    .name = "verify", .operands = "", .flags = verify_flags, .run = cmd_verify};
static const struct command secret = {
    .name = "secret", .operands = "", .flags = secret_flags, .run = cmd_secret};

/* The header for `body`, signed at AT with the secret of the fixture. */
static char *
header_for(const char *body)
{
    static char header[SIGNATURE_HEADER_MAX];
    assert_int_equal(signature_make("whsec_fixture", 13, atoll(AT), body,
                                    strlen(body), header, NULL),
                     RC_OK);
    return header;
}

/* Verify `body` as if it was saved from a request with `header`. */
#define VERIFY(body, header, ...)                                              \
    (write_file("body.json", 0600, body),                                      \
     RUN(&verify, "--body", "body.json", "--secret-file", "secret",            \
         "--header", header, __VA_ARGS__))

static void
good_request_is_valid(void **state)
{
    (void)state;
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--at", AT), EXIT_OK);
    assert_contains(cli_out, "body       48 bytes, sha256 ");
    assert_contains(cli_out, "header     ok\n");
    assert_contains(cli_out, "timestamp  ok: " AT " (2026-11-23 13:01:02 UTC)");
    assert_contains(cli_out, "secret     ok: secret matches\n");
    assert_contains(cli_out,
                    "age        ok: 0 s; 300 s are tolerated\nvalid\n");
    assert_null(strstr(cli_out, "whsec"));

    char field[256];
    snprintf(field, sizeof(field), "stripe-signature: %s", header_for(BODY));
    assert_int_equal(VERIFY(BODY, field, "--at", AT), EXIT_OK);
}

static void
rules_are_judged_in_order(void **state)
{
    (void)state;
    assert_int_equal(VERIFY(BODY, "", "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "header     FAILS\ntimestamp  not looked at\n");
    assert_contains(cli_out, "not valid: header_missing\n");
    assert_int_equal(VERIFY(BODY, "t=x,v1=aa", "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "header     ok\ntimestamp  FAILS\nv1   ");
    assert_int_equal(VERIFY(BODY, "t=" AT ",v0=aa", "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "v1         FAILS\nsecret     not looked at\n");
    assert_int_equal(VERIFY(BODY, "t=" AT ",v1=aa", "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "secret     FAILS: none of 1 matches\n");
}

static void
age_is_judged_both_ways(void **state)
{
    (void)state;
    assert_int_equal(VERIFY(BODY, header_for(BODY), "-q"), EXIT_FAILED);
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--at", "1795439263"),
                     EXIT_FAILED);
    assert_contains(cli_out, "age        FAILS: 401 s; 300 s are tolerated\n");
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--at", "1795439263",
                            "--tolerance", "401s"),
                     EXIT_OK);
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--at", "1795438461"),
                     EXIT_FAILED);
    assert_contains(cli_out, "timestamp_ahead");
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--tolerance", "0s"),
                     EXIT_USAGE);
}

static void
usual_changes_of_the_body_are_found(void **state)
{
    (void)state;
    char *header = header_for(BODY);
    assert_int_equal(VERIFY(BODY "\n", header, "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "fits without its last line end");
    assert_int_equal(VERIFY("{\r\n  \"id\": \"evt_1\",\r\n  \"n\": "
                            "12345678901234567890\r\n}",
                            header, "--at", AT),
                     EXIT_FAILED);
    assert_contains(cli_out, "fits with LF in the place of CR LF");
    const char *compact = "{\"id\":\"evt_1\",\"n\":12345678901234567890}";
    assert_int_equal(VERIFY(compact, header, "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "fits when indented by two spaces");
    assert_int_equal(VERIFY(BODY, header_for(compact), "--at", AT),
                     EXIT_FAILED);
    assert_contains(cli_out, "fits without its white space");
    assert_int_equal(VERIFY("{}", header_for(compact), "--at", AT),
                     EXIT_FAILED);
    assert_null(strstr(cli_out, "Found by trying"));
}

static void
odd_secrets_are_noticed(void **state)
{
    (void)state;
    write_file("secret", 0600, "  whsec_fixture \n");
    assert_int_equal(VERIFY("{}", header_for(BODY), "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "White space around the secret was cut off");
    write_file("secret", 0600, "fixture\n");
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--at", AT), EXIT_FAILED);
    assert_contains(cli_out, "does not begin with \"whsec_\"");
}

static void
secrets_of_a_configuration_are_tried(void **state)
{
    (void)state;
    write_file("old", 0600, "whsec_old\n");
    write_file("t.ini", 0600,
               "[endpoint main]\nsecrets = file:old, file:secret\n"
               "tolerance = 60s\n");
    write_file("body.json", 0600, BODY);
    assert_int_equal(RUN(&verify, "-c", "t.ini", "-q", "--body", "body.json",
                         "--header", header_for(BODY), "--at", AT),
                     EXIT_OK);
    assert_contains(cli_out, "secret     ok: file:secret matches\n");
    assert_contains(cli_out, "60 s are tolerated");
    assert_int_equal(RUN(&verify, "-c", "t.ini", "-q", "--body", "body.json",
                         "--header", "t=" AT ",v1=00", "--at", AT),
                     EXIT_FAILED);
    assert_contains(cli_out, "none of 2 matches");
}

static void
result_can_be_json(void **state)
{
    (void)state;
    assert_int_equal(VERIFY(BODY, header_for(BODY), "--at", AT, "--json"),
                     EXIT_OK);
    cJSON *line = cJSON_Parse(cli_out);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(line, "valid")));
    assert_string_equal(cJSON_GetObjectItem(line, "secret")->valuestring,
                        "secret");
    assert_int_equal(cJSON_GetObjectItem(line, "body_bytes")->valueint, 48);
    assert_int_equal(
        strlen(cJSON_GetObjectItem(line, "body_sha256")->valuestring), 64);
    cJSON_Delete(line);
}

static void
what_is_missing_is_told(void **state)
{
    (void)state;
    assert_int_equal(RUN(&verify, "--header", "t=1"), EXIT_USAGE);
    assert_int_equal(RUN(&verify, "--body", "none", "--header", "t=1"),
                     EXIT_MISSING);
}

static void
fresh_secrets_differ(void **state)
{
    (void)state;
    assert_int_equal(RUN(&secret, "-q"), EXIT_OK);
    assert_int_equal(strlen(cli_out), 39);
    assert_memory_equal(cli_out, "whsec_", 6);
    char first[64];
    memcpy(first, cli_out, 40);
    assert_int_equal(RUN(&secret, "-q"), EXIT_OK);
    assert_string_not_equal(cli_out, first);
}

static void
secret_file_is_new_and_private(void **state)
{
    (void)state;
    assert_int_equal(RUN(&secret, "--file", "new"), EXIT_OK);
    assert_string_equal(cli_out, "");
    assert_string_equal(cli_err, "wrote a new secret to new\n");
    struct stat st;
    assert_int_equal(stat("new", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 39);
    assert_int_equal(RUN(&secret, "--file", "secret"), EXIT_REFUSED);
    assert_int_equal(stat("secret", &st), 0);
    assert_int_equal(st.st_size, 14); /* the fixture's, untouched */
    assert_int_equal(RUN(&secret, "--file", "no/such/folder"), EXIT_FAILED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(good_request_is_valid),
        FOLDER_TEST(rules_are_judged_in_order),
        FOLDER_TEST(age_is_judged_both_ways),
        FOLDER_TEST(usual_changes_of_the_body_are_found),
        FOLDER_TEST(odd_secrets_are_noticed),
        FOLDER_TEST(secrets_of_a_configuration_are_tried),
        FOLDER_TEST(result_can_be_json),
        FOLDER_TEST(what_is_missing_is_told),
        FOLDER_TEST(fresh_secrets_differ),
        FOLDER_TEST(secret_file_is_new_and_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
