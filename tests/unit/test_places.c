/* tests/unit/test_places.c: whether a daemon could write where it has to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include "config/places.h"

#define ADVICE                                                                 \
    "; make it and give it to that user with chown, or write another path\n"

static char found[1024];

static struct config *
load(const char *state_dir, const char *log_file)
{
    char text[512];
    snprintf(text, sizeof(text), "[server]\nstate_dir = %s\n%s%s\n" ENDPOINT,
             state_dir, log_file != NULL ? "[log]\nfile = " : "",
             log_file != NULL ? log_file : "");
    return assert_loads(text);
}

/* What is found out about its places; "" when all is well. Closes it. */
static const char *
judge(struct config *config)
{
    struct config_report report = {0};
    int rc = places_check(config, &report);
    assert_int_equal(rc, report.errors > 0 ? RC_INVALID : RC_OK);
    memset(found, 0, sizeof(found));
    FILE *stream = fmemopen(found, sizeof(found) - 1, "w");
    assert_non_null(stream);
    report_print(&report, stream);
    fclose(stream);
    report_fini(&report);
    config_close(config);
    return found;
}

static const char *
check(const char *state_dir, const char *log_file)
{
    return judge(load(state_dir, log_file));
}

static int
is_absent(const char *path)
{
    return access(path, F_OK) != 0;
}

static void
state_folder_is_there_or_could_be_made(void **state)
{
    (void)state;
    assert_string_equal(check("plugins", NULL), "");
    assert_string_equal(check("state", NULL), "");
    assert_string_equal(check("state/", NULL), "");
    assert_true(is_absent("state")); /* only looked at */

    char expected[512];
    snprintf(expected, sizeof(expected),
             "t.ini:2: state_dir: ./a/b cannot be made or written to by user "
             "%u: No such file or directory" ADVICE,
             (unsigned)geteuid());
    assert_string_equal(check("a/b", NULL), expected);
    snprintf(expected, sizeof(expected),
             "t.ini:2: state_dir: ./secret cannot be made or written to by "
             "user %u: Not a directory" ADVICE,
             (unsigned)geteuid());
    assert_string_equal(check("secret", NULL), expected);
    assert_non_null(strstr(check("secret/x", NULL), "Not a directory"));
}

/* Root may write everywhere, so it steps down for the question. */
static void
places_of_others_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("theirs", 0500), 0);
    assert_int_equal(chmod(fixture_folder, 0711), 0);
    struct config *there = load("theirs", "theirs/log");
    struct config *inside = load("theirs/new", NULL);
    const uid_t uid = geteuid();
    if (uid == 0) {
        assert_int_equal(chmod("theirs", 0755), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "t.ini:2: state_dir: ./theirs cannot be made or written to by "
             "user %u: Permission denied" ADVICE
             "t.ini:4: file: the log's file ./theirs/log cannot be opened: "
             "Permission denied; write another path, or take the line out for "
             "standard error\n",
             (unsigned)geteuid());
    assert_string_equal(judge(there), expected);
    assert_non_null(strstr(judge(inside), "Permission denied"));
    assert_int_equal(seteuid(uid), 0);
}

static void
log_file_is_there_or_could_be_made(void **state)
{
    (void)state;
    write_file("log", 0600, "");
    assert_string_equal(check("state", "log"), "");
    assert_string_equal(check("state", "new.log"), "");
    assert_true(is_absent("new.log"));
    assert_string_equal(check("state", "/dev/null"), "");
    /* state_dir is made before it. */
    assert_string_equal(check("state", "state/log"), "");
    assert_string_equal(check("state", "elsewhere/log"),
                        "t.ini:4: file: the log's file ./elsewhere/log cannot "
                        "be opened: No such file or directory; write another "
                        "path, or take the line out for standard error\n");
    assert_non_null(strstr(check("state", "plugins"), "Is a directory"));
}

