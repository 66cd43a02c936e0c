/* core/cli/input.h: files and secrets that a command line names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INPUT_H
#define CORE_INPUT_H

#include <stddef.h>

struct error;
struct secret; /* config/secret.h */

/** Bytes of an event that is read from a file. */
#define INPUT_EVENT_MAX (16 * 1024 * 1024)

/**
 * Read a file whole; "-" is standard input.
 *
 * @param bytes  set on success only; NUL-terminated besides `len`; the caller
 *               frees it
 * @return RC_OK, RC_NOT_FOUND (no such file), RC_FULL (over `max` bytes),
 *         RC_IO, RC_NOMEM
 */
int input_read(const char *path, size_t max, char **bytes, size_t *len,
               struct error *err);

/** Read a secret from a file, which others must not be able to read, or from
 * standard input ("-"). End with secret_fini(). */
int input_secret(struct secret *secret, const char *path, struct error *err);

#endif
