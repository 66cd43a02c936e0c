/* tests/unit/test_config_endpoint.c: endpoints: paths, secrets, tolerance, and
 * that no message shows a secret.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "stripe/signature.h"

/* Whether the endpoint's secrets accept what `secret` signed; sets the name of
 * the one that matched. */
static int
accepts(const struct config_endpoint *endpoint, const char *secret,
        const char **name)
{
    char header[SIGNATURE_HEADER_MAX];
    struct error err;
    struct signature_result result;
    assert_int_equal(signature_make(secret, strlen(secret), 1790000000, "{}", 2,
                                    header, &err),
                     RC_OK);
    enum signature_verdict verdict =
        signature_check(endpoint->keys, header, strlen(header), 1, "{}", 2,
                        1790000000, endpoint->tolerance_s, &result);
    *name = verdict == SIGNATURE_OK ? result.secret : NULL;
    return verdict == SIGNATURE_OK;
}

static void
secrets_are_named_by_their_reference(void **state)
{
    (void)state;
    setenv("PEG_TEST_SECRET", "whsec_env", 1);
    struct config *config = assert_loads_with(
        "[endpoint main]\nsecrets = file:secret, env:PEG_TEST_SECRET,\n"
        "  whsec_here\n",
        "t.ini:2: warning: secrets: a secret stands in the file itself; put it "
        "in a file of its own and write file:PATH\n");
    const struct config_endpoint *main_endpoint =
        config_endpoint(config, "main");
    assert_string_equal(main_endpoint->first_secret_ref, "file:secret");
    assert_int_equal(signature_keys_count(main_endpoint->keys), 3);

    const char *name;
    assert_true(accepts(main_endpoint, "whsec_fixture", &name));
    assert_string_equal(name, "file:secret");
    assert_true(accepts(main_endpoint, "whsec_env", &name));
    assert_string_equal(name, "env:PEG_TEST_SECRET");
    assert_true(accepts(main_endpoint, "whsec_here", &name));
    assert_string_equal(name, "literal");
    assert_false(accepts(main_endpoint, "whsec_other", &name));
    config_close(config);
    unsetenv("PEG_TEST_SECRET");
}

static void
odd_secrets_are_warned_about(void **state)
{
    (void)state;
    write_file("padded", 0600, "  whsec_fixture \n");
    write_file("plain", 0600, "hidden-words");
    config_close(assert_loads_with(
        "[endpoint main]\nsecrets = file:secret, file:padded, file:plain\n",
        "t.ini:2: warning: secrets: file:padded has white space around the "
        "secret, which was cut off; take it out\n"
        "t.ini:2: warning: secrets: file:padded is a secret that is given "
        "twice; take one out\n"
        "t.ini:2: warning: secrets: file:plain does not begin with whsec_; is "
        "it a signing secret?\n"));
}

static void
bad_secrets_are_refused_and_never_shown(void **state)
{
    (void)state;
    write_file("api", 0600, "sk_live_hidden");
    write_file("open", 0644, "whsec_hidden");
    write_file("inside", 0600, "whsec_hidden hidden");
    write_file("blank", 0600, "\n");
    char large[300];
    memset(large, 'h', sizeof(large));
    write_bytes("large", 0600, large, sizeof(large));
    assert_refused(
        "[endpoint main]\nsecrets = file:api, pk_hidden, rk_hidden,\n"
        "  file:open, file:inside, file:blank, file:absent, , flie:hidden,\n"
        "  whsec_hidden hidden, file:large\n",
        "t.ini:2: secrets: file:api is an API key, not a signing secret; that "
        "one begins with whsec_ and is shown with the endpoint in Stripe's "
        "Dashboard, under Webhooks\n"
        "t.ini:2: secrets: literal is an API key, not a signing secret; that "
        "one begins with whsec_ and is shown with the endpoint in Stripe's "
        "Dashboard, under Webhooks\n"
        "t.ini:2: secrets: literal is an API key, not a signing secret; that "
        "one begins with whsec_ and is shown with the endpoint in Stripe's "
        "Dashboard, under Webhooks\n"
        "t.ini:2: secrets: file:open is open to every user (mode 0644); run "
        "chmod o= on it\n"
        "t.ini:2: secrets: file:inside has white space or a control character "
        "inside; it must be one word\n"
        "t.ini:2: secrets: file:blank is blank; put a secret there\n"
        "t.ini:2: secrets: file:absent cannot be read: No such file or "
        "directory\n"
        "t.ini:2: secrets: there is nothing between two commas\n"
        "t.ini:2: secrets: \"flie:\" is not a kind of reference; write "
        "file:PATH or env:NAME\n"
        "t.ini:2: secrets: the secret that stands in the file itself has white "
        "space or a control character inside; it must be one word\n"
        "t.ini:2: secrets: secret file:large: is longer than 255 bytes\n");
}

static void
no_secret_no_start(void **state)
{
    (void)state;
    assert_refused("[endpoint main]\n[endpoint other]\npath = /o\nsecrets =\n",
                   "t.ini:1: secrets is missing in [endpoint main]: signing "
                   "secrets: file:PATH or env:NAME, one or more, comma "
                   "separated\n"
                   "t.ini:4: secrets: has no value: without a secret there is "
                   "no start; write file:PATH or env:NAME\n");
    assert_refused("", "t.ini: there is no [endpoint NAME]; add one with its "
                       "path and secrets\n");
}

