/* core/plugin/archive_sweep.c: removes what nobody will go back to.
 *
 * Only names that we give are touched, and only files and folders that bear
 * them: never what a symbolic link leads to, never what somebody else put
 * there. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/archive.h"

#include "error.h"
#include "log.h"
#include "plugin/archive_parts.h"
#include "plugin/generation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkstemp() put these behind SNAPSHOT_NEW. */
#define RANDOM_LETTERS 6

/* What a sweep spares. */
struct spared {
    const long long *keep;
    size_t count;
    struct generation *const *live;
    size_t live_count;
    struct archive_list *lists; /* of the kept ones */
};

static void
tell(const char *text, const char *name, const char *detail)
{
    struct log_value shown, why;
    log_write(LOG_WARN, "archive", text, "name=%s detail=%s",
              log_word(&shown, name), log_quote(&why, detail, strlen(detail)));
}

static void
tell_errno(const char *text, const char *name)
{
    char why[128];
    tell(text, name, strerror_r(errno, why, sizeof(why)));
}

/* Call `fn` for every entry of the folder but "." and "..". Takes over `fd`. */
static void
for_each(int fd, void (*fn)(const struct spared *, int, const char *),
         const struct spared *spared)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        tell_errno("cannot list", "folder");
        close(fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            fn(spared, dirfd(dir), entry->d_name);
        }
    }
    closedir(dir);
}

/* Open a folder of STATE: -1 with errno, which is told of but for ENOENT: what
 * is not there yet needs no sweep. */
static int
open_or_tell(const char *state_dir, const char *folder)
{
    int fd = archive_open(state_dir, folder);
    int saved = errno;
    if (fd < 0 && saved != ENOENT) {
        tell_errno("cannot sweep", folder);
    }
    errno = saved;
    return fd;
}

/* ---- Generations ---------------------------------------------------- */

/* The number that a name is, as we write it; -1 for none. */
static long long
number_of(const char *name)
{
    char again[ARCHIVE_NAME_MAX];
    errno = 0;
    long long number = strtoll(name, NULL, 10);
    snprintf(again, sizeof(again), "%lld", number);
    return errno == 0 && number >= 0 && strcmp(again, name) == 0 ? number : -1;
}

static int
is_kept(const struct spared *spared, long long number)
{
    for (size_t i = 0; i < spared->count; i++) {
        if (spared->keep[i] == number) {
            return 1;
        }
    }
    return 0;
}

static void
sweep_archived(const struct spared *spared, int parent, const char *name)
{
    const size_t new_len = strlen(ARCHIVE_NEW);
    struct stat st;
    if (strncmp(name, ARCHIVE_NEW, new_len) == 0
            ? number_of(name + new_len) < 0
            : number_of(name) < 0 || is_kept(spared, number_of(name))) {
        return;
    }
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(st.st_mode)) {
        return; /* not ours: we make folders */
    }
    if (archive_remove(parent, name) != 0) {
        tell_errno("cannot remove a generation", name);
    }
}

/* ---- Snapshots ------------------------------------------------------ */

/* Which plugins the kept generations have. One whose list cannot be read might
 * have any. */
static int
read_kept(struct spared *spared, int parent)
{
    for (size_t i = 0; i < spared->count; i++) {
        char name[ARCHIVE_NAME_MAX];
        struct error err = {0};
        snprintf(name, sizeof(name), "%lld", spared->keep[i]);
        int fd = openat(parent, name,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
            continue; /* never kept: its list is empty */
        }
        int rc = fd < 0 ? error_errno(&err, RC_IO, errno, "its folder")
                        : archive_list_read(&spared->lists[i], fd, &err);
        if (fd >= 0) {
            close(fd);
        }
        if (rc != RC_OK) {
            tell("cannot read a kept generation", name, err.text);
            return rc;
        }
    }
    return RC_OK;
}

static int
is_used(const struct spared *spared, const char *digest)
{
    const size_t len = SNAPSHOT_DIGEST_MAX - 1;
    for (size_t i = 0; i < spared->count; i++) {
        const struct archive_list *list = &spared->lists[i];
        for (size_t j = 0; j < list->count; j++) {
            if (strncmp(list->lines[j].digest, digest, len) == 0) {
                return 1;
            }
        }
    }
    for (size_t i = 0; i < spared->live_count; i++) {
        const struct generation *live = spared->live[i];
        for (size_t j = 0; j < live->plugin_count; j++) {
            if (strncmp(live->plugins[j].snapshot.digest, digest, len) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

static int
is_snapshot(const char *name)
{
    const size_t len = SNAPSHOT_DIGEST_MAX - 1;
    return strlen(name) == len + strlen(".so") &&
           archive_is_digest(name, len) && strcmp(name + len, ".so") == 0;
}

static int
is_leftover(const char *name)
{
    const size_t len = strlen(SNAPSHOT_NEW);
    return strncmp(name, SNAPSHOT_NEW, len) == 0 &&
           strlen(name) == len + RANDOM_LETTERS &&
           strspn(name + len,
                  "abcdefghijklmnopqrstuvwxyz"
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == RANDOM_LETTERS;
}

static void
sweep_snapshot(const struct spared *spared, int parent, const char *name)
{
    struct stat st;
    if (!is_leftover(name) && (!is_snapshot(name) || is_used(spared, name))) {
        return;
    }
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode)) {
        return; /* not ours: we make files */
    }
    if (unlinkat(parent, name, 0) != 0 && errno != ENOENT) {
        tell_errno("cannot remove a copy of a plugin", name);
    }
}

/* ---- All of it ------------------------------------------------------ */

void
archive_sweep(const char *state_dir, const long long *keep, size_t count,
              struct generation *const *live, size_t live_count)
{
    struct spared spared = {keep, count, live, live_count,
                            calloc(count + 1, sizeof(*spared.lists))};
    if (spared.lists == NULL) {
        return; /* another time */
    }
    int archive = open_or_tell(state_dir, ARCHIVE_FOLDER);
    /* Which copies are used is known, or none is removed. */
    int known =
        archive >= 0 ? read_kept(&spared, archive) == RC_OK : errno == ENOENT;
    if (archive >= 0) {
        for_each(archive, sweep_archived, &spared);
    }
    int copies = known ? open_or_tell(state_dir, ARCHIVE_COPIES) : -1;
    if (copies >= 0) {
        for_each(copies, sweep_snapshot, &spared);
    }
    free(spared.lists);
}
