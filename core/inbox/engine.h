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

/** How many due deliveries of one plugin are wished for, and what came. */
struct inbox_want {
    uint32_t plugin;
    unsigned count;
    /* out */
    struct inbox_claim *claims; /* at most count; owned by the caller */
    unsigned claimed;
    int64_t next_ms; /* wall clock: when the next one is due; INT64_MAX: none */
};

/** All that goes into one transaction, in this order. */
struct inbox_batch {
    struct inbox_put *puts; /* list by ->next; their results are filled in */
    struct inbox_result *results; /* list by ->link; a stale one is ignored */
    struct inbox_want *wants;
    size_t want_count;
    int64_t now_ms; /* wall clock */
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

    /** The id of a plugin's name, made if new. */
    int (*plugin_id)(struct inbox_engine *engine, const char *name,
                     uint32_t *id, struct error *err);

    /** Write something small, durably: does the store work (again)? */
    int (*probe)(struct inbox_engine *engine, struct error *err);

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
                struct error *err);

/** Free a list of claims. */
void inbox_claims_free(struct inbox_claim *claims);

#endif
