/* tests/unit/test_watch.c: when a rebuilt plugin is told, and when it is not.
 * The file that is built again and again is a copy of a library of this very
 * program, with some bytes behind its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/built.h"
#include "cli/watch.h"
#include "clock.h"
#include "error.h"

#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define BYTES_MAX   (4U << 20)

static char dir[64];
static char *bytes; /* of a whole shared object */
static size_t len;
static struct watch *watch;
static unsigned version; /* every build differs */

static const char *
in_dir(const char *name)
{
    static char rooms[4][256];
    static unsigned turn;
    char *room = rooms[turn++ % 4];
    snprintf(room, sizeof(rooms[0]), "%s/%s", dir, name);
    return room;
}

/* Write `size` bytes of a version, and leave the file open. */
static int
write_some(const char *name, size_t size)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    return fd;
}

static void
build(const char *name)
{
    int fd = write_some(name, len);
    version++;
    assert_int_equal(write(fd, &version, sizeof(version)), sizeof(version));
    assert_int_equal(close(fd), 0);
}

static void
start(const char *first, const char *second)
{
    const char *paths[2] = {first, second};
    struct error err = {0};
    assert_int_equal(watch_open(&watch, paths, second != NULL ? 2 : 1, &err),
                     RC_OK);
    assert_int_equal(watch_deadline_ms(watch), INT64_MAX);
}

/* Turn it as its owner does, until it tells something or has nothing to do, or
 * for so long. */
static int
turn_for(int64_t most_ms)
{
    int64_t end_ms = clock_mono_ms() + most_ms;
    for (;;) {
        if (watch_turn(watch)) {
            return 1;
        }
        int64_t due_ms = watch_deadline_ms(watch);
        if (due_ms == INT64_MAX || clock_mono_ms() >= end_ms) {
            return 0;
        }
        struct pollfd fd = {.fd = watch_fd(watch), .events = POLLIN};
        poll(&fd, 1, clock_poll_ms(due_ms < end_ms ? due_ms : end_ms));
    }
}

static void
is_told_once(void)
{
    assert_true(turn_for(PATIENCE_MS));
    assert_false(turn_for(PATIENCE_MS));
}

static void
is_not_told(void)
{
    assert_false(turn_for(PATIENCE_MS));
}

static int
find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    if (strstr(info->dlpi_name, "libcmocka") != NULL) {
        snprintf(arg, 256, "%s", info->dlpi_name);
    }
    return 0;
}

static int
read_library(void **state)
{
    (void)state;
    char path[256] = "";
    dl_iterate_phdr(find_library, path);
    FILE *file = fopen(path, "r");
    bytes = malloc(BYTES_MAX);
    if (file == NULL || bytes == NULL) {
        return -1;
    }
    len = fread(bytes, 1, BYTES_MAX, file);
    return fclose(file);
}

