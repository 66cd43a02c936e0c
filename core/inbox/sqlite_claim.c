/* core/inbox/sqlite_claim.c: handing deliveries out, inside a batch's
 * transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deliveries picked in one go: their numbers first, then each is taken, since
 * rows must not change under a query that is still reading them. */
#define PICK_MAX 64

#define CLASSES 3

/* ---- An event ------------------------------------------------------- */

/* Columns 0 to 6 of QUERY_LOAD are text, laid out one after the other behind
 * the struct and the body. */
#define LOAD_TEXTS 7
#define LOAD_BODY  11

static struct inbox_claim *
read_claim(sqlite3_stmt *load)
{
    size_t size = sizeof(struct inbox_claim);
    size_t body_len = (size_t)sqlite3_column_bytes(load, LOAD_BODY);
    for (int i = 0; i < LOAD_TEXTS; i++) {
        size += (size_t)sqlite3_column_bytes(load, i) + 1;
    }
    struct inbox_claim *claim = malloc(size + body_len + 1);
    if (claim == NULL) {
        return NULL;
    }
    memset(claim, 0, sizeof(*claim));

    char *at = (char *)(claim + 1);
    const char **const texts[LOAD_TEXTS] = {
        &claim->event_id,      &claim->type,      &claim->account,
        &claim->api_version,   &claim->object_id, &claim->signature,
        &claim->snapshot_event};
    for (int i = 0; i < LOAD_TEXTS; i++) {
        size_t len = (size_t)sqlite3_column_bytes(load, i);
        memcpy(at, sqlite3_column_text(load, i), len);
        at[len] = '\0';
        *texts[i] = at;
        at += len + 1;
    }
    if (body_len > 0) {
        memcpy(at, sqlite3_column_blob(load, LOAD_BODY), body_len);
    }
    at[body_len] = '\0';
    claim->body = at;
    claim->body_len = body_len;
    claim->created_s = sqlite3_column_int64(load, 7);
    claim->received_ms = sqlite3_column_int64(load, 8);
    claim->livemode = sqlite3_column_int(load, 9);
    claim->thin = sqlite3_column_int(load, 10);
    return claim;
}

/* `*out` stays NULL when the event or its bytes are not there. */
static int
load_event(struct sqlite_engine *engine, int64_t seq, struct inbox_claim **out,
           struct error *err)
{
    sqlite3_stmt *load = engine->queries[QUERY_LOAD];
    int rc = RC_OK;
    *out = NULL;
    sqlite3_bind_int64(load, 1, seq);
    int code = sqlite3_step(load);
    if (code == SQLITE_ROW) {
        *out = read_claim(load);
        rc = *out == NULL ? error_set(err, RC_NOMEM, "inbox: out of memory")
                          : RC_OK;
    } else if (code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot read an event");
    }
    sqlite3_reset(load);
    return rc;
}

/* ---- One delivery --------------------------------------------------- */

static int
take(struct sqlite_engine *engine, struct inbox_claim *claim, int64_t now_ms,
     struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_TAKE];
    int rc = RC_OK;
    sqlite3_bind_int64(stmt, 1, claim->seq);
    sqlite3_bind_int64(stmt, 2, claim->plugin);
    sqlite3_bind_int64(stmt, 3, now_ms);
    sqlite3_bind_int64(stmt, 4, sqlite_held_ms(engine, claim->plugin, now_ms));
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        claim->attempt = (uint32_t)sqlite3_column_int64(stmt, 0);
        claim->lease = sqlite3_column_int64(stmt, 1);
        claim->first_ms = sqlite3_column_int64(stmt, 2);
        claim->held_ms = sqlite3_column_int64(stmt, 3);
        claim->spared = (uint32_t)sqlite3_column_int64(stmt, 4);
        claim->crashes = (uint32_t)sqlite3_column_int64(stmt, 5);
        claim->replay = sqlite3_column_int(stmt, 6) == INBOX_REPLAYED;
        claim->job = sqlite3_column_int64(stmt, 7);
    } else {
        rc = sqlite_failure(engine, err, "cannot claim a delivery");
    }
    sqlite3_reset(stmt);
    return rc;
}

/* A delivery without its event can never be handed out. It must not stand in
 * the way of the others. */
static int
bury_damaged(struct sqlite_engine *engine, struct inbox_batch *batch,
             struct inbox_claim *lease, struct error *err)
{
    log_write(LOG_ERROR, "inbox", "event is damaged",
              "seq=%lld plugin_id=%u action=dead_letter", (long long)lease->seq,
              lease->plugin);
    struct inbox_result result = {
        .seq = lease->seq,
        .plugin = lease->plugin,
        .outcome = INBOX_FAIL,
        .next = INBOX_BURY,
        .started_ms = batch->now_ms,
        .note = "the event or its bytes are missing in the inbox",
    };
    int rc = take(engine, lease, batch->now_ms, err);
    result.attempt = lease->attempt;
    result.lease = lease->lease;
    result.job = lease->job;
    return rc == RC_OK ? sqlite_result(engine, batch, &result, err) : rc;
}

/* `*end` gets the claim, and moves on; not if the event is damaged, nor if its
 * body is more than the `room` that others have left, which is none then. */
