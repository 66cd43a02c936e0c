/* core/plugin/snapshot.c: a private copy of a plugin's file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/snapshot.h"

#include "config/paths.h"
#include "error.h"
#include "plugin/durable.h"
#include "plugin/elf.h"
#include "plugin/held.h"
#include "stripe/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* Larger files are somebody's mistake. */
#define PLUGIN_BYTES_MAX (256L << 20)

/* Longer than any tick of the clock that stamps files, which are 1 to 10 ms. */
#define TICK_MS_MAX 20

/* ---- Reading the source --------------------------------------------- */

static int
is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec ||
           (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* As fstat(), but when the file was changed in this very tick of the clock that
 * stamps files, wait for the next: a second change in one tick has the stamp of
 * the first and would not show. */
static int
stat_in_new_tick(int fd, struct stat *st)
{
    for (int ms = 0;; ms++) {
        struct timespec now;
        if (fstat(fd, st) != 0) {
            return -1;
        }
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (ms == TICK_MS_MAX || is_before(&st->st_ctim, &now)) {
            return 0; /* a stamp from the future is not waited for */
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* mtime can be set to anything; ctime cannot, but changes also when another
 * file takes over the name, and that leaves the bytes of this one alone. */
static int
is_unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           (a->st_nlink != b->st_nlink ||
            (a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
             a->st_ctim.tv_nsec == b->st_ctim.tv_nsec));
}

/* Fill `data` from the file, and one byte more if it is there: then it has
 * grown. Returns how many came, or -1 with errno. */
static ssize_t
read_up_to(int fd, char *data, size_t room)
{
    size_t got = 0;
    while (got < room) {
        ssize_t n = read(fd, data + got, room - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* A write() that goes on when we begin leaves no trace when it ends: stamps are
 * made when it begins. Hence who has the file open counts, where that can be
 * known; whoever opens it later changes its stamps. */
static int
read_open(int fd, const char *path, char **bytes, size_t *len,
          struct error *err)
{
    struct stat before, after;
    if (stat_in_new_tick(fd, &before) != 0 || !S_ISREG(before.st_mode)) {
        return error_set(err, RC_INVALID, "%s: not a regular file", path);
    }
    if (before.st_size > PLUGIN_BYTES_MAX) {
        return error_set(err, RC_INVALID, "%s: larger than %ld bytes", path,
                         PLUGIN_BYTES_MAX);
    }
    char *data = malloc((size_t)before.st_size + 1);
    if (data == NULL) {
        return error_set(err, RC_NOMEM, "%s: out of memory", path);
    }
    int rc = RC_OK;
    int is_held = held_for_writing(fd);
    ssize_t got = read_up_to(fd, data, (size_t)before.st_size + 1);
    if (got < 0) {
        rc = error_errno(err, RC_IO, errno, "%s: cannot read", path);
    } else if (is_held || got != before.st_size || fstat(fd, &after) != 0 ||
               !is_unchanged(&before, &after)) {
        rc = error_set(err, RC_INVALID,
                       "%s: changed while it was read, so somebody is writing "
                       "it: copy a new version to a temporary name beside it "
                       "and rename that with mv",
                       path);
    }
    if (rc != RC_OK) {
        free(data);
        return rc;
    }
    *bytes = data;
    *len = (size_t)got;
    return RC_OK;
}

/* Read a whole file; refuse it when it changes meanwhile. A symbolic link is
 * followed: to turn one is a way to put a new version in place. */
static int
read_source(const char *path, char **bytes, size_t *len, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return error_errno(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno,
                           "%s", path);
    }
    int rc = read_open(fd, path, bytes, len, err);
    close(fd);
    return rc;
}

/* ---- Writing the copy ----------------------------------------------- */

/* Whole or not at all: under a name of its own first, flushed, then renamed. */
static int
write_copy(const char *path, const char *dir, const char *bytes, size_t len,
           struct error *err)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof(temporary),
                         "%s/" SNAPSHOT_NEW "XXXXXX",
                         dir) >= sizeof(temporary)) {
        return error_set(err, RC_INVALID, "%s: path too long", dir);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return error_errno(err, RC_IO, errno, "cannot write into %s", dir);
    }
    int failed = fchmod(fd, 0444) != 0 || durable_write(fd, bytes, len) != 0 ||
                 rename(temporary, path) != 0;
    int saved = errno;
    close(fd);
    if (failed) {
        unlink(temporary);
        return error_errno(err, RC_IO, saved, "cannot write %s", path);
    }
    return RC_OK;
}

/* The folder, in which a copy can be loaded. */
static int
make_folder(const char *dir, struct error *err)
{
    struct statvfs fs;
    if (mkdir(dir, 0700) == 0) {
        char *parent = path_folder(dir);
        int failed = parent != NULL && durable_folder(parent) != 0;
        free(parent);
        if (parent == NULL || failed) {
            return error_errno(err, RC_IO, errno, "cannot make %s", dir);
        }
    } else if (errno != EEXIST) {
        return error_errno(err, RC_IO, errno, "cannot make %s", dir);
    }
    if (statvfs(dir, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0) {
        return error_set(err, RC_IO,
                         "%s is on a file system that is mounted noexec, so "
                         "plugins cannot be loaded from there: set state_dir "
                         "to a folder elsewhere, or remount with exec",
                         dir);
    }
    return RC_OK;
}

int
snapshot_verify(const char *path, const char *digest, struct error *err)
{
    struct stat st;
    unsigned char sum[DIGEST_BYTES];
    char found[DIGEST_HEX_ROOM];
    /* Ours are no links: what one leads to may change. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        int rc = errno == ENOENT ? RC_NOT_FOUND : RC_IO;
        return error_errno(err, rc, errno, "%s", path);
    }
    int rc = RC_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = error_set(err, RC_INVALID, "%s: not a regular file", path);
    } else {
        rc = digest_sha256_fd(fd, sum, err);
    }
    close(fd);
    if (rc == RC_OK && strcmp(digest_hex(sum, found), digest) != 0) {
        rc = error_set(err, RC_INVALID,
                       "%s: its bytes are not those it is named after: the "
                       "disk damaged it, or somebody wrote it",
                       path);
    }
    return rc;
}

int
snapshot_make(struct snapshot *out, const char *path, const char *dir,
              struct error *err)
{
    char *bytes = NULL;
    size_t len = 0;
    unsigned char sum[DIGEST_BYTES];
    struct snapshot made = {0};

    int rc = read_source(path, &bytes, &len, err);
    if (rc == RC_OK) {
        rc = elf_check(bytes, len, path, err);
    }
    if (rc == RC_OK) {
        rc = digest_sha256(bytes, len, sum, err);
    }
    if (rc == RC_OK) {
        rc = make_folder(dir, err);
    }
    if (rc == RC_OK && asprintf(&made.path, "%s/%s.so", dir,
                                digest_hex(sum, made.digest)) < 0) {
        made.path = NULL;
        rc = error_set(err, RC_NOMEM, "%s: out of memory", path);
    }
    /* What a disk did to an old copy must not reach a runner. */
    if (rc == RC_OK && snapshot_verify(made.path, made.digest, NULL) != RC_OK) {
        rc = write_copy(made.path, dir, bytes, len, err);
    }
    /* Also of an old copy: whoever made it may have been killed before. */
    if (rc == RC_OK && durable_folder(dir) != 0) {
        rc = error_errno(err, RC_IO, errno, "cannot flush %s", dir);
    }
    free(bytes);
    if (rc != RC_OK) {
        snapshot_fini(&made);
        return rc;
    }
    *out = made;
    return RC_OK;
}

void
snapshot_fini(struct snapshot *snapshot)
{
    free(snapshot->path);
    memset(snapshot, 0, sizeof(*snapshot));
}