static int
free_library(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/pegboard-test-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    build("p.so");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    char command[128];
    watch_close(watch);
    watch = NULL;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

/* ---- Ways to put a new version there -------------------------------- */

static void
rewritten_in_place_is_told(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    build("p.so");
    is_told_once();
    build("p.so");
    is_told_once();
}

static void
renamed_over_is_told(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    build("new");
    is_not_told();
    assert_int_equal(rename(in_dir("new"), in_dir("p.so")), 0);
    is_told_once();
}

static void
unlinked_and_made_again_is_told_once(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    assert_int_equal(unlink(in_dir("p.so")), 0);
    assert_false(watch_turn(watch));
    build("p.so");
    is_told_once();
}

static void
moved_into_place_after_a_while_is_told(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    assert_int_equal(unlink(in_dir("p.so")), 0);
    is_not_told(); /* gone is not news */
    build("other");
    assert_int_equal(link(in_dir("other"), in_dir("p.so")), 0);
    is_told_once();
}

static void
swapped_link_is_told(void **state)
{
    (void)state;
    build("v1");
    build("v2");
    assert_int_equal(symlink("v1", in_dir("link.so")), 0);
    start(in_dir("link.so"), NULL);
    assert_int_equal(symlink("v2", in_dir("new")), 0);
    assert_int_equal(rename(in_dir("new"), in_dir("link.so")), 0);
    is_told_once();
    build("v2"); /* the new one is watched now */
    is_told_once();
    build("v1"); /* ... and the old one no longer */
    is_not_told();
}

static void
what_a_chain_of_links_ends_in_is_told(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_dir("deep"), 0755), 0);
    build("deep/v1");
    build("deep/v2");
    assert_int_equal(symlink("v1", in_dir("deep/now")), 0);
    assert_int_equal(symlink("deep/now", in_dir("a.so")), 0);
    assert_int_equal(symlink(in_dir("a.so"), in_dir("b.so")), 0);
    start(in_dir("b.so"), NULL);
    build("deep/v1");
    is_told_once();
    assert_int_equal(unlink(in_dir("deep/now")), 0);
    assert_int_equal(symlink("v2", in_dir("deep/now")), 0);
    is_told_once();
    build("deep/v2");
    is_told_once();
}

static void
link_to_itself_is_no_news(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    assert_int_equal(unlink(in_dir("p.so")), 0);
    assert_int_equal(symlink("p.so", in_dir("p.so")), 0);
    assert_true(turn_for(PATIENCE_MS)); /* that it cannot be read */
    assert_int_equal(unlink(in_dir("p.so")), 0);
    build("p.so");
    is_told_once();
}

static void
folder_that_was_removed_and_made_again_is_watched_again(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_dir("build"), 0755), 0);
    build("build/p.so");
    start(in_dir("build/p.so"), NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(unlink(in_dir("build/p.so")), 0);
        assert_int_equal(rmdir(in_dir("build")), 0);
        assert_false(turn_for(1000)); /* it is looked for, without end */
        assert_int_equal(mkdir(in_dir("build"), 0755), 0);
        build("build/p.so");
        is_told_once();
    }
    assert_int_equal(rename(in_dir("build"), in_dir("build.old")), 0);
    assert_int_equal(mkdir(in_dir("build"), 0755), 0);
    build("build/p.so");
    is_told_once();
    build("build.old/p.so");
    is_not_told();
}

/* ---- What is no change ---------------------------------------------- */

static void
touched_or_with_the_same_bytes_is_not_told(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    assert_int_equal(utimensat(AT_FDCWD, in_dir("p.so"), NULL, 0), 0);
    assert_int_equal(chmod(in_dir("p.so"), 0600), 0);
    is_not_told();
    version--;
    build("p.so");
    is_not_told();
}

static void
other_files_of_the_folder_are_nobodys_business(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    build("q.so");
    assert_int_equal(watch_turn(watch), 0);
    assert_int_equal(watch_deadline_ms(watch), INT64_MAX);
}

/* ---- Waiting for the end -------------------------------------------- */

static void
open_file_is_waited_for(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(unlink(in_dir("p.so")), 0);
    int fd = write_some("p.so", len); /* whole, but who knows that? */
    assert_false(turn_for(4 * WATCH_QUIET_MS));
    assert_int_equal(close(fd), 0);
    is_told_once();
    assert_true(clock_mono_ms() - begun_ms < WATCH_LATEST_MS);
}

static void
half_a_file_is_told_late_and_again_when_it_is_whole(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    int64_t begun_ms = clock_mono_ms();
    int fd = write_some("p.so", len / 2);
    assert_int_equal(close(fd), 0);
    assert_true(turn_for(PATIENCE_MS));
    assert_in_range(clock_mono_ms() - begun_ms, WATCH_LATEST_MS,
                    PATIENCE_MS / 2);
    is_not_told();
    build("p.so");
    is_told_once();
}

