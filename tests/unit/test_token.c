/* tests/unit/test_token.c: the token's file, and where the admin API is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "admin/token.h"

static mode_t
mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void
token_is_made_once_and_kept(void **state)
{
    char first[TOKEN_MAX], second[TOKEN_MAX];
    struct error err = {0};
    (void)state;
    assert_int_equal(token_load(".", 0, first, &err), RC_NOT_FOUND);
    assert_int_equal(token_load(".", 1, first, &err), RC_OK);
    assert_int_equal(strlen(first), strlen(TOKEN_PREFIX) + 64);
    assert_memory_equal(first, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
    assert_int_equal(mode_of("operator.token"), 0600);
    assert_int_equal(token_load(".", 1, second, &err), RC_OK);
    assert_string_equal(first, second);
    assert_int_equal(token_read("operator.token", second, &err), RC_OK);
    assert_string_equal(first, second);
}

static void
tokens_differ(void **state)
{
    char first[TOKEN_MAX], second[TOKEN_MAX];
    (void)state;
    assert_int_equal(token_load(".", 1, first, NULL), RC_OK);
    assert_int_equal(unlink("operator.token"), 0);
    assert_int_equal(token_load(".", 1, second, NULL), RC_OK);
    assert_string_not_equal(first, second);
    assert_true(token_matches(first, first));
    assert_false(token_matches(first, second));
    assert_false(token_matches(first, ""));
    first[20] = '\0';
    assert_false(token_matches(second, first));
}

static void
file_that_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = {0604, 0602, 0620, 0644};
    char token[TOKEN_MAX];
    struct error err = {0};
    (void)state;
    assert_int_equal(token_load(".", 1, token, &err), RC_OK);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod("operator.token", modes[i]), 0);
        assert_int_equal(token_load(".", 1, token, &err), RC_INVALID);
        assert_non_null(strstr(err.text, "open to other users"));
    }
    assert_int_equal(chmod("operator.token", 0640), 0);
    assert_int_equal(token_load(".", 1, token, &err), RC_OK);
}

static void
file_that_holds_no_token_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "pgb_op_\n",
        "whsec_abc\n",
        "pgb_op_"
        "zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
        "pgb_op_"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\n"};
    char token[TOKEN_MAX] = "untouched";
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file("operator.token", 0600, texts[i]);
        assert_int_equal(token_load(".", 1, token, &err), RC_INVALID);
        assert_null(strstr(err.text, "abc")); /* what it holds is not shown */
        assert_string_equal(token, "untouched");
    }
    assert_int_equal(unlink("operator.token"), 0);
    assert_int_equal(mkdir("operator.token", 0700), 0);
    assert_int_equal(token_load(".", 1, token, &err), RC_INVALID);
}

static void
address_is_published_and_taken_back(void **state)
{
    char url[TOKEN_URL_MAX];
    int first, held;
    (void)state;
    assert_int_equal(token_where(".", url, NULL), RC_NOT_FOUND);
    assert_int_equal(token_publish(&first, ".", "http://127.0.0.1:1", NULL),
                     RC_OK);
    assert_int_equal(token_publish(&held, ".", "http://127.0.0.1:4243", NULL),
                     RC_OK);
    close(first);
    assert_int_equal(mode_of("admin.url"), 0600);
    assert_int_equal(token_where(".", url, NULL), RC_OK);
    assert_string_equal(url, "http://127.0.0.1:4243");
    assert_int_equal(token_withdraw(held, ".", NULL), RC_OK);
    assert_int_equal(access("admin.url", F_OK), -1);
    assert_int_equal(token_where(".", url, NULL), RC_NOT_FOUND);
    assert_int_equal(token_publish(&held, "no/such/folder", "http://x", NULL),
                     RC_IO);
}

static void
address_left_behind_counts_for_nothing(void **state)
{
    char url[TOKEN_URL_MAX] = "untouched";
    struct error err = {0};
    int held;
    (void)state;
    assert_int_equal(token_publish(&held, ".", "http://127.0.0.1:1", NULL),
                     RC_OK);
    close(held); /* as by kill -9 */
    assert_int_equal(access("admin.url", F_OK), 0);
    assert_int_equal(token_where(".", url, &err), RC_NOT_FOUND);
    assert_non_null(strstr(err.text, "has died"));
    assert_string_equal(url, "untouched");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(token_is_made_once_and_kept),
        FOLDER_TEST(tokens_differ),
        FOLDER_TEST(file_that_others_can_read_is_refused),
        FOLDER_TEST(file_that_holds_no_token_is_refused),
        FOLDER_TEST(address_is_published_and_taken_back),
        FOLDER_TEST(address_left_behind_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
