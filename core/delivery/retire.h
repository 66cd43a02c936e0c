/* core/delivery/retire.h: old runners, those of a generation that no longer
 * serves: how they are counted and when they must go; private to the
 * dispatcher, and used on its thread only.
 *
 * An old runner gets no more events. An idle one is given back at once, one at
 * work when its event has ended. Its verdict counts like any other; what it
 * says of its plugin's health is of no use, since another version serves now.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RETIRE_H
#define CORE_RETIRE_H

#include <stdint.h>

struct pool;
struct worker;

/** What one switch retired. */
struct retirement {
    struct retirement *next; /* an earlier one */
    unsigned generation;     /* number of the one that took over */
    unsigned left;           /* still there; guarded by the dispatcher's lock */
    unsigned killed;         /* took too long; guarded likewise */
};

/**
 * All runners of a pool are old from now on. Those that were already are killed
 * if they are at work: at most one former generation lives beside the new one.
 *
 * @param by           counts them; stays where it is while it has some left
 * @param leave_by_ms  monotonic: those still at work then are killed
 */
void retire_all(struct pool *pool, struct retirement *by, int64_t leave_by_ms);

/** Give back old ones that are idle. */
void retire_dismiss(struct pool *pool);

/** The time of its old ones is over now. */
void retire_hasten(struct pool *pool);

/** Kill old ones whose time is over.
 * @return when to look again, `next_ms` at the latest; monotonic */
int64_t retire_check(struct pool *pool, int64_t next_ms);

/** An old one has been given back: count it, and tell those who wait. */
void retire_gone(struct worker *worker);

#endif
