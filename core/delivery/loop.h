/* core/delivery/loop.h: the dispatcher's inside, and its thread; private to
 * dispatcher.c and loop.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include "delivery/pool.h"
#include "delivery/pools.h"
#include "delivery/worker.h"
#include "inbox/inbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* A runner on its way in. */
struct adoption {
    struct adoption *next;
    struct runner *runner;
};

/* A switch that somebody waits for; on that thread's stack. */
struct switching {
    struct switching *next;
    struct generation *generation;
    int64_t drain_ms;
    int rc;      /* out */
    int is_done; /* guarded by the dispatcher's lock */
};

struct dispatcher {
    struct pool_host host;
    struct pools pools; /* its list is guarded by lock */
    pthread_t thread;
    struct inbox_listener listener;
    int wake; /* eventfd */

    /* Of the thread alone. */
    struct source wake_source;
    struct inbox_claim *late; /* no memory for them yet */
    int draining;
    int64_t drain_deadline_ms;

    pthread_mutex_t lock;
    pthread_cond_t switched; /* somebody's switch is done */
    /* Guarded by lock: what others bring. */
    struct adoption *adoptions;
    struct inbox_claim *claims;
    struct inbox_lookup *lookups;
    struct switching *switchings;
    int64_t drain_asked_ms; /* 0: not asked */
    int has_pauses;         /* a pool has news */
    int stop;

    atomic_int drained;
    atomic_llong turned_ms;
};

/** The thread; `arg` is the dispatcher. */
void *loop_main(void *arg);

/** Have it look at what was brought. From any thread. */
void loop_wake(struct dispatcher *d);

/** Bring claims to their pools. On the thread, or when there is none. */
void loop_take_claims(struct dispatcher *d, struct inbox_claim *claims);

#endif
