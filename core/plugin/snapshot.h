/* core/plugin/snapshot.h: a private copy of a plugin's file, named by what is
 * in it.
 *
 * Runners load only copies: a file that is rewritten in place cannot reach
 * running code, and a runner started at 03:00 loads the bytes that were
 * checked. Half-copied files are found here, by reading, since loading one
 * would raise SIGBUS.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

struct error;

#define SNAPSHOT_DIGEST_MAX 65 /* SHA-256 as text, with its NUL */

/** How the names of copies begin that are not written to their end. */
#define SNAPSHOT_NEW ".new-"

struct snapshot {
    char *path; /* of the copy: DIR/DIGEST.so */
    char digest[SNAPSHOT_DIGEST_MAX];
};

/**
 * Copy the .so at `path` into the folder `dir`, which is made if absent. The
 * copy is on stable storage when this returns.
 *
 * @param out  set on success only; end with snapshot_fini()
 * @return RC_OK; RC_INVALID when the file is not a whole shared object for this
 *         machine or changed while it was read; RC_IO also when nothing can be
 *         loaded from `dir` (noexec); RC_NOT_FOUND, RC_NOMEM
 */
int snapshot_make(struct snapshot *out, const char *path, const char *dir,
                  struct error *err);

/** Whether the copy at `path` is there and has the bytes of that digest.
 * @return RC_OK, RC_NOT_FOUND, RC_INVALID, RC_IO */
int snapshot_verify(const char *path, const char *digest, struct error *err);

/** Free the words, not the copy. Accepts a zeroed one. */
void snapshot_fini(struct snapshot *snapshot);

#endif