static int
claim_one(struct sqlite_engine *engine, struct inbox_batch *batch,
          struct inbox_want *want, int64_t seq, struct inbox_claim ***end,
          size_t *room, struct error *err)
{
    struct inbox_claim *claim;
    int rc = load_event(engine, seq, &claim, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (claim == NULL) {
        struct inbox_claim lease = {.seq = seq, .plugin = want->plugin};
        return bury_damaged(engine, batch, &lease, err);
    }
    int fits = claim->body_len <= *room;
    *room = fits ? *room - claim->body_len : 0;
    if (!fits && want->claimed > 0) {
        free(claim);
        return RC_OK; /* the next go brings it */
    }
    claim->seq = seq;
    claim->plugin = want->plugin;
    **end = claim; /* owned by the want from here on */
    *end = &claim->next;
    want->claimed++;
    return take(engine, claim, batch->now_ms, err);
}

/* ---- What is due ---------------------------------------------------- */

struct due {
    int64_t seq;
    char lane[LANE_MAX];
};

static int
pick_due(struct sqlite_engine *engine, const struct inbox_want *want,
         int64_t now_ms, struct due *due, unsigned *count, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PICK_DUE];
    int code;
    *count = 0;
    sqlite3_bind_int64(stmt, 1, want->plugin);
    sqlite3_bind_int64(stmt, 2, now_ms);
    sqlite3_bind_int64(stmt, 3, PICK_MAX);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && *count < PICK_MAX) {
        struct due *row = &due[(*count)++];
        row->seq = sqlite3_column_int64(stmt, 0);
        snprintf(row->lane, sizeof(row->lane), "%s",
                 (const char *)sqlite3_column_text(stmt, 1));
    }
    int rc =
        code == SQLITE_DONE || code == SQLITE_ROW
            ? RC_OK
            : sqlite_failure(engine, err, "cannot look for due deliveries");
    sqlite3_reset(stmt);
    return rc;
}

/* Those whose time has come are ready, or held behind another of their lane. */
static int
bring_due(struct sqlite_engine *engine, const struct inbox_want *want,
          int64_t now_ms, struct error *err)
{
    struct due due[PICK_MAX];
    unsigned count;
    int rc = pick_due(engine, want, now_ms, due, &count, err);
    for (unsigned i = 0; i < count && rc == RC_OK; i++) {
        int state;
        rc = sqlite_lane_return(engine, want->plugin, due[i].lane, &state, err);
        if (rc == RC_OK) {
            sqlite3_stmt *stmt = engine->queries[QUERY_COME_DUE];
            sqlite3_bind_int64(stmt, 1, due[i].seq);
            sqlite3_bind_int64(stmt, 2, want->plugin);
            sqlite3_bind_int(stmt, 3, state);
            rc = sqlite_run(engine, QUERY_COME_DUE, err);
        }
    }
    return rc;
}

/* ---- Claims --------------------------------------------------------- */

/* Ready ones of a class, lowest first; `next` of them were taken. */
struct picked {
    int64_t seqs[PICK_MAX];
    unsigned count, next;
};

static int
pick(struct sqlite_engine *engine, const struct inbox_want *want, int class,
     struct picked *picked, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PICK];
    unsigned room = want->count < PICK_MAX ? want->count : PICK_MAX;
    int code;
    picked->count = 0;
    picked->next = 0;
    sqlite3_bind_int64(stmt, 1, want->plugin);
    sqlite3_bind_int(stmt, 2, class);
    sqlite3_bind_int64(stmt, 3, room);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && picked->count < room) {
        picked->seqs[picked->count++] = sqlite3_column_int64(stmt, 0);
    }
    int rc =
        code == SQLITE_DONE || code == SQLITE_ROW
            ? RC_OK
            : sqlite_failure(engine, err, "cannot look for ready deliveries");
    sqlite3_reset(stmt);
    return rc;
}

/* Whose turn it is: that class, or the first that has something. NULL when
 * nothing is left. */
static struct picked *
next_class(struct picked *picked, unsigned turn)
{
    struct picked *share = &picked[engine_share(turn)];
    if (share->next < share->count) {
        return share;
    }
    for (int class = 0; class < CLASSES; class ++) {
        if (picked[class].next < picked[class].count) {
            return &picked[class];
        }
    }
    return NULL;
}

static int
next_due(struct sqlite_engine *engine, struct inbox_want *want,
         struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_NEXT_DUE];
    int rc = RC_OK;
    sqlite3_bind_int64(stmt, 1, want->plugin);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        want->next_ms = sqlite3_column_type(stmt, 0) == SQLITE_NULL
                            ? INT64_MAX
                            : sqlite3_column_int64(stmt, 0);
    } else {
        rc = sqlite_failure(engine, err, "cannot look for due deliveries");
    }
    sqlite3_reset(stmt);
    return rc;
}

int
sqlite_claim(struct sqlite_engine *engine, struct inbox_batch *batch,
             struct inbox_want *want, struct error *err)
{
    struct picked picked[CLASSES];
    int rc = bring_due(engine, want, batch->now_ms, err);
    for (int class = 0; class < CLASSES && rc == RC_OK; class ++) {
        rc = pick(engine, want, class, &picked[class], err);
    }

    struct inbox_claim **end = &want->claims;
    struct picked *from;
    size_t room = ENGINE_CLAIM_BYTES_MAX;
    while (rc == RC_OK && want->claimed < want->count &&
           want->claimed < PICK_MAX && room > 0 &&
           (from = next_class(picked, want->turn)) != NULL) {
        unsigned before = want->claimed;
        rc = claim_one(engine, batch, want, from->seqs[from->next++], &end,
                       &room, err);
        want->turn += want->claimed - before;
    }
    return rc == RC_OK ? next_due(engine, want, err) : rc;
}
