/* core/plugin/snapshot.c: a private copy of a plugin's file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/snapshot.h"

#include "error.h"
#include "plugin/elf.h"
#include "stripe/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger files are somebody's mistake. */
#define PLUGIN_BYTES_MAX (256L << 20)

/* Read a whole file; refuse it when it changes meanwhile. */
static int
read_file(const char *path, char **bytes, size_t *len, struct error *err)
{
    struct stat before, after;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return error_errno(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno,
                           "%s", path);
    }
    int rc = RC_OK;
    char *data = NULL;
    size_t got = 0;
    if (fstat(fd, &before) != 0 || !S_ISREG(before.st_mode)) {
        rc = error_set(err, RC_INVALID, "%s: not a regular file", path);
    } else if (before.st_size > PLUGIN_BYTES_MAX) {
        rc = error_set(err, RC_INVALID, "%s: larger than %ld bytes", path,
                       PLUGIN_BYTES_MAX);
    } else if ((data = malloc((size_t)before.st_size + 1)) == NULL) {
        rc = error_set(err, RC_NOMEM, "%s: out of memory", path);
    }
    while (rc == RC_OK) {
        ssize_t n = read(fd, data + got, (size_t)before.st_size + 1 - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = error_errno(err, RC_IO, errno, "%s: cannot read", path);
        }
        if (n <= 0 || (got += (size_t)n) > (size_t)before.st_size) {
            break;
        }
    }
    if (rc == RC_OK &&
        (fstat(fd, &after) != 0 || got != (size_t)before.st_size ||
         after.st_size != before.st_size ||
         after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
         after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)) {
        rc = error_set(err, RC_INVALID,
                       "%s: changed while it was read: put new versions in "
                       "place with mv, not cp",
                       path);
    }
    close(fd);
    if (rc != RC_OK) {
        free(data);
        return rc;
    }
    *bytes = data;
    *len = got;
    return RC_OK;
}

static int
write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return RC_IO;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return RC_OK;
}

/* Whole or not at all: under a name of its own first, flushed, then renamed. */
static int
write_copy(const char *path, const char *dir, const char *bytes, size_t len,
           struct error *err)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s/.new-XXXXXX", dir) >=
        sizeof(temporary)) {
        return error_set(err, RC_INVALID, "%s: path too long", dir);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return error_errno(err, RC_IO, errno, "cannot write into %s", dir);
    }
    int failed = write_all(fd, bytes, len) != RC_OK || fchmod(fd, 0444) != 0 ||
                 fsync(fd) != 0 || rename(temporary, path) != 0;
    int saved = errno;
    close(fd);
    if (failed) {
        unlink(temporary);
        return error_errno(err, RC_IO, saved, "cannot write %s", path);
    }
    return RC_OK;
}

/* Whether the copy is there already, whole: what a disk did to it since must
 * not reach a runner. */
static int
is_there(const char *path, const char *bytes, size_t len)
{
    char *copy = NULL;
    size_t copy_len = 0;
    int same = read_file(path, &copy, &copy_len, NULL) == RC_OK &&
               copy_len == len && memcmp(copy, bytes, len) == 0;
    free(copy);
    return same;
}

int
snapshot_make(struct snapshot *out, const char *path, const char *dir,
              struct error *err)
{
    char *bytes = NULL;
    size_t len = 0;
    unsigned char sum[32];
    struct snapshot made = {0};

    int rc = read_file(path, &bytes, &len, err);
    if (rc == RC_OK) {
        rc = elf_check(bytes, len, path, err);
    }
    if (rc == RC_OK) {
        rc = digest_sha256(bytes, len, sum, err);
    }
    if (rc == RC_OK) {
        digest_hex(sum, made.digest);
        if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
            rc = error_errno(err, RC_IO, errno, "cannot make %s", dir);
        } else if (asprintf(&made.path, "%s/%s.so", dir, made.digest) < 0) {
            made.path = NULL;
            rc = error_set(err, RC_NOMEM, "%s: out of memory", path);
        }
    }
    if (rc == RC_OK && !is_there(made.path, bytes, len)) {
        rc = write_copy(made.path, dir, bytes, len, err);
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
