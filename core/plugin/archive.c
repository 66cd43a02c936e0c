/* core/plugin/archive.c: generations kept on disk, to go back to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/archive.h"

#include "error.h"
#include "plugin/archive_parts.h"
#include "plugin/durable.h"
#include "plugin/generation.h"
#include "stripe/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Keeping -------------------------------------------------------- */

/* STATE/generations, made if absent; -1 with errno. Its name is flushed each
 * time: whoever made it may have been killed before. */
static int
open_archive(const char *state_dir)
{
    int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state < 0) {
        return -1;
    }
    int failed =
        (mkdirat(state, ARCHIVE_FOLDER, 0700) != 0 && errno != EEXIST) ||
        fsync(state) != 0;
    int saved = errno;
    close(state);
    errno = saved;
    return failed ? -1 : archive_open(state_dir, ARCHIVE_FOLDER);
}

static int
write_text(int folder, const struct config *config)
{
    int fd = openat(folder, ARCHIVE_TEXT,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = fd < 0 || durable_write(fd, config->text,
                                         config->text != NULL ? config->text_len
                                                              : 0) != 0;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return failed ? -1 : 0;
}

/* The folder `name` with all that belongs in it, flushed. */
static int
write_folder(int parent, const char *name, const struct generation *generation)
{
    if (mkdirat(parent, name, 0700) != 0) {
        return -1;
    }
    int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int failed = write_text(fd, generation->config) != 0 ||
                 archive_list_write(fd, generation) != 0 || fsync(fd) != 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return failed ? -1 : 0;
}

/* Give the folder its name. One that has it already is there under the other
 * name then: at no moment is there none. */
static int
put_in_place(int parent, const char *temporary, const char *name)
{
    if (renameat2(parent, temporary, parent, name, RENAME_EXCHANGE) == 0 ||
        (errno == ENOENT && renameat(parent, temporary, parent, name) == 0)) {
        return fsync(parent);
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    /* A file system that cannot exchange: what had the number goes first. It
     * was never committed, or else the number would not be given again. */
    return archive_remove(parent, name) == 0 &&
                   renameat(parent, temporary, parent, name) == 0
               ? fsync(parent)
               : -1;
}

int
archive_keep(const char *state_dir, long long number,
             const struct generation *generation, struct error *err)
{
    char name[ARCHIVE_NAME_MAX], temporary[ARCHIVE_NAME_MAX];
    snprintf(name, sizeof(name), "%lld", number);
    snprintf(temporary, sizeof(temporary), ARCHIVE_NEW "%lld", number);
    int parent = open_archive(state_dir);
    if (parent < 0) {
        return error_errno(err, RC_IO, errno, "cannot keep generations in %s",
                           state_dir);
    }
    int rc = RC_OK;
    if (archive_remove(parent, temporary) != 0 || /* of one that was killed */
        write_folder(parent, temporary, generation) != 0 ||
        put_in_place(parent, temporary, name) != 0) {
        rc = error_errno(err, RC_IO, errno,
                         "cannot keep generation %lld in %s/" ARCHIVE_FOLDER,
                         number, state_dir);
    }
    (void)archive_remove(parent, temporary); /* if it stays, it is swept */
    close(parent);
    return rc;
}

/* ---- Finding -------------------------------------------------------- */

/* The list of plugins, and that the text is there. */
static int
read_folder(struct archive_list *list, const char *state_dir, const char *name,
            struct error *err)
{
    struct stat st;
    int parent = archive_open(state_dir, ARCHIVE_FOLDER);
    int fd = parent < 0
                 ? -1
                 : openat(parent, name,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int saved = errno;
    if (parent >= 0) {
        close(parent);
    }
    if (fd < 0) {
        return error_errno(err, saved == ENOENT ? RC_NOT_FOUND : RC_IO, saved,
                           "generation %s is not kept in %s/" ARCHIVE_FOLDER,
                           name, state_dir);
    }
    struct error why = {0};
    int rc = archive_list_read(list, fd, &why);
    if (rc == RC_OK && (fstatat(fd, ARCHIVE_TEXT, &st, AT_SYMLINK_NOFOLLOW) ||
                        !S_ISREG(st.st_mode))) {
        rc = error_set(&why, RC_INVALID, "its " ARCHIVE_TEXT " is missing");
    }
    close(fd);
    if (rc != RC_OK) {
        error_set(err, rc,
                  "generation %s in %s/" ARCHIVE_FOLDER " is not "
                  "whole: %.300s",
                  name, state_dir, why.text);
    }
    return rc == RC_NOT_FOUND ? RC_INVALID : rc;
}

/* The pins and, behind them in the same allocation, what they point to. */
static struct config_pin *
make_pins(const struct archive_list *list, const char *state_dir)
{
    const size_t path_room = strlen(state_dir) +
                             sizeof("/" ARCHIVE_COPIES "/.so") +
                             SNAPSHOT_DIGEST_MAX;
    const size_t room = CONFIG_NAME_MAX + 1 + path_room;
    struct config_pin *pins = calloc(list->count + 1, sizeof(*pins) + room);
    if (pins == NULL) {
        return NULL;
    }
    char *at = (char *)(pins + list->count);
    for (size_t i = 0; i < list->count; i++, at += room) {
        char *path = at + CONFIG_NAME_MAX + 1;
        snprintf(at, CONFIG_NAME_MAX + 1, "%s", list->lines[i].name);
        snprintf(path, path_room, "%s/" ARCHIVE_COPIES "/%s.so", state_dir,
                 list->lines[i].digest);
        pins[i] = (struct config_pin){.name = at, .path = path};
    }
    return pins;
}

int
archive_find(struct archived *out, const char *state_dir, long long number,
             struct error *err)
{
    char name[ARCHIVE_NAME_MAX];
    struct archive_list list;
    snprintf(name, sizeof(name), "%lld", number);
    int rc = read_folder(&list, state_dir, name, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct archived made = {.pins = make_pins(&list, state_dir),
                            .pin_count = list.count};
    if (made.pins == NULL ||
        asprintf(&made.text_path, "%s/" ARCHIVE_FOLDER "/%s/" ARCHIVE_TEXT,
                 state_dir, name) < 0) {
        made.text_path = NULL;
        rc = error_set(err, RC_NOMEM, "generation %s: out of memory", name);
    }
    for (size_t i = 0; i < list.count && rc == RC_OK; i++) {
        struct error why;
        rc = snapshot_verify(made.pins[i].path, list.lines[i].digest, &why);
        if (rc != RC_OK) {
            rc = rc == RC_IO ? rc : RC_INVALID;
            error_set(err, rc, "generation %s is not whole: plugin %s: %.380s",
                      name, made.pins[i].name, why.text);
        }
    }
    if (rc != RC_OK) {
        archived_fini(&made);
        return rc;
    }
    *out = made;
    return RC_OK;
}

void
archived_fini(struct archived *archived)
{
    free(archived->text_path);
    free(archived->pins);
    memset(archived, 0, sizeof(*archived));
}

/* ---- Comparing ------------------------------------------------------ */

/* Whether the file holds just that text. */
static int
is_text(int folder, const struct config *config)
{
    const size_t len = config->text != NULL ? config->text_len : 0;
    struct stat st;
    int fd = openat(folder, ARCHIVE_TEXT,
                    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    char *bytes = fstat(fd, &st) == 0 && (size_t)st.st_size == len
                      ? calloc(len + 1, 1)
                      : NULL;
    int same = bytes != NULL && read(fd, bytes, len) == (ssize_t)len &&
               (len == 0 || memcmp(bytes, config->text, len) == 0);
    free(bytes);
    close(fd);
    return same;
}

static int
is_list(const struct archive_list *list, const struct generation *generation)
{
    int same = list->count == generation->plugin_count;
    for (size_t i = 0; i < list->count && same; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        same = strcmp(list->lines[i].name, plugin->config->name) == 0 &&
               strcmp(list->lines[i].digest, plugin->snapshot.digest) == 0;
    }
    return same;
}

int
archive_is_same(const char *state_dir, long long number,
                const struct generation *generation)
{
    char name[ARCHIVE_NAME_MAX];
    struct archive_list list;
    snprintf(name, sizeof(name), "%lld", number);
    int parent = archive_open(state_dir, ARCHIVE_FOLDER);
    int fd = parent < 0
                 ? -1
                 : openat(parent, name,
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int same = fd >= 0 && archive_list_read(&list, fd, NULL) == RC_OK &&
               is_list(&list, generation) && is_text(fd, generation->config);
    if (fd >= 0) {
        close(fd);
    }
    if (parent >= 0) {
        close(parent);
    }
    return same;
}

/* ---- What it is made of --------------------------------------------- */

/* Each text goes in behind its length, so that no two lists look alike. */
static void
put(char **at, const char *text, size_t len)
{
    const uint64_t length = len;
    memcpy(*at, &length, sizeof(length));
    if (len > 0) {
        memcpy(*at + sizeof(length), text, len);
    }
    *at += sizeof(length) + len;
}

int
archive_inputs(const struct generation *generation, char *out,
               struct error *err)
{
    const struct config *config = generation->config;
    const size_t text_len = config->text != NULL ? config->text_len : 0;
    size_t room =
        sizeof(uint64_t) + text_len +
        generation->plugin_count *
            (2 * sizeof(uint64_t) + CONFIG_NAME_MAX + SNAPSHOT_DIGEST_MAX);
    char *bytes = malloc(room);
    if (bytes == NULL) {
        return error_set(err, RC_NOMEM, "archive: out of memory");
    }
    char *at = bytes;
    put(&at, config->text, text_len);
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        put(&at, plugin->config->name, strlen(plugin->config->name));
        put(&at, plugin->snapshot.digest, strlen(plugin->snapshot.digest));
    }
    unsigned char sum[DIGEST_BYTES];
    int rc = digest_sha256(bytes, (size_t)(at - bytes), sum, err);
    explicit_bzero(bytes, room); /* secrets may stand in the text */
    free(bytes);
    if (rc == RC_OK) {
        digest_hex(sum, out);
    }
    return rc;
}
