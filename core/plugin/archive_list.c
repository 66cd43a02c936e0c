/* core/plugin/archive_list.c: the folder of one kept generation: its list of
 * plugins, and its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/archive_parts.h"

#include "error.h"
#include "plugin/durable.h"
#include "plugin/generation.h"
#include "plugin/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line at its longest: name, blank, digest, newline. */
#define LINE_MAX_BYTES (CONFIG_NAME_MAX + 1 + SNAPSHOT_DIGEST_MAX - 1 + 1)
#define LIST_MAX_BYTES (CONFIG_PLUGINS_MAX * LINE_MAX_BYTES)

int
archive_open(const char *state_dir, const char *folder)
{
    int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state < 0) {
        return -1;
    }
    int fd =
        openat(state, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int saved = errno;
    close(state);
    errno = saved;
    return fd;
}

int
archive_is_digest(const char *text, size_t len)
{
    return len == SNAPSHOT_DIGEST_MAX - 1 &&
           strspn(text, "0123456789abcdef") >= len;
}

/* ---- The list ------------------------------------------------------- */

int
archive_list_write(int folder, const struct generation *generation)
{
    char text[LIST_MAX_BYTES + 1] = "";
    size_t len = 0;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        int more = snprintf(text + len, sizeof(text) - len, "%s %s\n",
                            plugin->config->name, plugin->snapshot.digest);
        if (more < 0 || (size_t)more >= sizeof(text) - len) {
            errno = EOVERFLOW; /* more plugins than a configuration can have */
            return -1;
        }
        len += (size_t)more;
    }
    int fd = openat(folder, ARCHIVE_LIST,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = fd < 0 || durable_write(fd, text, len) != 0;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return failed ? -1 : 0;
}

/* One line, without its newline. */
static int
take_line(struct archive_list *list, const char *line)
{
    const char *blank = strchr(line, ' ');
    if (blank == NULL || blank - line > CONFIG_NAME_MAX ||
        list->count == CONFIG_PLUGINS_MAX) {
        return RC_INVALID;
    }
    struct archive_line *to = &list->lines[list->count++];
    snprintf(to->name, sizeof(to->name), "%.*s", (int)(blank - line), line);
    snprintf(to->digest, sizeof(to->digest), "%s", blank + 1);
    return manifest_name_valid(to->name, CONFIG_NAME_MAX) &&
                   archive_is_digest(blank + 1, strlen(blank + 1))
               ? RC_OK
               : RC_INVALID;
}

static int
take_lines(struct archive_list *list, char *text)
{
    int rc = RC_OK;
    while (rc == RC_OK && *text != '\0') {
        char *end = strchr(text, '\n');
        if (end == NULL) {
            return RC_INVALID;
        }
        *end = '\0';
        rc = take_line(list, text);
        text = end + 1;
    }
    return rc;
}

int
archive_list_read(struct archive_list *list, int folder, struct error *err)
{
    char text[LIST_MAX_BYTES + 2]; /* one byte more than there can be */
    size_t len = 0;
    ssize_t n = 1;
    struct stat st;
    int fd = openat(folder, ARCHIVE_LIST,
                    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return error_errno(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno,
                           "its list of plugins");
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(err, RC_INVALID, "its list of plugins is no file");
    }
    while (n != 0 && len < sizeof(text) - 1) {
        n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n < 0 && errno != EINTR) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    int saved = errno;
    close(fd);
    if (n < 0) {
        return error_errno(err, RC_IO, saved, "its list of plugins");
    }
    text[len] = '\0';
    list->count = 0;
    if (strlen(text) != len || len > LIST_MAX_BYTES ||
        take_lines(list, text) != RC_OK) {
        return error_set(err, RC_INVALID, "its list of plugins is damaged");
    }
    return RC_OK;
}

/* ---- The end of a folder -------------------------------------------- */

int
archive_remove(int parent, const char *name)
{
    int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    /* What cannot be unlinked, or is not ours, keeps the folder. */
    unlinkat(fd, ARCHIVE_TEXT, 0);
    unlinkat(fd, ARCHIVE_LIST, 0);
    close(fd);
    return unlinkat(parent, name, AT_REMOVEDIR);
}
