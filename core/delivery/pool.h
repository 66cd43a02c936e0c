/* core/delivery/pool.h: the runners of one plugin, and the deliveries claimed
 * for them; private to the dispatcher, and used on its thread only. How runners
 * come, speak and go is in crew.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "delivery/dispatcher.h"
#include "delivery/health.h"
#include "delivery/hold.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct attempt;
struct inbox;
struct inbox_lookup;
struct worker;

/** What all pools of a dispatcher share. */
struct pool_host {
    int epoll;
    int drain_fd; /* eventfd: an old runner has left */
    struct inbox *inbox;
    pthread_mutex_t *lock; /* the dispatcher's */
    uint64_t serials;      /* given to workers so far */
    dispatcher_return_fn *return_fn;
    dispatcher_recovered_fn *recovered_fn;
    void *arg;
};

struct pool {
    struct pool *next; /* of all of them; guarded by the dispatcher's lock */
    struct pool_host *host;
    uint32_t id;                   /* the plugin's in the inbox */
    struct generation *generation; /* held; `plugin` is its */
    const struct plugin *plugin;   /* as it is served now */
    int is_leaving; /* its plugin is gone: it waits for its old runners */
    struct worker *workers;
    struct attempt *ready, **ready_end; /* claimed, not begun */
    unsigned ready_count;
    unsigned asked; /* wished for, not come yet */
    struct health health;
    struct attempt *suspect; /* of health: ended, not reported */
    struct hold hold;
    struct inbox_plugin news; /* guarded by the dispatcher's lock: a pause or a
                                 resumption that is to be done */
    int has_news;             /* guarded likewise */

    /* For any thread. */
    atomic_uint runners, running, old;
    atomic_int is_broken, is_paused;
    atomic_int is_hastened; /* its old runners are to go now */
};

/** An empty pool. */
void pool_init(struct pool *pool, struct pool_host *host,
               const struct plugin *plugin);

/** Give back claims that nobody began with, and free what is left. */
void pool_fini(struct pool *pool);

/** Take over a claim, behind those that wait. */
void pool_queue(struct pool *pool, struct attempt *attempt);

/** Pause or resume. */
void pool_pause(struct pool *pool, const struct inbox_plugin *state);

/** Give idle runners work, and ask the inbox for what they can do next. Idle
 * ones that are old, or have served long enough, are given back. */
void pool_feed(struct pool *pool);

/** Pass the answer on to the runner that asked, if it is still there. */
void pool_on_lookup(struct pool *pool, const struct inbox_lookup *lookup);

/**
 * End what takes too long.
 *
 * @param late  1: whatever still runs, because a drain is over
 * @return when to look again, `next_ms` at the latest; monotonic
 */
int64_t pool_check(struct pool *pool, int late, int64_t next_ms);

/** Give back idle runners, and claims that nobody began with.
 * @return how many runners are still there */
unsigned pool_drain(struct pool *pool);

/* ---- For those beside it ----------------------------------------- */

/** Give back claims that nobody began with. */
void pool_undo_ready(struct pool *pool);

/** ... the latest event first: when the plugin's order has changed a lane may
 * have several out, and of these the earliest leads once all are back. */
void pool_undo_backwards(struct pool *pool);

/** Ask the inbox for a key that the worker's runner wants to know. */
void pool_look_up(struct pool *pool, struct worker *worker, const char *key,
                  size_t len);

/** The worker's attempt has ended with a verdict. */
void pool_answered(struct pool *pool, struct worker *worker);

/** For how long the plugin was held in all, up to now. */
int64_t pool_held_ms(const struct pool *pool);

#endif
