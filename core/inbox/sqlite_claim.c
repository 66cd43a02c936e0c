/* core/inbox/sqlite_claim.c: handing deliveries out and taking results back,
 * inside a batch's transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

/* Deliveries picked in one go: their numbers first, then each is taken, since
 * rows must not change under a query that is still reading them. */
#define PICK_MAX 64

enum { STATE_READY = 0, STATE_DEAD = 3 };

/* ---- Claims --------------------------------------------------------- */

/* Columns 0 to 5 of QUERY_LOAD are text, laid out one after the other behind
 * the struct and the body. */
#define LOAD_TEXTS 6

static struct inbox_claim *
read_claim(sqlite3_stmt *load)
{
    size_t size = sizeof(struct inbox_claim);
    size_t body_len = (size_t)sqlite3_column_bytes(load, 10);
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
        &claim->event_id,    &claim->type,      &claim->account,
        &claim->api_version, &claim->object_id, &claim->signature};
    for (int i = 0; i < LOAD_TEXTS; i++) {
        size_t len = (size_t)sqlite3_column_bytes(load, i);
        memcpy(at, sqlite3_column_text(load, i), len);
        at[len] = '\0';
        *texts[i] = at;
        at += len + 1;
    }
    if (body_len > 0) {
        memcpy(at, sqlite3_column_blob(load, 10), body_len);
    }
    at[body_len] = '\0';
    claim->body = at;
    claim->body_len = body_len;
    claim->created_s = sqlite3_column_int64(load, 6);
    claim->received_ms = sqlite3_column_int64(load, 7);
    claim->livemode = sqlite3_column_int(load, 8);
    claim->thin = sqlite3_column_int(load, 9);
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

/* A delivery without its event can never be handed out. It must not stand in
 * the way of the others. */
static int
bury(struct sqlite_engine *engine, const struct inbox_want *want, int64_t seq,
     struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_BURY];
    sqlite3_bind_int64(stmt, 1, seq);
    sqlite3_bind_int64(stmt, 2, want->plugin);
    log_write(LOG_ERROR, "inbox", "event is damaged",
              "seq=%lld plugin_id=%u action=dead_letter", (long long)seq,
              want->plugin);
    return sqlite_run(engine, QUERY_BURY, err);
}

static int
take(struct sqlite_engine *engine, struct inbox_claim *claim, int64_t now_ms,
     struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_TAKE];
    int rc = RC_OK;
    sqlite3_bind_int64(stmt, 1, claim->seq);
    sqlite3_bind_int64(stmt, 2, claim->plugin);
    sqlite3_bind_int64(stmt, 3, now_ms);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        claim->attempt = (uint32_t)sqlite3_column_int64(stmt, 0);
        claim->lease = sqlite3_column_int64(stmt, 1);
        claim->first_ms = sqlite3_column_int64(stmt, 2);
    } else {
        rc = sqlite_failure(engine, err, "cannot claim a delivery");
    }
    sqlite3_reset(stmt);
    return rc;
}

static int
pick(struct sqlite_engine *engine, const struct inbox_want *want,
     int64_t now_ms, int64_t *seqs, unsigned *count, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PICK];
    unsigned room = want->count < PICK_MAX ? want->count : PICK_MAX;
    int code;
    *count = 0;
    sqlite3_bind_int64(stmt, 1, want->plugin);
    sqlite3_bind_int64(stmt, 2, now_ms);
    sqlite3_bind_int64(stmt, 3, room);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && *count < room) {
        seqs[(*count)++] = sqlite3_column_int64(stmt, 0);
    }
    int rc =
        code == SQLITE_DONE || code == SQLITE_ROW
            ? RC_OK
            : sqlite_failure(engine, err, "cannot look for due deliveries");
    sqlite3_reset(stmt);
    return rc;
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
sqlite_claim(struct sqlite_engine *engine, struct inbox_want *want,
             int64_t now_ms, struct error *err)
{
    int64_t seqs[PICK_MAX];
    unsigned count;
    int rc = pick(engine, want, now_ms, seqs, &count, err);

    struct inbox_claim **end = &want->claims;
    for (unsigned i = 0; i < count && rc == RC_OK; i++) {
        struct inbox_claim *claim;
        rc = load_event(engine, seqs[i], &claim, err);
        if (rc == RC_OK && claim == NULL) {
            rc = bury(engine, want, seqs[i], err);
            continue;
        }
        if (rc != RC_OK) {
            break;
        }
        claim->seq = seqs[i];
        claim->plugin = want->plugin;
        *end = claim; /* owned by the want from here on */
        end = &claim->next;
        want->claimed++;
        rc = take(engine, claim, now_ms, err);
    }
    if (rc == RC_OK) {
        rc = next_due(engine, want, err);
    }
    return rc;
}

/* ---- Results -------------------------------------------------------- */

static int
put_attempt(struct sqlite_engine *engine, const struct inbox_result *result,
            struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PUT_ATTEMPT];
    sqlite3_bind_int64(stmt, 1, result->seq);
    sqlite3_bind_int64(stmt, 2, result->plugin);
    sqlite3_bind_int64(stmt, 3, result->attempt);
    sqlite3_bind_int64(stmt, 4, result->started_ms);
    sqlite3_bind_int64(stmt, 5, result->duration_us);
    sqlite3_bind_int(stmt, 6, (int)result->outcome);
    if (result->note[0] != '\0') {
        sqlite_bind_cstr(stmt, 7, result->note);
    } else {
        sqlite3_bind_null(stmt, 7);
    }
    return sqlite_run(engine, QUERY_PUT_ATTEMPT, err);
}

static enum sqlite_query
bind_result(struct sqlite_engine *engine, const struct inbox_result *result)
{
    enum sqlite_query query = QUERY_RESCHEDULE;
    int state = STATE_READY;
    switch (result->next) {
    case INBOX_CLOSE:
        query = QUERY_CLOSE;
        break;
    case INBOX_UNDO:
        query = QUERY_UNDO;
        break;
    case INBOX_AGAIN:
        break;
    case INBOX_BURY:
        state = STATE_DEAD;
        break;
    }
    sqlite3_stmt *stmt = engine->queries[query];
    sqlite3_bind_int64(stmt, 1, result->seq);
    sqlite3_bind_int64(stmt, 2, result->plugin);
    sqlite3_bind_int64(stmt, 3, result->lease);
    if (query == QUERY_RESCHEDULE) {
        sqlite3_bind_int(stmt, 4, state);
        sqlite3_bind_int64(stmt, 5, result->due_ms);
    }
    return query;
}

int
sqlite_result(struct sqlite_engine *engine, const struct inbox_result *result,
              struct error *err)
{
    enum sqlite_query query = bind_result(engine, result);
    int rc = sqlite_run(engine, query, err);
    if (rc != RC_OK || sqlite3_changes(engine->db) == 0 ||
        result->next == INBOX_UNDO) {
        return rc; /* a stale lease changes nothing and logs nothing */
    }
    return put_attempt(engine, result, err);
}
