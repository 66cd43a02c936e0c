/* core/config/inifile.h: an INI file's sections and keys, with their lines.
 *
 * inih parses; what it would cut, join or pass over in silence is an error
 * here. Values stay text: what they mean is for others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INIFILE_H
#define CORE_INIFILE_H

#include <stddef.h>

struct config_report; /* report.h */

struct inifile_entry {
    char *key;
    char *value; /* lines that continue it are joined with a blank */
    int line;
    int broken; /* reported; the key is there, its value is not to be judged */
};

struct inifile_section {
    char *name; /* "plugin hello options": words with one blank between */
    int line;
    struct inifile_entry *entries;
    size_t count;
};

struct inifile {
    struct inifile_section *sections;
    size_t count;
};

/**
 * Read a file's bytes, without looking at them.
 *
 * @param text  set on success only; the caller's, to cleanse and free(); a NUL
 *              stands behind the bytes
 * @return RC_OK, RC_INVALID when it cannot be read or is too large, which the
 *         report says, RC_NOMEM
 */
int inifile_load(char **text, size_t *len, const char *path,
                 struct config_report *report);

/**
 * Read the file at `path`; every mistake in its form goes into the report.
 *
 * @param ini  zeroed by the caller; also after a failure inifile_fini() is due
 * @return RC_OK (perhaps with mistakes reported: what could be read is there),
 *         RC_INVALID when it cannot be read at all, RC_NOMEM
 */
int inifile_read(struct inifile *ini, const char *path,
                 struct config_report *report);

/** As inifile_read(), for `len` bytes of `text`; `path` is for messages. */
int inifile_parse(struct inifile *ini, const char *path, const char *text,
                  size_t len, struct config_report *report);

/** What the parser builds with. The pointer is borrowed until the next one is
 * added; NULL when out of memory. */
struct inifile_section *inifile_add_section(struct inifile *ini,
                                            const char *name, int line);
struct inifile_entry *inifile_add_entry(struct inifile_section *section,
                                        const char *key, const char *value,
                                        int line);

/** Free it. Values may be secrets, so they are cleansed. */
void inifile_fini(struct inifile *ini);

/** The section of that name, or the key's entry in it, or NULL. */
const struct inifile_section *inifile_section(const struct inifile *ini,
                                              const char *name);
const struct inifile_entry *inifile_entry(const struct inifile_section *section,
                                          const char *key);

#endif
