/* tests/unit/test_log.c: lines of the log, in each form.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "log.h"

#include <cjson/cJSON.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char hostile[] = "a \"b\" \\ \n\x1b[31m \x7f\xff end";

static char line[4096];

/* What log_write() puts on standard error, into `line`. */
static void
capture(enum log_format format, enum log_level level, const char *value,
        size_t len)
{
    int ends[2];
    struct log_value quoted;
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_setup(LOG_INFO, format);
    log_write(level, "http", "fixed text", "count=%d detail=%s last=x", 7,
              log_quote(&quoted, value, len));
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
}

static void
hostile_text_stays_in_its_line(void **state)
{
    (void)state;
    const enum log_format formats[] = {LOG_TEXT, LOG_LOGFMT, LOG_JSON};
    for (size_t i = 0; i < 3; i++) {
        capture(formats[i], LOG_WARN, hostile, sizeof(hostile) - 1);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        for (const char *at = line; at[1] != '\0'; at++) {
            assert_in_range((unsigned char)*at, 0x20, 0x7e);
        }
    }
}

static void
json_line_parses_and_holds_the_fields(void **state)
{
    (void)state;
    capture(LOG_JSON, LOG_ERROR, "say \"hi\"\n", 9);
    cJSON *json = cJSON_Parse(line);
    assert_non_null(json);
    static const struct {
        const char *key, *value;
    } fields[] = {{"level", "error"},         {"module", "http"},
                  {"msg", "fixed text"},      {"count", "7"},
                  {"detail", "say \"hi\"\n"}, {"last", "x"}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const cJSON *item = cJSON_GetObjectItem(json, fields[i].key);
        assert_true(cJSON_IsString(item));
        assert_string_equal(item->valuestring, fields[i].value);
    }
    cJSON_Delete(json);
}

static void
long_value_is_cut(void **state)
{
    (void)state;
    static char text[10000];
    memset(text, '\x01', sizeof(text)); /* six characters each when escaped */
    capture(LOG_JSON, LOG_WARN, text, sizeof(text));
    assert_true(strlen(line) < 600);
    assert_non_null(strstr(line, "..."));
    cJSON *json = cJSON_Parse(line);
    assert_non_null(json);
    cJSON_Delete(json);
}

static void
level_hides_what_is_below(void **state)
{
    (void)state;
    capture(LOG_TEXT, LOG_DEBUG, "x", 1);
    assert_string_equal(line, "");
    capture(LOG_TEXT, LOG_INFO, "x", 1);
    assert_string_not_equal(line, "");
}

static void
limit_counts_what_it_drops(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    unsigned dropped = 0, passed = 0;
    for (int i = 0; i < 3 * LOG_LIMIT_PER_S; i++) {
        passed += (unsigned)log_limit_pass(&limit, &dropped);
    }
    /* The second may have changed once on the way. */
    assert_in_range(passed, LOG_LIMIT_PER_S, 2 * LOG_LIMIT_PER_S);
    assert_true(atomic_load(&limit.dropped) + dropped >= LOG_LIMIT_PER_S);
}

/* ---- A file --------------------------------------------------------- */

static char folder[64];
static char path[128], renamed[128];

static int
make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/pegboard-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(renamed, sizeof(renamed), "%s/log.1", folder);
    log_setup(LOG_INFO, LOG_LOGFMT);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    int rc = log_open_file(NULL, NULL);
    unlink(path);
    unlink(renamed);
    return rc == RC_OK ? rmdir(folder) : -1;
}

/* The file's text, into `line`. */
static const char *
text_of(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';
    return line;
}

