/* core/cli/project.h: the folder that `pegboard new` makes: the files of
 * sdk/templates for its language, with names filled in, and a sample event.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROJECT_H
#define CORE_PROJECT_H

#include <stddef.h>

struct error;

#define PROJECT_FILES_MAX 16
#define PROJECT_TYPES_MAX 64

struct project_language {
    const char *name;       /* "c++" */
    const char *aliases[3]; /* "cpp" */
    const char *suffix;     /* of its files */
    const char *folders[2]; /* of its templates */
    const char *runs;       /* the command that builds or runs a file */
    int is_built;           /* else a script for the plugin exec */
};

/** The language of that name, in whatever case; NULL when there is none. */
const struct project_language *project_language(const char *name);

struct project {
    const char *name;   /* of the plugin */
    const char *folder; /* to be made */
    const struct project_language *language;
    const char *types[PROJECT_TYPES_MAX]; /* patterns it subscribes to */
    size_t type_count;
    const char *type; /* of the sample event */
};

/** The names of what was made, in the order of the templates. */
struct project_files {
    char *names[PROJECT_FILES_MAX];
    size_t count;
};

/**
 * Make the folder with all that is in it, or nothing.
 *
 * @param files  set on success only; end with project_files_fini()
 * @return RC_OK, RC_BUSY when something of that name is there, RC_NOT_FOUND
 *         when the folder around it is not, RC_IO, RC_NOMEM
 */
int project_make(const struct project *project, struct project_files *files,
                 struct error *err);

void project_files_fini(struct project_files *files);

#endif
