/* core/config/inifile.c: an INI file's sections and keys in memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/inifile.h"

#include "error.h"
#include "config/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Far beyond any use; it bounds the work that a wrong file can cause. */
#define FILE_MAX (1024 * 1024)

struct inifile_section *
inifile_add_section(struct inifile *ini, const char *name, int line)
{
    struct inifile_section *grown =
        realloc(ini->sections, (ini->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return NULL;
    }
    ini->sections = grown;
    struct inifile_section section = {.name = strdup(name), .line = line};
    if (section.name == NULL) {
        return NULL;
    }
    grown[ini->count] = section;
    return &grown[ini->count++];
}

struct inifile_entry *
inifile_add_entry(struct inifile_section *section, const char *key,
                  const char *value, int line)
{
    struct inifile_entry *grown =
        realloc(section->entries, (section->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return NULL;
    }
    section->entries = grown;
    struct inifile_entry entry = {
        .key = strdup(key), .value = strdup(value), .line = line};
    if (entry.key == NULL || entry.value == NULL) {
        free(entry.key);
        free(entry.value);
        return NULL;
    }
    grown[section->count] = entry;
    return &grown[section->count++];
}

const struct inifile_section *
inifile_section(const struct inifile *ini, const char *name)
{
    for (size_t i = 0; i < ini->count; i++) {
        if (strcmp(ini->sections[i].name, name) == 0) {
            return &ini->sections[i];
        }
    }
    return NULL;
}

const struct inifile_entry *
inifile_entry(const struct inifile_section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->entries[i].key, key) == 0) {
            return &section->entries[i];
        }
    }
    return NULL;
}

static void
section_fini(struct inifile_section *section)
{
    for (size_t i = 0; i < section->count; i++) {
        struct inifile_entry *entry = &section->entries[i];
        explicit_bzero(entry->value, strlen(entry->value));
        free(entry->value);
        free(entry->key);
    }
    free(section->entries);
    free(section->name);
}

void
inifile_fini(struct inifile *ini)
{
    for (size_t i = 0; i < ini->count; i++) {
        section_fini(&ini->sections[i]);
    }
    free(ini->sections);
    memset(ini, 0, sizeof(*ini));
}

/* Read until the end, or until `size` bytes are there.
 * Returns an errno value, 0 for none. */
static int
read_all(const char *path, char *room, size_t size, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return errno;
    }
    int errnum = 0;
    *len = 0;
    while (*len < size) {
        ssize_t n = read(fd, room + *len, size - *len);
        if (n == 0) {
            break;
        }
        if (n > 0) {
            *len += (size_t)n;
        } else if (errno != EINTR) {
            errnum = errno;
            break;
        }
    }
    close(fd);
    return errnum;
}

/* A copy of its own length, since few files are as large as the room. */
static int
copy_text(char **out, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL) {
        return RC_NOMEM;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    *out = copy;
    return RC_OK;
}

int
inifile_load(char **text, size_t *len, const char *path,
             struct config_report *report)
{
    char *room = malloc(FILE_MAX + 1);
    if (room == NULL) {
        report->out_of_memory = 1;
        return RC_NOMEM;
    }
    size_t used = 0;
    int rc = RC_INVALID;
    int errnum = read_all(path, room, FILE_MAX + 1, &used);
    if (errnum != 0) {
        char why[128];
        report_error(report, path, 0, "cannot be read: %s",
                     strerror_r(errnum, why, sizeof(why)));
    } else if (used > FILE_MAX) {
        report_error(report, path, 0,
                     "is larger than %d bytes; is this an ini file?", FILE_MAX);
    } else {
        rc = copy_text(text, room, used);
        report->out_of_memory |= rc == RC_NOMEM;
        *len = used;
    }
    explicit_bzero(room, used);
    free(room);
    return rc;
}

int
inifile_read(struct inifile *ini, const char *path,
             struct config_report *report)
{
    char *text = NULL;
    size_t len = 0;
    int rc = inifile_load(&text, &len, path, report);
    if (rc == RC_OK) {
        rc = inifile_parse(ini, path, text, len, report);
        explicit_bzero(text, len);
    }
    free(text);
    return rc;
}
