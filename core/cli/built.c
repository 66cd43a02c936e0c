/* core/cli/built.c: is a linker done with this file?
 * SPDX-License-Identifier: Apache-2.0 */
#include "built.h"

#include "error.h"
#include "plugin/elf.h"
#include "plugin/held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger files are refused when they are loaded. */
#define BYTES_MAX (256L << 20)

static const char suffix[] = ".so";

int
built_is_plugin(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len >= strlen(suffix) &&
           strcmp(name + len - strlen(suffix), suffix) == 0;
}

/* How many bytes came; it may be cut while we read. */
static size_t
read_all(int fd, char *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, bytes + got, size - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    return got;
}

static enum built
look_at(int fd, const struct stat *st, unsigned char digest[DIGEST_BYTES])
{
    memset(digest, 0, DIGEST_BYTES); /* of what cannot be read */
    if (!S_ISREG(st->st_mode) || st->st_size > BYTES_MAX) {
        return BUILT_PARTLY;
    }
    size_t size = (size_t)st->st_size;
    char *bytes = malloc(size + 1);
    if (bytes == NULL) {
        return BUILT_PARTLY;
    }
    int is_whole = !held_for_writing(fd);
    size_t got = read_all(fd, bytes, size + 1);
    is_whole = digest_sha256(bytes, got, digest, NULL) == RC_OK && is_whole &&
               got == size && elf_check(bytes, got, "", NULL) == RC_OK;
    free(bytes);
    return is_whole ? BUILT_WHOLE : BUILT_PARTLY;
}

enum built
built_look(const char *path, unsigned char digest[DIGEST_BYTES])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return BUILT_ABSENT;
        }
        memset(digest, 0, DIGEST_BYTES);
        return BUILT_PARTLY;
    }
    enum built built =
        fstat(fd, &st) == 0 ? look_at(fd, &st, digest) : BUILT_ABSENT;
    close(fd);
    return built;
}

static int
choose(const struct dirent *entry)
{
    return built_is_plugin(entry->d_name);
}

/* Add one file's name and digest to those of its folder. */
static enum built
look_into(const char *folder, const char *name, FILE *all)
{
    unsigned char digest[DIGEST_BYTES];
    char path[PATH_MAX + NAME_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    enum built built = built_look(path, digest);
    if (built != BUILT_ABSENT) {
        fwrite(name, 1, strlen(name) + 1, all);
        fwrite(digest, 1, sizeof(digest), all);
    }
    return built;
}

enum built
built_look_folder(const char *path, unsigned char digest[DIGEST_BYTES])
{
    struct dirent **entries;
    char *text = NULL;
    size_t len = 0;
    int count = scandir(path, &entries, choose, alphasort);
    if (count < 0) {
        return BUILT_ABSENT;
    }
    enum built built = BUILT_WHOLE;
    FILE *all = open_memstream(&text, &len);
    for (int i = 0; i < count; i++) {
        if (all != NULL &&
            look_into(path, entries[i]->d_name, all) == BUILT_PARTLY) {
            built = BUILT_PARTLY;
        }
        free(entries[i]);
    }
    free(entries);
    if (all == NULL || fclose(all) != 0 ||
        digest_sha256(text, len, digest, NULL) != RC_OK) {
        memset(digest, 0, DIGEST_BYTES);
        built = BUILT_PARTLY;
    }
    free(text);
    return built;
}