static void
keys_without_a_value_are_refused(void **state)
{
    (void)state;
    assert_refused("[server]\nstate_dir =\n[log]\nfile =\n" ENDPOINT,
                   "t.ini:2: state_dir: has no value; give one or take the "
                   "line out\n"
                   "t.ini:4: file: has no value; give one or take the line "
                   "out\n");
    assert_refused("[log]\nfile = ~/log\n" ENDPOINT,
                   "t.ini:2: file: ~ is not expanded; write the whole path\n");
}

/* ---- Of plugins ------------------------------------------------------ */

static struct config *
load_plugin(const char *keys)
{
    char text[512];
    write_file("plugins/p.so", 0644, "");
    snprintf(text, sizeof(text),
             "[server]\nstate_dir = state\n" ENDPOINT "[plugin p]\n%s", keys);
    return assert_loads(text);
}

static void
data_dirs_are_made_for_their_user(void **state)
{
    (void)state;
    struct stat st;
    struct config_report report = {0};
    assert_int_equal(mkdir("state", 0700), 0);
    struct config *config = load_plugin("data_dir = own\n");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(places_make(config, &report), RC_OK);
        assert_int_equal(report.count, 0);
        assert_int_equal(stat("state/own", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(st.st_uid, geteuid());
    }
    assert_int_equal(chmod("state/own", 0750), 0); /* as somebody wants it */
    assert_int_equal(places_make(config, &report), RC_OK);
    assert_int_equal(stat("state/own", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    config_close(config);

    if (geteuid() == 0) {
        config = load_plugin("data_dir = theirs\nuser = nobody\n");
        assert_int_equal(places_make(config, &report), RC_OK);
        assert_int_equal(stat("state/theirs", &st), 0);
        assert_int_equal(st.st_uid, 65534);
        assert_int_equal(st.st_gid, 65534);
        config_close(config);
    }
    config = load_plugin("data_dir = off\nenabled = no\n");
    assert_int_equal(places_make(config, &report), RC_OK);
    assert_true(is_absent("state/off"));
    config_close(config);
    report_fini(&report);
}

static void
data_dirs_that_cannot_be_made_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *message;
    } wrong[] = {
        {"data_dir = a/b\n",
         "data_dir of plugin p: ./state/a/b cannot be made: No such file or "
         "directory; make the folder it stands in, or write another path"},
        {"data_dir = file\n",
         "data_dir of plugin p: ./state/file cannot be made: Not a directory; "
         "make the folder it stands in, or write another path"},
    };
    assert_int_equal(mkdir("state", 0700), 0);
    write_file("state/file", 0600, "");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct config_report report = {0};
        struct config *config = load_plugin(wrong[i].keys);
        assert_int_equal(places_make(config, &report), RC_INVALID);
        assert_int_equal(report.errors, 1);
        assert_int_equal(report.findings[0].line, 5);
        assert_string_equal(report.findings[0].message, wrong[i].message);
        config_close(config);
        report_fini(&report);
    }
}

static void
who_only_looks_does_without(void **state)
{
    (void)state;
    struct config_report report = {0};
    struct config *config = load_plugin("data_dir = own\n");
    places_forget(config, &report);
    assert_int_equal(report.errors, 0);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.findings[0].message,
                        "data_dir of plugin p: there is no ./state/own yet; "
                        "the daemon will make it, and here the plugin does "
                        "without");
    assert_null(config->plugins[0].data_dir);
    assert_true(is_absent("state"));
    config_close(config);
    report_fini(&report);

    assert_int_equal(mkdir("state", 0700), 0);
    assert_int_equal(mkdir("state/own", 0700), 0);
    config = load_plugin("data_dir = own\n");
    places_forget(config, &report);
    assert_int_equal(report.count, 0);
    assert_non_null(config->plugins[0].data_dir);
    config_close(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(state_folder_is_there_or_could_be_made),
        FOLDER_TEST(places_of_others_are_refused),
        FOLDER_TEST(log_file_is_there_or_could_be_made),
        FOLDER_TEST(keys_without_a_value_are_refused),
        FOLDER_TEST(data_dirs_are_made_for_their_user),
        FOLDER_TEST(data_dirs_that_cannot_be_made_are_told),
        FOLDER_TEST(who_only_looks_does_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
