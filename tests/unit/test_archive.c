/* tests/unit/test_archive.c: generations kept on disk: whole at every moment,
 * and found only when every byte is right.
 * SPDX-License-Identifier: Apache-2.0 */
#include "archive_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KILLED 77 /* how a child says that it ended at its step */

/* ---- Standing before the C library ---------------------------------- */

static int steps;       /* calls that change something on the disk, so far */
static int fatal_step;  /* the process ends at this one; 0: none */
static int failed_step; /* this one fails */
static int no_exchange; /* as on file systems that cannot */

/* Whether to go on. */
static int
step(void)
{
    steps++;
    if (steps == fatal_step) {
        _exit(KILLED);
    }
    if (steps == failed_step) {
        errno = EIO;
        return 0;
    }
    return 1;
}

__attribute__((visibility("default"))) ssize_t
write(int fd, const void *bytes, size_t len)
{
    if (steps + 1 == fatal_step) { /* dies when half of it is written */
        syscall(SYS_write, fd, bytes, len / 2);
    }
    return step() ? syscall(SYS_write, fd, bytes, len) : -1;
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
    return step() ? (int)syscall(SYS_fsync, fd) : -1;
}

__attribute__((visibility("default"))) int
mkdirat(int at, const char *path, mode_t mode)
{
    return step() ? (int)syscall(SYS_mkdirat, at, path, mode) : -1;
}

__attribute__((visibility("default"))) int
unlinkat(int at, const char *path, int flags)
{
    return step() ? (int)syscall(SYS_unlinkat, at, path, flags) : -1;
}

__attribute__((visibility("default"))) int
renameat2(int from_at, const char *from, int to_at, const char *to,
          unsigned flags)
{
    if (flags != 0 && no_exchange) {
        errno = EINVAL;
        return -1;
    }
    return step() ? (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags)
                  : -1;
}

__attribute__((visibility("default"))) int
renameat(int from_at, const char *from, int to_at, const char *to)
{
    return renameat2(from_at, from, to_at, to, 0);
}

static void
let_all_pass(void)
{
    steps = fatal_step = failed_step = no_exchange = 0;
}

/* ---- What is there -------------------------------------------------- */

