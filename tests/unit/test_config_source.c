/* tests/unit/test_config_source.c: a configuration from a kept text and with
 * given plugin files; and the bytes it was made from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

/* Read it; returns the findings as printed, to be freed. */
static char *
read_from(struct config **config, const struct config_source *source)
{
    struct config_report report = {0};
    *config = NULL;
    int rc = config_read_from(config, source, &report);
    assert_int_equal(rc, report.errors > 0 ? RC_INVALID : RC_OK);
    assert_non_null(*config);
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    report_print(&report, stream);
    fclose(stream);
    report_fini(&report);
    return text;
}

static struct config *
assert_reads_from(const struct config_source *source)
{
    struct config *config;
    char *findings = read_from(&config, source);
    assert_string_equal(findings, "");
    free(findings);
    return config;
}

static void
text_is_kept_byte_for_byte(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf; a comment\r\n" ENDPOINT "\n; end";
    struct config *config = assert_loads(text);
    assert_int_equal(config->text_len, sizeof(text) - 1);
    assert_memory_equal(config->text, text, sizeof(text));
    config_close(config);

    /* Also with mistakes in it. */
    write_bytes("t.ini", 0600, "[x]\n\0\xff", 6);
    char *findings =
        read_from(&config, &(struct config_source){.path = "t.ini"});
    assert_int_equal(config->text_len, 6);
    assert_memory_equal(config->text, "[x]\n\0\xff", 6);
    config_close(config);
    free(findings);
}

static void
unreadable_file_has_no_text(void **state)
{
    (void)state;
    struct config *config;
    char *findings =
        read_from(&config, &(struct config_source){.path = "t.ini",
                                                   .text_path = "absent"});
    assert_string_equal(findings,
                        "absent: cannot be read: No such file or directory\n");
    assert_null(config->text);
    config_close(config);
    free(findings);
}

static void
kept_text_is_read_as_if_it_stood_at_the_path(void **state)
{
    (void)state;
    assert_int_equal(mkdir("kept", 0700), 0);
    write_file("t.ini", 0600, "[this is not read\n");
    write_file("kept/text", 0600, ENDPOINT "[server]\nstate_dir = state\n");
    const struct config_source source = {.path = "t.ini",
                                         .text_path = "kept/text"};
    struct config *config = assert_reads_from(&source);
    assert_string_equal(config->file, "t.ini");
    assert_string_equal(config->state_dir, "./state");
    assert_int_equal(config->state_dir_line, 4);
    config_close(config);

    /* And its mistakes are told as of there. */
    write_file("kept/text", 0600, ENDPOINT "[sever]\n");
    char *findings = read_from(&config, &source);
    assert_string_equal(findings, "t.ini:3: unknown section [sever]; did you "
                                  "mean \"server\"?\n");
    config_close(config);
    free(findings);
}

static void
pins_are_exactly_the_plugins(void **state)
{
    (void)state;
    assert_int_equal(mkdir("kept", 0700), 0);
    write_file("kept/1.so", 0644, "");
    write_file("kept/2.so", 0644, "");
    write_file("plugins/here.so", 0644, "");
    write_file("plugins/bad!.so", 0644, ""); /* the folder is not looked at */
    write_file("t.ini", 0600,
               ENDPOINT "[plugins]\nautoload = no\n"
                        "[plugin gone]\npath = gone.so\nconcurrency = 99\n"
                        "[plugin gone options]\ngreeting = hello\n"
                        "[plugin absent options]\ngreeting = hello\n"
                        "[plugin one]\npath = here.so\nmax_attempts = 7\n"
                        "[plugin one options]\ngreeting = hello\n"
                        "[plugin two options]\ngreeting = you\n");
    const struct config_pin pins[] = {{"one", "kept/1.so"},
                                      {"two", "kept/2.so"}};
    struct config *config = assert_reads_from(
        &(struct config_source){.path = "t.ini", .pins = pins, .pin_count = 2});
    assert_int_equal(config->plugin_count, 2);
    const struct config_plugin *one = config_plugin(config, "one");
    assert_string_equal(one->path, "kept/1.so");
    assert_int_equal(one->pinned, 1);
    assert_int_equal(one->refused, 0);
    assert_int_equal(one->max_attempts, 7);
    assert_string_equal(one->options[0].value, "hello");
    const struct config_plugin *two = config_plugin(config, "two");
    assert_string_equal(two->path, "kept/2.so");
    assert_int_equal(two->line, 0);
    assert_int_equal(two->max_attempts, 25);
    assert_string_equal(two->options[0].value, "you");
    config_close(config);
}

static void
no_pins_are_no_plugins(void **state)
{
    (void)state;
    write_file("plugins/here.so", 0644, "");
    write_file("t.ini", 0600, ENDPOINT "[plugin here]\n");
    const struct config_pin none;
    struct config *config = assert_reads_from(
        &(struct config_source){.path = "t.ini", .pins = &none});
    assert_int_equal(config->plugin_count, 0);
    config_close(config);
}

static void
pinned_file_must_be_there_and_safe(void **state)
{
    (void)state;
    write_file("open.so", 0666, "");
    write_file("plugins/gone.so", 0644, "");
    write_file("t.ini", 0600, ENDPOINT "[plugin open]\n[plugin gone]\n");
    const struct config_pin pins[] = {{"open", "open.so"}, {"gone", "gone.so"}};
    struct config *config;
    char *findings = read_from(
        &config,
        &(struct config_source){.path = "t.ini", .pins = pins, .pin_count = 2});
    assert_string_equal(
        findings, "t.ini:3: plugin file open.so can be written by every user; "
                  "run chmod o-w on it\n"
                  "t.ini:4: plugin file gone.so cannot be read: No such file "
                  "or directory\n");
    assert_int_equal(config_plugin(config, "open")->refused, 1);
    assert_int_equal(config_plugin(config, "gone")->refused, 1);
    config_close(config);
    free(findings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(text_is_kept_byte_for_byte),
        FOLDER_TEST(unreadable_file_has_no_text),
        FOLDER_TEST(kept_text_is_read_as_if_it_stood_at_the_path),
        FOLDER_TEST(pins_are_exactly_the_plugins),
        FOLDER_TEST(no_pins_are_no_plugins),
        FOLDER_TEST(pinned_file_must_be_there_and_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
