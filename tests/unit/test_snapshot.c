/* tests/unit/test_snapshot.c: private copies of files that may change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "object_fixture.h"

#include "error.h"
#include "plugin/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/pegboard-test-XXXXXX";
static char source[64], copies[64];

/* ---- Standing before the C library ---------------------------------- */

static int is_noexec; /* every file system is */
static void (*meanwhile)(
    void);             /* done once, when a source has been looked at */
static char steps[16]; /* "f" a file flushed, "r" renamed, "d" a folder */

static void
note_step(char step)
{
    size_t at = strlen(steps);
    if (at < sizeof(steps) - 1) {
        steps[at] = step;
        steps[at + 1] = '\0';
    }
}

__attribute__((visibility("default"))) int
statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    memset(out, 0, sizeof(*out));
    out->f_flag = is_noexec ? ST_NOEXEC : 0;
    return 0;
}

__attribute__((visibility("default"))) int
fstat(int fd, struct stat *st)
{
    int rc = fstatat(fd, "", st, AT_EMPTY_PATH);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    /* The look that counts: the tick of the last change is over. */
    if (meanwhile != NULL && (st->st_ctim.tv_sec < now.tv_sec ||
                              st->st_ctim.tv_nsec < now.tv_nsec)) {
        void (*once)(void) = meanwhile;
        meanwhile = NULL;
        once();
    }
    return rc;
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
    struct stat st;
    fstatat(fd, "", &st, AT_EMPTY_PATH);
    note_step(S_ISDIR(st.st_mode) ? 'd' : 'f');
    return (int)syscall(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int
rename(const char *from, const char *to)
{
    note_step('r');
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* ---- Files ---------------------------------------------------------- */

static void
write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int
setup(void **state)
{
    (void)state;
    if (read_object() != 0 || mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(source, sizeof(source), "%s/p.so", dir);
    snprintf(copies, sizeof(copies), "%s/copies", dir);
    write_file(source, bytes, len);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    free(bytes);
    return system(command);
}

static void
copy_is_named_by_its_bytes_and_read_only(void **state)
{
    (void)state;
    struct snapshot a = {0}, b = {0};
    struct error err = {0};
    struct stat st;
    assert_int_equal(snapshot_make(&a, source, copies, &err), RC_OK);
    assert_int_equal(snapshot_make(&b, source, copies, &err), RC_OK);
    assert_string_equal(a.path, b.path);
    assert_int_equal(strlen(a.digest), 64);
    assert_non_null(strstr(a.path, a.digest));
    assert_int_equal(stat(a.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    assert_int_equal(st.st_size, (off_t)len);
    assert_int_equal(stat(copies, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snapshot_fini(&a);
    snapshot_fini(&b);
}

static void
copy_outlives_a_rewrite_of_its_source(void **state)
{
    (void)state;
    struct snapshot before = {0}, after = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&before, source, copies, &err), RC_OK);
    char *longer = malloc(len + 1);
    memcpy(longer, bytes, len);
    longer[len] = 'x'; /* behind all that the headers speak of */
    write_file(source, longer, len + 1);
    assert_int_equal(snapshot_make(&after, source, copies, &err), RC_OK);
    assert_string_not_equal(before.digest, after.digest);
    struct stat st;
    assert_int_equal(stat(before.path, &st), 0);
    assert_int_equal(st.st_size, (off_t)len);
    write_file(source, bytes, len);
    free(longer);
    snapshot_fini(&before);
    snapshot_fini(&after);
}

static void
damaged_copy_of_the_same_name_is_replaced(void **state)
{
    (void)state;
    struct snapshot a = {0}, b = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&a, source, copies, &err), RC_OK);
    assert_int_equal(unlink(a.path), 0);
    write_file(a.path, bytes, len / 2);
    assert_int_equal(snapshot_make(&b, source, copies, &err), RC_OK);
    struct stat st;
    assert_int_equal(stat(b.path, &st), 0);
    assert_int_equal(st.st_size, (off_t)len);
    snapshot_fini(&a);
    snapshot_fini(&b);
}

static void
damage_that_keeps_the_length_is_found(void **state)
{
    (void)state;
    struct snapshot a = {0}, b = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&a, source, copies, &err), RC_OK);
    assert_int_equal(snapshot_verify(a.path, a.digest, &err), RC_OK);
    assert_int_equal(unlink(a.path), 0);
    assert_int_equal(snapshot_verify(a.path, a.digest, &err), RC_NOT_FOUND);
    char *rotten = malloc(len);
    memcpy(rotten, bytes, len);
    rotten[len / 2] ^= 1;
    write_file(a.path, rotten, len);
    free(rotten);
    assert_int_equal(snapshot_verify(a.path, a.digest, &err), RC_INVALID);
    assert_non_null(strstr(err.text, a.path));
    assert_int_equal(snapshot_make(&b, source, copies, &err), RC_OK);
    assert_int_equal(snapshot_verify(b.path, b.digest, &err), RC_OK);
    snapshot_fini(&a);
    snapshot_fini(&b);
}

/* Its bytes would be right today, and another's tomorrow. */
static void
link_in_place_of_a_copy_is_replaced(void **state)
{
    (void)state;
    struct snapshot a = {0}, b = {0};
    struct error err = {0};
    struct stat st;
    assert_int_equal(snapshot_make(&a, source, copies, &err), RC_OK);
    assert_int_equal(unlink(a.path), 0);
    assert_int_equal(symlink(source, a.path), 0);
    assert_int_equal(snapshot_make(&b, source, copies, &err), RC_OK);
    assert_int_equal(lstat(b.path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    snapshot_fini(&a);
    snapshot_fini(&b);
}

static void
copy_is_flushed_before_and_after_it_is_named(void **state)
{
    (void)state;
    struct snapshot made = {0};
    struct error err = {0};
    char fresh[80];
    snprintf(fresh, sizeof(fresh), "%s/fresh", dir);
    steps[0] = '\0';
    assert_int_equal(snapshot_make(&made, source, fresh, &err), RC_OK);
    assert_string_equal(steps, "dfrd"); /* a new folder, and what is in it */
    snapshot_fini(&made);
    steps[0] = '\0';
    /* One made before may not have got to its last step. */
    assert_int_equal(snapshot_make(&made, source, fresh, &err), RC_OK);
    assert_string_equal(steps, "d");
    snapshot_fini(&made);
}

/* ---- Sources that change -------------------------------------------- */

static void
write_at(off_t at, const char *data, size_t size)
{
    int fd = open(source, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, size, at), (ssize_t)size);
    close(fd);
}

static void
overwrite(void)
{
    write_at(0, bytes, len);
}

static void
append(void)
{
    write_at((off_t)len, "x", 1);
}

static void
cut(void)
{
    assert_int_equal(truncate(source, (off_t)len / 2), 0);
}

/* As tools do that put back the old time. */
static void
overwrite_and_hide_it(void)
{
    struct stat st;
    assert_int_equal(stat(source, &st), 0);
    overwrite();
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, source, times, 0), 0);
}

static void
source_that_changes_meanwhile_is_refused(void **state)
{
    (void)state;
    void (*const changes[])(void) = {overwrite, append, cut,
                                     overwrite_and_hide_it};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct snapshot made = {0};
        struct error err = {0};
        write_file(source, bytes, len); /* a moment ago: in this very tick */
        meanwhile = changes[i];
        assert_int_equal(snapshot_make(&made, source, copies, &err),
                         RC_INVALID);
        assert_null(meanwhile);
        assert_non_null(strstr(err.text, source));
        assert_non_null(strstr(err.text, "rename that with mv"));
        assert_null(made.path);
        write_file(source, bytes, len);
        assert_int_equal(snapshot_make(&made, source, copies, &err), RC_OK);
        snapshot_fini(&made);
    }
}