/* Find generation 7, as a word: "none", its text, or "broken". */
static const char *
found(void)
{
    static char text[64];
    struct archived archived = {0};
    struct error err = {0};
    int rc = archive_find(&archived, STATE, 7, &err);
    if (rc != RC_OK) {
        return rc == RC_NOT_FOUND ? "none" : "broken";
    }
    FILE *file = fopen(archived.text_path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    archived_fini(&archived);
    return text;
}

/* Entries of STATE/generations but those that are numbers. */
static size_t
leftovers(void)
{
    size_t count = 0;
    DIR *dir = opendir(STATE "/generations");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        count += strncmp(entry->d_name, ".new", 4) == 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

/* ---- Keeping -------------------------------------------------------- */

static void
kept_generation_is_found_as_it_was(void **state)
{
    (void)state;
    struct archived archived = {0};
    struct error err = {0};
    char path[PATH_MAX];
    struct stat st;
    keep(41, "[server]\n", "a=one b=two again=one");
    assert_int_equal(archive_find(&archived, STATE, 41, &err), RC_OK);
    assert_string_equal(archived.text_path,
                        STATE "/generations/41/pegboard.ini");
    assert_int_equal(archived.pin_count, 3);
    assert_string_equal(archived.pins[0].name, "a");
    path_of(path, "one");
    assert_string_equal(archived.pins[0].path, path);
    assert_string_equal(archived.pins[1].name, "b");
    path_of(path, "two");
    assert_string_equal(archived.pins[1].path, path);
    assert_string_equal(archived.pins[2].name, "again");
    archived_fini(&archived);

    assert_int_equal(stat(STATE "/generations", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(STATE "/generations/41", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(STATE "/generations/41/pegboard.ini", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(STATE "/generations/41/plugins", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void
generation_without_plugins_is_one(void **state)
{
    (void)state;
    struct archived archived = {0};
    keep(7, "", "");
    assert_int_equal(archive_find(&archived, STATE, 7, NULL), RC_OK);
    assert_int_equal(archived.pin_count, 0);
    archived_fini(&archived);
}

static void
number_that_is_kept_again_is_replaced(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        no_exchange = i;
        keep(7, "old\n", "a=one");
        keep(7, "new\n", "a=one");
        assert_string_equal(found(), "new\n");
        assert_int_equal(leftovers(), 0);
    }
    let_all_pass();
}

/* Keep `text` as generation 7 in a process that ends at its step. Returns
 * whether it got so far. */
static int
is_killed_at(int at, const struct made *made)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        steps = 0;
        fatal_step = at;
        _exit(archive_keep(STATE, 7, &made->generation, NULL) == RC_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
    return WEXITSTATUS(status) == KILLED;
}

static void
killed_at_any_step_it_is_whole_or_not_there(void **state)
{
    (void)state;
    struct made made;
    make(&made, "a long text\n", "a=one b=two");
    int at = 1;
    while (is_killed_at(at, &made)) {
        const char *now = found();
        if (strcmp(now, "none") != 0 && strcmp(now, "a long text\n") != 0) {
            fail_msg("killed at step %d: %s", at, now);
        }
        archive_sweep(STATE, NULL, 0, NULL, 0);
        assert_string_equal(found(), "none");
        assert_int_equal(leftovers(), 0);
        make(&made, "a long text\n", "a=one b=two"); /* swept */
        at++;
    }
    assert_true(at > 8);
    assert_string_equal(found(), "a long text\n");
}

static void
killed_at_any_step_the_one_before_stays(void **state)
{
    (void)state;
    struct made made;
    int at = 1;
    do {
        keep(7, "old\n", "a=one"); /* what is left over does not hinder */
        make(&made, "new\n", "a=one b=two");
        int killed = is_killed_at(at, &made);
        const char *now = found();
        if (killed ? strcmp(now, "old\n") != 0 && strcmp(now, "new\n") != 0
                   : strcmp(now, "new\n") != 0) {
            fail_msg("killed at step %d: %s", at, now);
        }
        at = killed ? at + 1 : 0;
    } while (at > 0);
}

static void
failure_of_any_step_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct made made;
    struct error err = {0};
    int at = 0, rc;
    make(&made, "text\n", "a=one");
    do {
        let_all_pass();
        failed_step = ++at;
        rc = archive_keep(STATE, 7, &made.generation, &err);
        int reached = steps >= failed_step;
        let_all_pass();
        if (!reached) {
            assert_int_equal(rc, RC_OK);
            break;
        }
        assert_int_equal(rc, RC_IO);
        assert_non_null(strstr(err.text, STATE));
        const char *now = found();
        assert_true(strcmp(now, "none") == 0 || strcmp(now, "text\n") == 0);
        assert_int_equal(leftovers(), 0);
    } while (strcmp(found(), "none") == 0);
    assert_true(at > 8); /* the last is the flush behind the rename */
}

/* ---- Finding -------------------------------------------------------- */

static void
generation_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    struct archived archived = {0};
    struct error err = {0};
    assert_int_equal(archive_find(&archived, "nowhere", 7, &err), RC_NOT_FOUND);
    keep(8, "", "");
    assert_int_equal(archive_find(&archived, STATE, 7, &err), RC_NOT_FOUND);
    assert_non_null(strstr(err.text, "generation 7"));
    assert_null(archived.text_path);
}

static void
copy_with_other_bytes_is_refused(void **state)
{
    (void)state;
    struct archived archived = {0};
    struct error err = {0};
    char path[PATH_MAX];
    keep(7, "", "a=one b=two");
    path_of(path, "two");
    write_file(path, 0444, "twO");
    assert_int_equal(archive_find(&archived, STATE, 7, &err), RC_INVALID);
    assert_non_null(strstr(err.text, "plugin b"));
    assert_non_null(strstr(err.text, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(archive_find(&archived, STATE, 7, &err), RC_INVALID);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_not_equal(archive_find(&archived, STATE, 7, &err), RC_OK);
    assert_null(archived.pins);
}

static void
damaged_folder_is_refused(void **state)
{
    (void)state;
    const char *digest =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const char *const formats[] = {
        "a",
        "a\n",
        "a %s",
        " %s\n",
        "%s\n",
        "a  %s\n",
        "a %sb\n",
        "a %.63s\n",
        "A %s\n",
        "a %s \n",
        "a %s\n\n",
        "../b %s\n",
        "a %.63sA\n",
        "a %.63s/\n",
        "a b %s\n",
        "a %s\nb\n",
        "a\t%s\n",
        "a %s\r\n",
        "a %.60s..so\n",
        "0123456789-0123456789-0123456789-0123456789 %s\n",
    };
    struct archived archived = {0};
    struct error err = {0};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char text[256];
        keep(7, "", "a=one");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(text, sizeof(text), formats[i], digest);
#pragma GCC diagnostic pop
        write_file(STATE "/generations/7/plugins", 0600, text);
        if (archive_find(&archived, STATE, 7, &err) != RC_INVALID ||
            strstr(err.text, "damaged") == NULL) {
            fail_msg("not refused as damaged: %s", text);
        }
    }
}

static void
list_of_too_many_is_refused(void **state)
{
    (void)state;
    struct archived archived = {0};
    struct error err = {0};
    keep(7, "", "a=one");
    char line[128], all[80 * 128] = "", path[PATH_MAX];
    path_of(path, "one");
    for (int i = 0; i < CONFIG_PLUGINS_MAX + 1; i++) {
        if (i == CONFIG_PLUGINS_MAX) {
            write_file(STATE "/generations/7/plugins", 0600, all);
            assert_string_equal(found(), "");
        }
        snprintf(line, sizeof(line), "p%d %.64s\n", i, strrchr(path, '/') + 1);
        strcat(all, line);
    }
    write_file(STATE "/generations/7/plugins", 0600, all);
    assert_int_equal(archive_find(&archived, STATE, 7, &err), RC_INVALID);
}

static void
folder_that_lacks_a_file_is_refused(void **state)
{
    (void)state;
    keep(7, "text", "a=one");
    assert_int_equal(unlink(STATE "/generations/7/pegboard.ini"), 0);
    assert_string_equal(found(), "broken");
    assert_int_equal(
        symlink("../../../secret", STATE "/generations/7/pegboard.ini"), 0);
    assert_string_equal(found(), "broken");
    keep(7, "text", "a=one");
    assert_string_equal(found(), "text");
    assert_int_equal(unlink(STATE "/generations/7/plugins"), 0);
    assert_string_equal(found(), "broken");
}

/* ---- What it is made of --------------------------------------------- */

static const char *
inputs(const char *text, const char *plugins)
{
    static char out[DIGEST_HEX_ROOM];
    struct made made;
    make(&made, text, plugins);
    assert_int_equal(archive_inputs(&made.generation, out, NULL), RC_OK);
    assert_int_equal(strlen(out), 64);
    return out;
}

static void
inputs_are_the_text_and_the_plugins(void **state)
{
    (void)state;
    char first[DIGEST_HEX_ROOM];
    snprintf(first, sizeof(first), "%s", inputs("text", "a=one b=two"));
    assert_string_equal(inputs("text", "a=one b=two"), first);
    assert_string_not_equal(inputs("text\n", "a=one b=two"), first);
    assert_string_not_equal(inputs("text", "a=one"), first);
    assert_string_not_equal(inputs("text", "b=two a=one"), first);
    assert_string_not_equal(inputs("text", "a=one b=three"), first);
    assert_string_not_equal(inputs("text", "a=one c=two"), first);
    assert_string_not_equal(inputs("text", "a=two b=one"), first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(kept_generation_is_found_as_it_was),
        FOLDER_TEST(generation_without_plugins_is_one),
        FOLDER_TEST(number_that_is_kept_again_is_replaced),
        FOLDER_TEST(killed_at_any_step_it_is_whole_or_not_there),
        FOLDER_TEST(killed_at_any_step_the_one_before_stays),
        FOLDER_TEST(failure_of_any_step_is_told_and_leaves_nothing),
        FOLDER_TEST(generation_that_is_not_there_is_not_found),
        FOLDER_TEST(copy_with_other_bytes_is_refused),
        FOLDER_TEST(damaged_folder_is_refused),
        FOLDER_TEST(list_of_too_many_is_refused),
        FOLDER_TEST(folder_that_lacks_a_file_is_refused),
        FOLDER_TEST(inputs_are_the_text_and_the_plugins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
