/* tests/unit/test_config_form.c: the form of the file: nothing that inih cuts,
 * joins or passes over stays silent.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "config/inifile.h"

/* The text must be good in form; inifile_fini() the result. */
static struct inifile
parse_good(const char *text, size_t len)
{
    struct inifile ini = {0};
    struct config_report report = {0};
    assert_int_equal(inifile_parse(&ini, "x.ini", text, len, &report), RC_OK);
    if (report.count > 0) {
        fail_msg("%d: %s", report.findings[0].line, report.findings[0].message);
    }
    return ini;
}

static const char *
value_of(const struct inifile *ini, const char *section, const char *key)
{
    const struct inifile_section *found = inifile_section(ini, section);
    assert_non_null(found);
    const struct inifile_entry *entry = inifile_entry(found, key);
    assert_non_null(entry);
    return entry->value;
}

static void
assert_value(const char *text, const char *value)
{
    struct inifile ini = parse_good(text, strlen(text));
    assert_string_equal(value_of(&ini, "a", "k"), value);
    inifile_fini(&ini);
}

static void
keys_keep_their_lines_and_sections_their_order(void **state)
{
    (void)state;
    static const char text[] =
        "; first\n\n[ b ]\nk = 1\n# more\n[plugin \t x]\n"
        "[a]\r\nj: 2\r\nk=v;x ; comment\r\nlast =";
    struct inifile ini = parse_good(text, strlen(text));
    assert_int_equal(ini.count, 3);
    assert_string_equal(ini.sections[0].name, "b");
    assert_string_equal(ini.sections[1].name, "plugin x");
    assert_int_equal(ini.sections[1].line, 6);
    assert_int_equal(ini.sections[1].count, 0);
    assert_int_equal(ini.sections[2].entries[0].line, 8);
    assert_string_equal(value_of(&ini, "a", "j"), "2");
    assert_string_equal(value_of(&ini, "a", "k"), "v;x");
    assert_string_equal(value_of(&ini, "a", "last"), "");
    inifile_fini(&ini);
}

static void
indented_lines_continue_a_value(void **state)
{
    (void)state;
    assert_value("[a]\nk = one,\n  two,\n\tthree\n", "one, two, three");
    assert_value("[a]\nk =\n  one\n", "one");
    assert_value("[a]\nk = one ; 1\n; no\n\n  # no\n  two ; 2\n", "one two");
    assert_value("[a]\n  k = indented but first\n", "indented but first");
    assert_value("[a]\nk = a\n  https://x/?b=c\n", "a https://x/?b=c");
}

static void
byte_order_mark_is_accepted(void **state)
{
    (void)state;
    assert_value("\xef\xbb\xbf[a]\nk = v\n", "v");
    struct inifile ini = parse_good("", 0);
    assert_int_equal(ini.count, 0);
    inifile_fini(&ini);
}

static void
indented_keys_and_sections_are_refused(void **state)
{
    (void)state;
    assert_refused(
        ENDPOINT "  tolerance = 5s\n  [log]\n[log]\n  level = info\n"
                 "  format=text\n",
        "t.ini:3: this indented line continues the value of \"secrets\"; if it "
        "is not meant to, remove the blanks before it, else join it to the "
        "line above\n"
        "t.ini:4: this indented line continues the value of \"secrets\"; if it "
        "is not meant to, remove the blanks before it, else join it to the "
        "line above\n"
        "t.ini:7: this indented line continues the value of \"level\"; if it "
        "is not meant to, remove the blanks before it, else join it to the "
        "line above\n");
}

static void
every_bad_line_is_told_at_once(void **state)
{
    (void)state;
    assert_refused(
        "level = info\n"
        "[log\n"
        "level = passed over\n"
        "[log] level = debug\n"
        "just words\n"
        "= nothing\n"
        "[]\n" ENDPOINT "whsec_never_shown\n",
        "t.ini:1: key \"level\" is above the first section; put a line such as "
        "[server] above it\n"
        "t.ini:2: [ without ]; write [section]\n"
        "t.ini:4: there is text behind ]; put it on a line of its own\n"
        "t.ini:5: no = in this line; write key = value, or begin a comment "
        "with ;\n"
        "t.ini:6: no key in front of =; write key = value\n"
        "t.ini:7: [] has no name; write [section]\n"
        "t.ini:10: no = in this line; write key = value, or begin a comment "
        "with ;\n");
}

static void
what_is_given_twice_is_refused(void **state)
{
    (void)state;
    assert_refused(ENDPOINT "[log]\nlevel = info\nlevel = debug\n  ignored\n"
                            "[server]\n[ log ]\nformat = text\nlevel = warn\n",
                   "t.ini:5: \"level\" is given twice in [log], first on line "
                   "4; keep one\n"
                   "t.ini:8: [log] is here for the second time; move its keys "
                   "to line 3\n"
                   "t.ini:10: \"level\" is given twice in [log], first on line "
                   "4; keep one\n");
}

/* "k = " and `count` letters. */
static void
line_of(char *line, size_t count)
{
    memcpy(line, "k = ", 4);
    memset(line + 4, 'x', count);
    line[4 + count] = '\0';
}

static void
lines_of_199_characters_are_read_whole(void **state)
{
    (void)state;
    char line[256];
    char text[1024];
    static const char *const ends[] = {"", "\n", "\r\n"};
    line_of(line, 195);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(text, sizeof(text), "[a]\n%s%s", line, ends[i]);
        assert_value(text, line + 4);
    }
    /* A comment loses nothing when it is cut. */
    snprintf(text, sizeof(text), "[a]\n; %s%s\nk = v\n", line, line);
    assert_value(text, "v");
}

