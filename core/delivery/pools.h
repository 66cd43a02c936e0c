/* core/delivery/pools.h: the pools of all plugins, and the switch from one
 * generation to the next; private to the dispatcher.
 *
 * Only the dispatcher's thread changes it, and holds the dispatcher's lock
 * while it changes the list; others look at the list under that lock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POOLS_H
#define CORE_POOLS_H

#include <stdint.h>

struct dispatcher_drain;
struct generation;
struct inbox_plugin;
struct pausing; /* what dispatcher_pause() was told */
struct pool;
struct pool_host;
struct retirement;

/** Zero it, and set the host, to start. */
struct pools {
    struct pool_host *host;
    struct pool *first;
    struct retirement *retirements; /* the newest first; guarded by the lock */
    unsigned killed; /* by retirements that are forgotten; guarded likewise */
    struct pausing *pausings; /* of each plugin the last; guarded likewise */
};

/** The pool of that plugin, or NULL. */
struct pool *pools_find(const struct pools *pools, uint32_t plugin);

/** See dispatcher_pause(). Of a plugin that has no pool it is kept until it
 * has: what was read of it for that may be older. Under the lock. */
void pools_pause_locked(struct pools *pools, const struct inbox_plugin *state);

/** See dispatcher_switch(). What the former generation leaves behind goes with
 * the next pool_feed() and pools_sweep(). @return RC_OK or RC_NOMEM */
int pools_switch(struct pools *pools, struct generation *generation,
                 int64_t drain_ms);

/** Free the pools of plugins that are gone, when their last runner is. */
void pools_sweep(struct pools *pools);

/** See dispatcher_draining(). Under the lock. */
void pools_count_old_locked(const struct pools *pools, unsigned generation,
                            struct dispatcher_drain *out);

/** Free all; claims go back. */
void pools_fini(struct pools *pools);

#endif