/* Whether it ends in the line that say() wrote last. */
static int
ends_with(const char *name, const char *end)
{
    const char *text = text_of(name);
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void
say(const char *word)
{
    log_write(LOG_INFO, "test", "said", "word=%s", word);
}

static void
lines_are_added_to_the_file(void **state)
{
    (void)state;
    const mode_t mask = umask(0077);
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    umask(mask);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    say("one");
    assert_int_equal(log_open_file(NULL, NULL), RC_OK);
    say("standard_error");
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    say("two");
    assert_non_null(strstr(text_of(path), " word=one\nts="));
    assert_true(ends_with(path, " word=two\n"));
    assert_null(strstr(line, "standard_error"));
}

static void
other_descriptors_are_not_affected(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    log_put(ends[1], "tail\n", 5);
    char got[8];
    assert_int_equal(read(ends[0], got, sizeof(got)), 5);
    assert_string_equal(text_of(path), "");
    close(ends[0]);
    close(ends[1]);
}

static void
renamed_file_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    say("before");
    assert_int_equal(rename(path, renamed), 0);
    say("meanwhile");
    assert_true(ends_with(renamed, " word=meanwhile\n"));
    assert_int_equal(log_reopen(NULL), RC_OK);
    say("after");
    assert_true(ends_with(path, " word=after\n"));
    assert_true(ends_with(renamed, " word=meanwhile\n"));
}

static void
bad_file_leaves_the_old_one(void **state)
{
    (void)state;
    char bad[160];
    struct error err;
    snprintf(bad, sizeof(bad), "%s/absent/log", folder);
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    assert_int_equal(log_open_file(bad, &err), RC_IO);
    assert_non_null(strstr(err.text, bad));
    say("still_here");
    assert_true(ends_with(path, " word=still_here\n"));

    /* And its path, too. */
    assert_int_equal(rename(path, renamed), 0);
    assert_int_equal(log_reopen(NULL), RC_OK);
    say("new_file");
    assert_true(ends_with(path, " word=new_file\n"));

    /* A reopening that fails. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(log_reopen(&err), RC_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(log_open_file(folder, &err), RC_IO);
}

static void
no_descriptor_is_left_open(void **state)
{
    (void)state;
    int before = dup(STDERR_FILENO);
    close(before);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(log_open_file(path, NULL), RC_OK);
        assert_int_equal(log_reopen(NULL), RC_OK);
    }
    assert_int_equal(log_open_file(NULL, NULL), RC_OK);
    int after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(after, before);
}

/* A file that may not grow stands for a disk that is full. */
static void
full_disk_costs_lines_and_they_are_counted(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    log_put(STDERR_FILENO, "", 0); /* nothing is owed from before */
    say("whole");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    small = limit;
    small.rlim_cur = (rlim_t)st.st_size + 20; /* a part of a line */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    say("torn");
    say("lost");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    say("again");
    assert_null(strstr(text_of(path), "word=lost"));
    const char *at = line + st.st_size + 20;
    static const char note[] = "\npegboard: 2 lines were dropped here: they "
                               "could not be written\nts=";
    assert_memory_equal(at, note, sizeof(note) - 1);
    assert_true(ends_with(path, " word=again\n"));
}

static void
device_that_is_full_is_survived(void **state)
{
    (void)state;
    assert_int_equal(log_open_file("/dev/full", NULL), RC_OK);
    say("lost");
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    say("here");
    assert_non_null(strstr(text_of(path), "1 lines were dropped"));
    assert_true(ends_with(path, " word=here\n"));
}

/* A file is no terminal, whatever was opened first. */
static void
automatic_format_follows_the_file(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_AUTO);
    assert_int_equal(log_open_file(path, NULL), RC_OK);
    say("x");
    assert_memory_equal(text_of(path), "ts=", 3);
}

#define FILE_TEST(test)                                                        \
    cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_stays_in_its_line),
        cmocka_unit_test(json_line_parses_and_holds_the_fields),
        cmocka_unit_test(long_value_is_cut),
        cmocka_unit_test(level_hides_what_is_below),
        cmocka_unit_test(limit_counts_what_it_drops),
        FILE_TEST(lines_are_added_to_the_file),
        FILE_TEST(other_descriptors_are_not_affected),
        FILE_TEST(renamed_file_is_left_behind),
        FILE_TEST(bad_file_leaves_the_old_one),
        FILE_TEST(no_descriptor_is_left_open),
        FILE_TEST(full_disk_costs_lines_and_they_are_counted),
        FILE_TEST(device_that_is_full_is_survived),
        FILE_TEST(automatic_format_follows_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
