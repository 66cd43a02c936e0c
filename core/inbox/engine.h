/* core/inbox/engine.h: what a store must do for the inbox.
 *
 * An engine is used by one thread at a time. It works on whole batches, each
 * all or nothing, so that one commit and one flush serve all that waited. No
 * SQL and no handle of a store shows here: tests run a model in memory behind
 * the same table.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_ENGINE_H
#define CORE_INBOX_ENGINE_H

#include "inbox/inbox.h"

/** Claims of one plugin in one go: no more bytes of bodies than this, but one
 * at least. */
#define ENGINE_CLAIM_BYTES_MAX (4U << 20)

/** How many due deliveries of one plugin are wished for, and what came. */
struct inbox_want {
    uint32_t plugin;
    unsigned count;
    unsigned turn; /* goes up with each claim: whose share is next; see
                      engine_share() */
    /* out */
    struct inbox_claim *claims; /* at most count; owned by the caller */
    unsigned claimed;
    int64_t next_ms; /* wall clock: when to look again if nothing happens
                        before; INT64_MAX: never, 0: at once */
};

/** Shares in which the classes are claimed while all have something: of 13
 * claims 8 are fresh, 4 aged, 1 replayed. */
enum inbox_class engine_share(unsigned turn);

/** Removing old events, a step at a time. */
struct inbox_prune {
    int64_t before_ms; /* received before; 0: nothing to do. What seems to come
                          from the future stays, and is passed over */
    int64_t after_seq; /* in: where the last step ended; out: this one; 0 in
                          the end: the pass is over */
    unsigned limit;    /* events looked at, at most */
    unsigned pruned;   /* out */
};

/** A generation to enrol, and a question for the one that was enrolled last. */
struct inbox_roll {
    struct inbox_enrolment *enrolment; /* NULL: none; its outputs count only
                                          once the batch is committed */
    struct inbox_generation *last;     /* out; NULL: not asked */

    /* Private to the writer. */
    struct inbox_roll *next;
    struct error *err; /* of who waits; may be NULL */
    atomic_int rc;
    sem_t finished;
};

/** All that goes into one transaction, in this order. */
struct inbox_batch {
    int64_t jump_ms; /* the wall clock was set by this much: move what waits */
    struct inbox_roll *roll; /* at most one; NULL for none */
    struct inbox_put *puts;  /* list by ->next; their results are filled in */
    struct inbox_result *results; /* list by ->link; a stale one is ignored */
    struct inbox_action *actions; /* list by ->next */
    struct inbox_lookup *lookups; /* list by ->next; answered here */
    struct inbox_prune prune;
    struct inbox_want *wants;
    size_t want_count;
    int64_t now_ms; /* wall clock */
    /* out */
    uint64_t closed, buried; /* results that were not stale */
};

struct inbox_engine;

struct inbox_engine_ops {
    /**
     * Apply a batch and make it durable.
     *
     * @return RC_OK, or why nothing of it happened: RC_FULL, RC_IO, RC_CORRUPT,
     *         RC_NOMEM, with the wants reset; RC_UNKNOWN when it may have
     *         happened after all: then the claims stay, to be undone in case
     *         they are real.
     */
    int (*commit)(struct inbox_engine *engine, struct inbox_batch *batch,
                  struct error *err);

    /** Write something small, durably: does the store work (again)? */
    int (*probe)(struct inbox_engine *engine, struct error *err);

    /** Whether the disk has `min_free` bytes left, or the sixteenth of itself
     * if that is less. From any thread, also beside the others. */
    int (*has_room)(struct inbox_engine *engine, int64_t min_free);

    void (*close)(struct inbox_engine *engine);
};

/** Embedded at the head of each engine. */
struct inbox_engine {
    const struct inbox_engine_ops *ops;
};

/** Open the SQLite engine; errors as inbox_open(). */
int sqlite_open(struct inbox_engine **out, const char *path, struct error *err);

/** Start an inbox on an engine, which it takes over, also on failure. */
int inbox_start(struct inbox **out, struct inbox_engine *engine,
                const struct inbox_settings *settings, struct error *err);

/** Free a list of claims. */
void inbox_claims_free(struct inbox_claim *claims);

#endif
