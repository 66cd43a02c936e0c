/* core/plugin/archive_parts.h: what archive.c and archive_sweep.c share: the
 * names in STATE/generations, and the list of plugins.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ARCHIVE_PARTS_H
#define CORE_ARCHIVE_PARTS_H

#include "config/config.h"
#include "plugin/snapshot.h"

#include <stddef.h>

struct error;
struct generation;

#define ARCHIVE_FOLDER "generations" /* in STATE */
#define ARCHIVE_COPIES "plugins"     /* in STATE: the snapshots */
#define ARCHIVE_NEW    ".new-"       /* begins the names of unfinished ones */

/* In the folder of each. */
#define ARCHIVE_TEXT "pegboard.ini"
#define ARCHIVE_LIST "plugins"

/** Room for ARCHIVE_NEW and a number. */
#define ARCHIVE_NAME_MAX 32

/** The file ARCHIVE_LIST: a line "NAME DIGEST" for each plugin. */
struct archive_list {
    size_t count;
    struct archive_line {
        char name[CONFIG_NAME_MAX + 1];
        char digest[SNAPSHOT_DIGEST_MAX];
    } lines[CONFIG_PLUGINS_MAX];
};

/** Open STATE/ARCHIVE_FOLDER or STATE/ARCHIVE_COPIES, which must not be a
 * symbolic link.
 * @return a descriptor to close(), or -1 with errno */
int archive_open(const char *state_dir, const char *folder);

/** Write the list into the open folder `folder`, flushed.
 * @return 0, or -1 with errno */
int archive_list_write(int folder, const struct generation *generation);

/** Read it from there.
 * @return RC_OK, RC_NOT_FOUND, RC_INVALID, RC_IO; `err` tells of the file */
int archive_list_read(struct archive_list *list, int folder, struct error *err);

/** Whether `text` is a digest as digest_hex() writes it, and nothing else. */
int archive_is_digest(const char *text, size_t len);

/** Remove the folder `name` from the open folder `parent`, with the two files
 * that belong in it. One that holds anything else stays.
 * @return 0 (also when there is none), or -1 with errno */
int archive_remove(int parent, const char *name);

#endif