static void
many_changes_are_told_once(void **state)
{
    (void)state;
    build("q.so");
    start(in_dir("p.so"), in_dir("q.so"));
    for (int i = 0; i < 5; i++) {
        build("p.so");
        assert_false(watch_turn(watch));
        build("q.so");
        assert_false(watch_turn(watch));
    }
    is_told_once();
}

static void
one_that_never_rests_is_told_all_the_same(void **state)
{
    (void)state;
    start(in_dir("p.so"), NULL);
    int64_t begun_ms = clock_mono_ms();
    int told = 0;
    while (!told) {
        build("p.so");
        told = turn_for(WATCH_QUIET_MS / 3);
        assert_true(clock_mono_ms() - begun_ms < PATIENCE_MS);
    }
    assert_true(clock_mono_ms() - begun_ms >= WATCH_LATEST_MS);
}

static void
missing_file_does_not_keep_back_another(void **state)
{
    (void)state;
    build("q.so");
    start(in_dir("p.so"), in_dir("q.so"));
    assert_int_equal(unlink(in_dir("p.so")), 0);
    build("q.so");
    is_told_once();
}

/* ---- Folders -------------------------------------------------------- */

static void
folder_tells_of_plugins_that_come_change_and_go(void **state)
{
    (void)state;
    start(dir, NULL);
    build("notes.txt");
    build(".hidden.so");
    is_not_told();
    build("q.so");
    is_told_once();
    build("p.so");
    is_told_once();
    assert_int_equal(rename(in_dir("q.so"), in_dir("r.so")), 0);
    is_told_once();
    assert_int_equal(unlink(in_dir("r.so")), 0);
    is_told_once();
}

static void
empty_folder_is_fine(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_dir("plugins"), 0755), 0);
    start(in_dir("plugins"), NULL);
    build("plugins/p.so");
    is_told_once();
}

/* ---- One look ------------------------------------------------------- */

static void
looks(void **state)
{
    (void)state;
    unsigned char digest[DIGEST_BYTES], other[DIGEST_BYTES];
    assert_int_equal(built_look(in_dir("p.so"), digest), BUILT_WHOLE);
    assert_int_equal(built_look_folder(dir, other), BUILT_WHOLE);
    assert_int_equal(built_look(in_dir("none.so"), digest), BUILT_ABSENT);
    assert_int_equal(built_look(in_dir("p.so/x"), digest), BUILT_ABSENT);
    assert_int_equal(built_look_folder(in_dir("none"), digest), BUILT_ABSENT);
    assert_int_equal(built_look(dir, digest), BUILT_PARTLY);
    assert_int_equal(mkfifo(in_dir("pipe.so"), 0600), 0);
    assert_int_equal(built_look(in_dir("pipe.so"), digest), BUILT_PARTLY);
    assert_int_equal(built_look_folder(dir, digest), BUILT_PARTLY);
    assert_memory_not_equal(digest, other, DIGEST_BYTES);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(rewritten_in_place_is_told),
        T(renamed_over_is_told),
        T(unlinked_and_made_again_is_told_once),
        T(moved_into_place_after_a_while_is_told),
        T(swapped_link_is_told),
        T(what_a_chain_of_links_ends_in_is_told),
        T(link_to_itself_is_no_news),
        T(folder_that_was_removed_and_made_again_is_watched_again),
        T(touched_or_with_the_same_bytes_is_not_told),
        T(other_files_of_the_folder_are_nobodys_business),
        T(open_file_is_waited_for),
        T(half_a_file_is_told_late_and_again_when_it_is_whole),
        T(many_changes_are_told_once),
        T(one_that_never_rests_is_told_all_the_same),
        T(missing_file_does_not_keep_back_another),
        T(folder_tells_of_plugins_that_come_change_and_go),
        T(empty_folder_is_fine),
        T(looks),
    };
    return cmocka_run_group_tests(tests, read_library, free_library);
}
