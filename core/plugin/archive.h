/* core/plugin/archive.h: generations kept on disk, to go back to.
 *
 * STATE/generations/NUMBER/ holds the text of the INI file and a list of the
 * plugins with their digests; the plugins themselves are in STATE/plugins.
 * Files that the text refers to (secrets) are not kept.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ARCHIVE_H
#define CORE_ARCHIVE_H

#include "config/config.h"

#include <stddef.h>

struct error;
struct generation;

/** One that was kept. */
struct archived {
    char *text_path;         /* of the kept INI text */
    struct config_pin *pins; /* plugins and their snapshots */
    size_t pin_count;
};

/** Keep a generation: when it returns RC_OK it is on stable storage. One that
 * has that number already is replaced.
 * @param state_dir  STATE; @param number  of the folder
 * @return RC_OK, RC_IO, RC_NOMEM */
int archive_keep(const char *state_dir, long long number,
                 const struct generation *generation, struct error *err);

/** Find one. Every snapshot is there, and has the bytes that its name says.
 * @param out  set on success only: archived_fini()
 * @return RC_OK; RC_NOT_FOUND; RC_INVALID when it is not whole; RC_IO,
 *         RC_NOMEM */
int archive_find(struct archived *out, const char *state_dir, long long number,
                 struct error *err);
void archived_fini(struct archived *archived);

/** Whether the one that is kept under that number is made of the same text and
 * the same plugins; 0 also when that cannot be told. */
int archive_is_same(const char *state_dir, long long number,
                    const struct generation *generation);

/** Remove what nobody will go back to: all but `keep`, the snapshots that
 * neither a kept one nor one of the generations `live` uses, and half-written
 * files. What cannot be removed is logged. Not while a generation is made or
 * kept: what belongs to that one would be taken for a leftover. */
void archive_sweep(const char *state_dir, const long long *keep, size_t count,
                   struct generation *const *live, size_t live_count);

/** A digest of what a generation is made of: the text of its file and the bytes
 * of its plugins. @param out  room for 65 bytes: hex */
int archive_inputs(const struct generation *generation, char *out,
                   struct error *err);

#endif
