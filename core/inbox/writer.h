/* core/inbox/writer.h: the inbox's inside: what waits for the writer, and the
 * thread that writes it; private to inbox.c, enrol.c, batch.c and writer.c.
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
    unsigned turn;  /* whose share is next; see engine_share() */
};

struct inbox {
    struct inbox_engine *engine; /* the writer's, once it runs; the others only
                                    ask for room */
    pthread_t writer;
    int writer_runs;
    atomic_llong min_free_bytes; /* as in the settings */

    pthread_mutex_t lock;
    pthread_cond_t work; /* something for the writer */
    /* All below is guarded by lock. */
    struct inbox_put *puts, **puts_end;
    struct inbox_result *results, **results_end;
    struct inbox_action *actions, **actions_end;
    struct inbox_lookup *lookups, **lookups_end;
    struct inbox_roll *rolls, **rolls_end;
    struct demand *demands;
    size_t demand_count;
    size_t demand_reserved; /* room for so many more */
    int64_t retention_ms;   /* as in the settings */
    int64_t prune_mono_ms;  /* when to remove old events next */
    int closing;
    int last_try; /* closing: what waits is being written, or cannot be */
    int failed;   /* the last transaction did not commit */
    int64_t retry_mono_ms; /* while failed: no transaction of our own before */
    struct inbox_listener listener; /* .claims is NULL: there is none */
    unsigned listener_number;       /* goes up with each new one */
    struct inbox_stats stats;

    /* Of the writer's thread alone. */
    int64_t clock_offset_ms; /* of the wall clock to the time since boot */
    int64_t prune_after_seq;

    atomic_llong room_mono_ms; /* when has_room was looked at */
    atomic_int has_room;
    atomic_llong turned_mono_ms; /* when the writer last went round */
    atomic_int busy;             /* it is inside a transaction */
};

/** The writer's thread: takes what waits, commits it as one batch, tells who
 * waited; until the inbox closes and nothing is left. `arg` is the inbox. */
void *writer_main(void *arg);

/** The demand of that plugin, or NULL. */
struct demand *writer_demand_locked(struct inbox *inbox, uint32_t plugin);

/** Look for every plugin's deliveries anew. */
void writer_look_again_locked(struct inbox *inbox);

/** Free a list of results. */
void writer_free_results(struct inbox_result *results);

/* batch.c */

/** The wall clock's step since the last batch, 0 for none.
 * @param wall_ms  what it says now */
int64_t batch_jump_ms(const struct inbox *inbox, int64_t wall_ms);

/** Take what waits, at most a batch of it. @return RC_OK or RC_NOMEM */
int batch_take_locked(struct inbox *inbox, struct inbox_batch *batch);

/** Whether there is nothing in it. */
int batch_is_empty(const struct inbox_batch *batch);

/** Whether there is something in it that changes what is stored. */
int batch_writes(const struct inbox_batch *batch);

/** It is committed: count it, note when to look again, and hand claims and
 * answers to the listener who asked. */
void batch_settle_locked(struct inbox *inbox, struct inbox_batch *batch,
                         unsigned listener);

/** It is not, or not for sure: keep what must not be lost. */
void batch_return_locked(struct inbox *inbox, struct inbox_batch *batch,
                         unsigned listener, int rc);

/** Tell who waits for a put, an action or a roll.
 * @param err  why not; may be NULL with RC_OK */
void batch_answer(struct inbox_batch *batch, int rc, const struct error *err);

#endif
