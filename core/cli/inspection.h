/* core/cli/inspection.h: what is in a plugin's file, found out by processes
 * that may die of it. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INSPECTION_H
#define CORE_INSPECTION_H

#include "plugin/manifest.h"
#include "plugin/snapshot.h"

#include <stddef.h>

struct error;

/** A word and its value, as runner/inspect.h lists them. */
struct inspection_fact {
    const char *word, *value;
};

struct inspection {
    const char *path; /* as it was given; borrowed */
    struct snapshot snapshot;
    struct manifest manifest; /* of a file that is not refused */
    char refusal[512];        /* why it is; "" if it is not */
    char *text;               /* of the facts */
    struct inspection_fact *facts;
    size_t fact_count;
    char dir[512]; /* where the copy is; "" for none */
};

/**
 * Look at the file at `path`: at its headers, at what its libraries provide,
 * and load it as a daemon would, without its environment.
 *
 * @param out  zeroed by the caller; whatever is returned: inspection_close()
 * @return RC_OK, also for one that a daemon would refuse; RC_INVALID when it is
 *         no shared object at all; RC_NOT_FOUND, RC_IO, RC_NOMEM
 */
int inspection_open(struct inspection *out, const char *path,
                    struct error *err);

void inspection_close(struct inspection *inspection);

/** The value of the fact number `index` of that word; NULL behind the last. */
const char *inspection_fact(const struct inspection *inspection,
                            const char *word, size_t index);

/** Whether the first of that word is "1". */
int inspection_is(const struct inspection *inspection, const char *word);

/** How many there are of that word. */
size_t inspection_count(const struct inspection *inspection, const char *word);

#endif
