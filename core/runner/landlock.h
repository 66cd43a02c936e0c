/* core/runner/landlock.h: files and ports that plugin code cannot reach.
 *
 * Newer kernels can deny more; what the running one can is asked for, and what
 * it cannot is told.
 * Source: landlock(7), kernel Documentation/userspace-api/landlock.rst (ABI 1
 * to 7).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LANDLOCK_H
#define CORE_LANDLOCK_H

#include <stddef.h>

struct confinement;
struct error;

/**
 * From now on only system libraries, certificates and what name lookups need
 * can be read (and programs of the system run), only data_dir written, and, if
 * ports are named, no other TCP port be connected to. Needs no_new_privs.
 *
 * @param plugin   path of the .so, which stays readable
 * @param lacking  gets what the kernel cannot deny, "" for nothing
 * @return RC_OK; RC_NOT_FOUND when the kernel has no Landlock; RC_INVALID when
 *         data_dir is not there; RC_IO
 */
int landlock_deny(const struct confinement *confinement, const char *plugin,
                  char *lacking, size_t size, struct error *err);

#endif
