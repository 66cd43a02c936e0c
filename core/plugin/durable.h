/* core/plugin/durable.h: bytes that are still there after a power cut.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DURABLE_H
#define CORE_DURABLE_H

#include <stddef.h>

/** Write all of `bytes` to `fd` and flush it; the name that leads there is
 * another matter: durable_folder().
 * @return 0, or -1 with errno */
int durable_write(int fd, const char *bytes, size_t len);

/** Flush the names in the folder at `path`.
 * @return 0, or -1 with errno */
int durable_folder(const char *path);

#endif
