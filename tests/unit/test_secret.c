/* tests/unit/test_secret.c: references to secrets: what is read, what refused,
 * and that no message shows a secret.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "config/secret.h"

static struct secret
read_good(const char *reference)
{
    struct secret secret;
    struct error err = {0};
    int rc = secret_read(&secret, reference, ".", &err);
    if (rc != RC_OK) {
        fail_msg("%s: %s", reference, err.text);
    }
    return secret;
}

static void
assert_unusable(const char *reference, int expected, const char *why)
{
    struct secret secret = {.text = NULL, .len = 77};
    struct error err = {0};
    assert_int_equal(secret_read(&secret, reference, ".", &err), expected);
    assert_int_equal(secret.len, 77); /* written on success only */
    if (strstr(err.text, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
    }
}

static void
file_is_read_without_its_last_newline(void **state)
{
    (void)state;
    struct secret secret = read_good("file:secret");
    assert_string_equal(secret.text, "whsec_fixture");
    assert_int_equal(secret.len, strlen("whsec_fixture"));
    assert_false(secret.trimmed);
    assert_false(secret.literal);
    secret_fini(&secret);
    assert_null(secret.text);

    write_file("dos", 0640, "whsec_dos\r\n");
    secret = read_good("file:dos");
    assert_string_equal(secret.text, "whsec_dos");
    assert_false(secret.trimmed);
    secret_fini(&secret);
}

static void
white_space_around_is_cut_and_noted(void **state)
{
    (void)state;
    static const char *const texts[] = {" whsec_a", "whsec_a ", "\twhsec_a\n",
                                        "whsec_a\n\n", "\r\nwhsec_a"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file("padded", 0600, texts[i]);
        struct secret secret = read_good("file:padded");
        assert_string_equal(secret.text, "whsec_a");
        assert_true(secret.trimmed);
        secret_fini(&secret);
    }
}

static void
paths_are_relative_to_the_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir("deep", 0700), 0);
    write_file("deep/key", 0600, "whsec_deep");
    struct secret secret;
    struct error err;
    assert_int_equal(secret_read(&secret, "file:key", "deep", &err), RC_OK);
    assert_string_equal(secret.text, "whsec_deep");
    secret_fini(&secret);

    char absolute[PATH_MAX];
    snprintf(absolute, sizeof(absolute), "file:%s/deep/key", fixture_folder);
    assert_int_equal(secret_read(&secret, absolute, "/nowhere", &err), RC_OK);
    secret_fini(&secret);
}

static void
environment_and_literals_are_read(void **state)
{
    (void)state;
    setenv("PEG_TEST_SECRET", " whsec_env ", 1);
    struct secret secret = read_good("env:PEG_TEST_SECRET");
    assert_string_equal(secret.text, "whsec_env");
    assert_true(secret.trimmed);
    assert_false(secret.literal);
    secret_fini(&secret);
    unsetenv("PEG_TEST_SECRET");

    secret = read_good("whsec_here");
    assert_string_equal(secret.text, "whsec_here");
    assert_true(secret.literal);
    secret_fini(&secret);
}

static void
file_open_to_others_is_refused(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0604, 0644, 0602, 0666};
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        write_file("open", open_modes[i], "whsec_hidden");
        assert_unusable("file:open", RC_INVALID, "chmod o=");
    }
    static const mode_t fine_modes[] = {0400, 0600, 0640, 0660};
    for (size_t i = 0; i < sizeof(fine_modes) / sizeof(fine_modes[0]); i++) {
        write_file("open", fine_modes[i], "whsec_hidden");
        struct secret secret = read_good("file:open");
        secret_fini(&secret);
    }
}

static void
what_is_no_file_is_refused(void **state)
{
    (void)state;
    assert_unusable("file:", RC_INVALID, "file:PATH");
    assert_unusable("file:absent", RC_IO, "No such file");
    assert_unusable("file:plugins", RC_INVALID, "not a regular file");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_unusable("file:fifo", RC_INVALID, "not a regular file");
    assert_unusable("env:", RC_INVALID, "env:NAME");
    unsetenv("PEG_TEST_ABSENT");
    assert_unusable("env:PEG_TEST_ABSENT", RC_INVALID, "is not set");
}

static void
blank_secrets_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", " \t\r\n "};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file("blank", 0600, texts[i]);
        assert_unusable("file:blank", RC_INVALID, "is blank");
    }
    setenv("PEG_TEST_SECRET", "", 1);
    assert_unusable("env:PEG_TEST_SECRET", RC_INVALID, "is blank");
    unsetenv("PEG_TEST_SECRET");
}

static void
white_space_inside_is_refused_without_showing_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"whsec_a b", "whsec_a\nwhsec_b\n",
                                        "whsec_a\x7f", "whsec_a\x01z"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file("inside", 0600, texts[i]);
        assert_unusable("file:inside", RC_INVALID, "inside");

        struct secret secret;
        struct error err;
        assert_int_equal(secret_read(&secret, texts[i], ".", &err), RC_INVALID);
        assert_null(strstr(err.text, "whsec_a"));
    }
    write_bytes("inside", 0600, "whsec_a\0b", 9);
    assert_unusable("file:inside", RC_INVALID, "inside");
}

static void
option_is_of_one_line(void **state)
{
    (void)state;
    struct secret secret;
    struct error err;
    write_file("header", 0600, " Authorization: Bearer a b\n");
    assert_int_equal(secret_read_line(&secret, "file:header", ".", &err),
                     RC_OK);
    assert_string_equal(secret.text, "Authorization: Bearer a b");
    secret_fini(&secret);

    static const char *const texts[] = {"a\nb\n", "a\tb", "a\x7f", " "};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file("header", 0600, texts[i]);
        assert_int_equal(secret_read_line(&secret, "file:header", ".", &err),
                         RC_INVALID);
    }
    assert_non_null(strstr(err.text, "blank"));
}

static void
length_is_bounded(void **state)
{
    (void)state;
    char text[SECRET_MAX + 100];
    memset(text, 'a', sizeof(text));
    write_bytes("long", 0600, text, SECRET_MAX);
    struct secret secret = read_good("file:long");
    assert_int_equal(secret.len, SECRET_MAX);
    secret_fini(&secret);

    write_bytes("long", 0600, text, SECRET_MAX + 1);
    assert_unusable("file:long", RC_INVALID, "longer than 4096");
    write_bytes("long", 0600, text, sizeof(text));
    assert_unusable("file:long", RC_INVALID, "longer than 4096");

    text[sizeof(text) - 1] = '\0';
    assert_unusable(text, RC_INVALID, "longer than 4096");
}

static void
nothing_read_is_nothing_to_cleanse(void **state)
{
    (void)state;
    struct secret secret = {0};
    secret_fini(&secret);
    assert_null(secret.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(file_is_read_without_its_last_newline),
        FOLDER_TEST(white_space_around_is_cut_and_noted),
        FOLDER_TEST(paths_are_relative_to_the_folder),
        FOLDER_TEST(environment_and_literals_are_read),
        FOLDER_TEST(file_open_to_others_is_refused),
        FOLDER_TEST(what_is_no_file_is_refused),
        FOLDER_TEST(blank_secrets_are_refused),
        FOLDER_TEST(white_space_inside_is_refused_without_showing_it),
        FOLDER_TEST(option_is_of_one_line),
        FOLDER_TEST(length_is_bounded),
        FOLDER_TEST(nothing_read_is_nothing_to_cleanse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