static void
sixteen_secrets_are_the_most(void **state)
{
    (void)state;
    char text[1024] = "[endpoint main]\nsecrets = file:s0";
    for (int i = 0; i < 16; i++) {
        char file[16];
        char secret[32];
        snprintf(file, sizeof(file), "s%d", i);
        snprintf(secret, sizeof(secret), "whsec_%d", i);
        write_file(file, 0600, secret);
        if (i > 0) {
            snprintf(text + strlen(text), sizeof(text) - strlen(text),
                     ", file:%s", file);
        }
    }
    config_close(assert_loads(text));
    strcat(text, ",file:secret");
    assert_refused(text, "t.ini:2: secrets: more than 16 secrets; take old "
                         "ones out\n");
}

static void
paths_lose_the_slash_at_their_end(void **state)
{
    (void)state;
    struct config *config = assert_loads(
        "[endpoint a]\npath = /stripe/hook/\nsecrets = file:secret\n"
        "[endpoint b]\npath = /\nsecrets = file:secret\n"
        "[endpoint c]\nsecrets = file:secret\n");
    assert_string_equal(config->endpoints[0].path, "/stripe/hook");
    assert_string_equal(config->endpoints[1].path, "/");
    assert_string_equal(config->endpoints[2].path, "/webhook");
    config_close(config);
}

static void
bad_paths_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *why;
    } rows[] = {
        {"", "must begin with /, as /webhook"},
        {"webhook", "must begin with /, as /webhook"},
        {"/a?b", "has ? or # in it; write the path only"},
        {"/a#b", "has ? or # in it; write the path only"},
        {"/a b", "has a blank or a control character in it"},
        {"/a//b", "has // in it; write one /"},
        {"//", "has // in it; write one /"},
        {"/livez", "is a health check of pegboard; choose another"},
        {"/readyz/", "is a health check of pegboard; choose another"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        char finding[256];
        snprintf(text, sizeof(text), ENDPOINT "path = %s\n", rows[i].path);
        snprintf(finding, sizeof(finding), "t.ini:3: path: \"%s\" %s\n",
                 rows[i].path, rows[i].why);
        assert_refused(text, finding);
    }
}

static void
two_endpoints_cannot_share_a_path(void **state)
{
    (void)state;
    assert_refused("[endpoint a]\nsecrets = file:secret\n"
                   "[endpoint b]\npath = /webhook/\nsecrets = file:secret\n"
                   "[endpoint c]\nsecrets = file:secret\n",
                   "t.ini:4: path: /webhook is the path of [endpoint a] on "
                   "line 1, too; give each a path of its own\n"
                   "t.ini:6: path: /webhook is the path of [endpoint a] on "
                   "line 1, too; give each a path of its own\n");
}

static void
tolerance_is_whole_seconds_and_never_0(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t tolerance_s;
    } good[] = {{"1s", 1}, {"5m", 300}, {"1d", 86400}, {"2000ms", 2}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), ENDPOINT "tolerance = %s\n", good[i].text);
        struct config *config = assert_loads(text);
        assert_int_equal(config->endpoints[0].tolerance_s, good[i].tolerance_s);
        config_close(config);
    }
    assert_refused(ENDPOINT "tolerance = 0s\n",
                   "t.ini:3: tolerance: 0s is out of bounds; write 1s to 1d\n");
    assert_refused(ENDPOINT "tolerance = 0\n",
                   "t.ini:3: tolerance: \"0\" is not a duration: write a "
                   "number with ms, s, m, h or d behind it, 1s to 1d\n");
    assert_refused(ENDPOINT "tolerance = 1500ms\n",
                   "t.ini:3: tolerance: 1500ms is not a number of whole "
                   "seconds\n");
    assert_refused(ENDPOINT "tolerance = 86401s\n",
                   "t.ini:3: tolerance: 86401s is out of bounds; write 1s to "
                   "1d\n");
}

static void
thirty_two_endpoints_are_the_most(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    for (int i = 0; i < 32; i++) {
        fprintf(stream, "[endpoint e%d]\npath = /%d\nsecrets = file:secret\n",
                i, i);
    }
    fflush(stream);
    config_close(assert_loads(text));
    fputs("[endpoint more]\npath = /more\nsecrets = file:secret\n", stream);
    fclose(stream);
    assert_refused(text,
                   "t.ini:97: endpoint more is one too many: at most 32\n");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(secrets_are_named_by_their_reference),
        FOLDER_TEST(odd_secrets_are_warned_about),
        FOLDER_TEST(bad_secrets_are_refused_and_never_shown),
        FOLDER_TEST(no_secret_no_start),
        FOLDER_TEST(sixteen_secrets_are_the_most),
        FOLDER_TEST(paths_lose_the_slash_at_their_end),
        FOLDER_TEST(bad_paths_are_refused),
        FOLDER_TEST(two_endpoints_cannot_share_a_path),
        FOLDER_TEST(tolerance_is_whole_seconds_and_never_0),
        FOLDER_TEST(thirty_two_endpoints_are_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
