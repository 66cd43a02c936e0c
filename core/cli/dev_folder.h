/* core/cli/dev_folder.h: where a `pegboard dev` keeps its things.
 *
 * Each has a folder of its own, run-XXXXXX in config_dev_dir(), and holds its
 * lock as long as it runs: what a killed one left behind is known by a lock
 * that is free. The first of them has the lock of config_dev_dir() as well:
 * other commands find that one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DEV_FOLDER_H
#define CORE_DEV_FOLDER_H

#include <limits.h>

struct dev_folder {
    char root[PATH_MAX]; /* config_dev_dir() */
    char path[PATH_MAX]; /* ours, inside root; "" for none */
    int root_lock;       /* -1: another pegboard dev runs */
    int lock;            /* of ours */
};

/** Remove leftovers, and make ours, readable by nobody else.
 * @return 0, or the exit code after saying why; dev_folder_remove() it in any
 *         case */
int dev_folder_make(struct dev_folder *folder);

/** Remove ours with all that is in it, and what told other commands of us. */
void dev_folder_remove(struct dev_folder *folder);

/** Where other commands are told of the first one. */
#define DEV_FOLDER_TOLD "dev.ini"

#endif
