/* core/delivery/recycle.h: runners that have served long enough make room for
 * fresh ones, so that what a plugin leaks has an end; private to the
 * dispatcher, and used on its thread only.
 *
 * Only an idle one goes, and it goes well: nothing fails, nothing is retried,
 * and the supervisor starts the next at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RECYCLE_H
#define CORE_RECYCLE_H

#include <stdint.h>

struct pool;

/** What decides when a worker is old enough. */
struct recycling {
    int64_t since_ms; /* it came; monotonic */
    /** Its own tenth more or less, in thousandths, so that those which came
     * together do not go together. */
    int jitter;
    unsigned long weighed; /* events it had handled when its memory was looked
                              at last */
    int64_t weigh_ms;      /* not before that again; monotonic */
};

/** A worker comes. */
void recycle_init(struct recycling *recycling);

/** Give back the runners of idle workers that have handled enough events, are
 * old enough, or use too much memory, as their plugin's section says. */
void recycle_dismiss(struct pool *pool);

#endif
