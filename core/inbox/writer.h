/* core/inbox/writer.h: the inbox's inside: what waits for the writer, and the
 * thread that writes it; private to inbox.c and writer.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_WRITER_H
#define CORE_INBOX_WRITER_H

#include "inbox/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* Wishes of one plugin, and when they can next be met. */
struct demand {
    uint32_t plugin;
    unsigned wanted;
    int64_t due_ms; /* wall clock: nothing is due before; 0 for "look" */
};

struct inbox {
    struct inbox_engine *engine; /* the writer's, once it runs */
    pthread_t writer;
    int writer_runs;

    pthread_mutex_t lock;
    pthread_cond_t work; /* something for the writer */
    /* All below is guarded by lock. */
    struct inbox_put *puts, **puts_end;
    struct inbox_result *results, **results_end;
    struct demand *demands;
    size_t demand_count;
    int closing;
    int last_try; /* closing: what waits is being written, or cannot be */
    int failed;   /* the last transaction did not commit */
    int64_t retry_mono_ms; /* while failed: no transaction of our own before */
    inbox_claims_fn *claims_fn;
    void *claims_arg;
    unsigned listener; /* goes up with each new one */
    struct inbox_stats stats;

    atomic_llong turned_mono_ms; /* when the writer last went round */
    atomic_int busy;             /* it is inside a transaction */
    pthread_mutex_t engine_lock; /* held around every call of the engine */
};

/** The writer's thread: takes what waits, commits it as one batch, tells who
 * waited; until the inbox closes and nothing is left. `arg` is the inbox. */
void *writer_main(void *arg);

/** The demand of that plugin, or NULL. */
struct demand *writer_demand_locked(struct inbox *inbox, uint32_t plugin);

/** Free a list of results. */
void writer_free_results(struct inbox_result *results);

#endif
