/* core/runner/sandbox.h: what plugin code may do, applied to this process
 * before any of it is loaded.
 *
 * Without a user of its own a plugin is kept from mistakes, not from malice: it
 * can read what the daemon's user can, unless its sandbox is `files`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H

#include <stddef.h>

struct confinement;
struct error;

/** The plugin's file, which the sandbox may put out of reach. */
struct sandbox_file {
    const char *path; /* in: as the daemon named it; out: as it can be opened */
    int fd;           /* out: keeps it in reach; -1: not needed */
    char room[32];
};

/**
 * Apply it, for good, in this order: limits, user, parent, files, system calls.
 *
 * @param parent_pid  the daemon's
 * @param file        end with sandbox_file_fini() once it is loaded
 * @param lacking     gets what this system cannot deny, "" for nothing
 * @return RC_OK; RC_INVALID when something that is required is lacking, or the
 *         data_dir cannot be reached; RC_CLOSED when the daemon is gone; RC_IO
 */
int sandbox_apply(const struct confinement *confinement, int parent_pid,
                  struct sandbox_file *file, char *lacking, size_t size,
                  struct error *err);

void sandbox_file_fini(struct sandbox_file *file);

#endif
