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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(state_folder_is_there_or_could_be_made),
        FOLDER_TEST(places_of_others_are_refused),
        FOLDER_TEST(log_file_is_there_or_could_be_made),
        FOLDER_TEST(keys_without_a_value_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
