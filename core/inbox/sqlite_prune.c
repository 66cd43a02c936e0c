/* core/inbox/sqlite_prune.c: removing old events, a few at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

/* Looked at in one step, at most: keeps the transaction short. */
#define PRUNE_MAX 64

/* What one step looks at. */
struct old {
    int64_t seqs[PRUNE_MAX];
    unsigned count;
    int64_t last_seq; /* also if that is not old */
    int is_over;
};

/* The next events in order of arrival, up to the first that is too young, or
 * the last of all. Those of the future came while the clock was wrong: they
 * stay, but do not keep the others. */
static int
pick_old(struct sqlite_engine *engine, const struct inbox_batch *batch,
         struct old *old, struct error *err)
{
    const struct inbox_prune *prune = &batch->prune;
    sqlite3_stmt *stmt = engine->queries[QUERY_OLD_EVENTS];
    unsigned limit = prune->limit < PRUNE_MAX ? prune->limit : PRUNE_MAX;
    int code = SQLITE_ROW;
    *old = (struct old){.last_seq = prune->after_seq};
    sqlite3_bind_int64(stmt, 1, prune->after_seq);
    sqlite3_bind_int64(stmt, 2, limit);
    for (unsigned n = 0; n < limit && !old->is_over; n++) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW) {
            break;
        }
        int64_t received_ms = sqlite3_column_int64(stmt, 1);
        old->last_seq = sqlite3_column_int64(stmt, 0);
        if (received_ms < prune->before_ms) {
            old->seqs[old->count++] = old->last_seq;
        } else {
            old->is_over = received_ms <= batch->now_ms;
        }
    }
    int rc = RC_OK;
    if (code != SQLITE_ROW) {
        old->is_over = 1;
        rc = code == SQLITE_DONE
                 ? RC_OK
                 : sqlite_failure(engine, err, "cannot look for old events");
    }
    sqlite3_reset(stmt);
    return rc;
}

static int
run_with(struct sqlite_engine *engine, enum sqlite_query query, int64_t seq,
         struct error *err)
{
    sqlite3_bind_int64(engine->queries[query], 1, seq);
    return sqlite_run(engine, query, err);
}

/* Nothing of it is owed to anybody, or it stays. */
static int
prune_event(struct sqlite_engine *engine, struct inbox_prune *prune,
            int64_t seq, struct error *err)
{
    int rc = run_with(engine, QUERY_PRUNE_EVENT, seq, err);
    if (rc != RC_OK || sqlite3_changes(engine->db) == 0) {
        return rc;
    }
    prune->pruned++;
    rc = run_with(engine, QUERY_PRUNE_BODY, seq, err);
    if (rc == RC_OK) {
        rc = run_with(engine, QUERY_PRUNE_RECEIPTS, seq, err);
    }
    return rc == RC_OK ? run_with(engine, QUERY_PRUNE_ATTEMPTS, seq, err) : rc;
}

int
sqlite_prune(struct sqlite_engine *engine, struct inbox_batch *batch,
             struct error *err)
{
    struct inbox_prune *prune = &batch->prune;
    struct old old;
    prune->pruned = 0;
    int rc = pick_old(engine, batch, &old, err);
    for (unsigned i = 0; i < old.count && rc == RC_OK; i++) {
        rc = prune_event(engine, prune, old.seqs[i], err);
    }
    if (rc == RC_OK) {
        prune->after_seq = old.is_over ? 0 : old.last_seq;
    }
    return rc;
}
