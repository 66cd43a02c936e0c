/* core/cli/dev_files.h: what `pegboard dev` writes into its folder: an INI
 * file, a secret, and links to the plugins. SPDX-License-Identifier: Apache-2.0
 */
#ifndef CORE_DEV_FILES_H
#define CORE_DEV_FILES_H

#include "command.h"
#include "dev_folder.h"
#include "script.h"
#include "stripe/signature.h"

#define DEV_LISTEN "127.0.0.1:4242"
#define DEV_PATH   "/webhook"

struct dev_files {
    const struct args *args;
    const struct dev_folder *folder;
    char ini[PATH_MAX + 16];  /* the daemon's file */
    char told[PATH_MAX + 16]; /* the one to give to other commands */
    char secret[SIGNATURE_SECRET_MAX + 1];
    /** What the daemon's plugins are loaded from, as absolute paths: the files
     * that were given, or the folder of the shipped ones. */
    char *sources[ARGS_MAX];
    size_t source_count;
    struct script scripts[ARGS_MAX]; /* of each operand that is one */
};

/** Write all of it.
 * @param args, folder  borrowed
 * @return 0, or the exit code after saying why; dev_files_fini() in any case */
int dev_files_make(struct dev_files *files, const struct args *args,
                   const struct dev_folder *folder);

/** Tell other commands that we listen at `address` ("127.0.0.1:4242").
 * @return 0, or the exit code after saying why */
int dev_files_tell(struct dev_files *files, const char *address);

/** Forget the secret. The files go with their folder. */
void dev_files_fini(struct dev_files *files);

#endif