static void
link_may_be_turned_to_another_file(void **state)
{
    (void)state;
    struct snapshot made = {0};
    struct error err = {0};
    char link_path[80];
    snprintf(link_path, sizeof(link_path), "%s/current.so", dir);
    assert_int_equal(symlink("p.so", link_path), 0);
    assert_int_equal(snapshot_make(&made, link_path, copies, &err), RC_OK);
    snapshot_fini(&made);
}

static void
folder_that_nothing_can_be_loaded_from_is_refused(void **state)
{
    (void)state;
    struct snapshot made = {0};
    struct error err = {0};
    is_noexec = 1;
    assert_int_equal(snapshot_make(&made, source, copies, &err), RC_IO);
    is_noexec = 0;
    assert_non_null(strstr(err.text, copies));
    assert_non_null(strstr(err.text, "noexec"));
    assert_non_null(strstr(err.text, "state_dir"));
}

static void
missing_files_and_folders_are_refused(void **state)
{
    (void)state;
    struct snapshot made = {0};
    struct error err = {0};
    assert_int_equal(snapshot_make(&made, "/nowhere.so", copies, &err),
                     RC_NOT_FOUND);
    assert_int_equal(snapshot_make(&made, dir, copies, &err), RC_INVALID);
    assert_null(made.path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_is_named_by_its_bytes_and_read_only),
        cmocka_unit_test(copy_outlives_a_rewrite_of_its_source),
        cmocka_unit_test(damaged_copy_of_the_same_name_is_replaced),
        cmocka_unit_test(damage_that_keeps_the_length_is_found),
        cmocka_unit_test(link_in_place_of_a_copy_is_replaced),
        cmocka_unit_test(copy_is_flushed_before_and_after_it_is_named),
        cmocka_unit_test(source_that_changes_meanwhile_is_refused),
        cmocka_unit_test(link_may_be_turned_to_another_file),
        cmocka_unit_test(folder_that_nothing_can_be_loaded_from_is_refused),
        cmocka_unit_test(missing_files_and_folders_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