static void
longer_lines_are_refused(void **state)
{
    (void)state;
    char line[512];
    char text[1024];
    line_of(line, 196);
    snprintf(text, sizeof(text), ENDPOINT "[plugin p options]\n%s\nj = 1\n",
             line);
    write_file("plugins/p.so", 0600, "");
    assert_refused(text, "t.ini:4: the line has 200 characters; at most 199 "
                         "are read: continue it on an indented line\n");

    /* The key is there, so it is not called missing or wrong as well. */
    memset(text, 'x', sizeof(text));
    memcpy(text, "[endpoint main]\nsecrets = ", 26);
    memcpy(text + 400, "\n", 2);
    assert_refused(text, "t.ini:2: the line has 384 characters; at most 199 "
                         "are read: continue it on an indented line\n");
}

static void
names_of_49_characters_are_read_whole(void **state)
{
    (void)state;
    char name[64];
    char text[256];
    memset(name, 'n', sizeof(name));
    name[49] = '\0';
    snprintf(text, sizeof(text), "[%s]\n%s = v\n", name, name);
    struct inifile ini = parse_good(text, strlen(text));
    assert_string_equal(value_of(&ini, name, name), "v");
    inifile_fini(&ini);

    name[49] = 'n';
    name[50] = '\0';
    snprintf(text, sizeof(text), ENDPOINT "%s = v\n[%s]\nk = v\n", name, name);
    assert_refused(text,
                   "t.ini:3: the key has 50 characters; at most 49 are read\n"
                   "t.ini:4: the section's name has 50 characters; at most 49 "
                   "are read\n");
}

static void
control_characters_are_refused(void **state)
{
    (void)state;
    static const char text[] = ENDPOINT "[log]\nlevel = info\0rmation\n"
                                        "format = te\x1b[0mxt\n; \x7f\nx\r = 1";
    assert_refused_bytes(
        text, sizeof(text) - 1,
        "t.ini:4: control character 0x00; save the file as plain UTF-8 text\n"
        "t.ini:5: control character 0x1b; save the file as plain UTF-8 text\n"
        "t.ini:6: control character 0x7f; save the file as plain UTF-8 text\n"
        "t.ini:7: control character 0x0d; save the file as plain UTF-8 text\n");
}

static void
values_and_keys_are_bounded(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    fputs(ENDPOINT "[plugin p options]\nlong = x\n", stream);
    for (int i = 0; i < 700; i++) {
        fprintf(stream, "  %099d\n", i);
    }
    for (int i = 0; i < 1001; i++) {
        fprintf(stream, "k%d = v\n", i);
    }
    fclose(stream);
    write_file("plugins/p.so", 0600, "");
    assert_refused(text, "t.ini:660: the value of \"long\" has more than 65536 "
                         "characters\n"
                         "t.ini:1704: more than 1000 keys in [plugin p "
                         "options]\n");
    free(text);
}

static void
files_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    struct config *config;
    int rc;
    char *printed = load_file(&config, &rc);
    assert_string_equal(printed,
                        "t.ini: cannot be read: No such file or directory\n");
    free(printed);

    char *large = malloc(1024 * 1024 + 1);
    assert_non_null(large);
    memset(large, ';', 1024 * 1024 + 1);
    assert_refused_bytes(
        large, 1024 * 1024 + 1,
        "t.ini: is larger than 1048576 bytes; is this an ini file?\n");
    free(large);

    assert_int_equal(unlink("t.ini"), 0);
    assert_int_equal(mkdir("t.ini", 0700), 0);
    printed = load_file(&config, &rc);
    assert_string_equal(printed, "t.ini: cannot be read: Is a directory\n");
    free(printed);
}

static void
thousands_of_mistakes_are_counted_not_kept(void **state)
{
    (void)state;
    struct config_report report = {0};
    for (int i = 0; i < 600; i++) {
        report_error(&report, "x.ini", 600 - i, "mistake\x1b %d", i);
    }
    assert_int_equal(report.errors, 600);
    assert_int_equal(report.count, 500);
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    report_print(&report, stream);
    fclose(stream);
    static const char start[] = "x.ini:101: mistake? 499\nx.ini:102: ";
    assert_memory_equal(text, start, strlen(start));
    assert_non_null(strstr(text, "\nand 100 more errors\n"));
    free(text);
    report_fini(&report);
    assert_int_equal(report.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_keep_their_lines_and_sections_their_order),
        cmocka_unit_test(indented_lines_continue_a_value),
        cmocka_unit_test(byte_order_mark_is_accepted),
        FOLDER_TEST(indented_keys_and_sections_are_refused),
        FOLDER_TEST(every_bad_line_is_told_at_once),
        FOLDER_TEST(what_is_given_twice_is_refused),
        cmocka_unit_test(lines_of_199_characters_are_read_whole),
        FOLDER_TEST(longer_lines_are_refused),
        FOLDER_TEST(names_of_49_characters_are_read_whole),
        FOLDER_TEST(control_characters_are_refused),
        FOLDER_TEST(values_and_keys_are_bounded),
        FOLDER_TEST(files_that_cannot_be_read_are_told),
        cmocka_unit_test(thousands_of_mistakes_are_counted_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
