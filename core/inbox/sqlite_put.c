/* core/inbox/sqlite_put.c: storing one arrival, inside a batch's transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "stripe/event.h"

#include <stdio.h>
#include <string.h>

/* Of repeats with other bytes so many are kept whole for people to look at; of
 * more only that they came. */
#define CONFLICTS_MAX 3

/* Earlier events that tell of the same change, looked through at most. */
#define TWINS_MAX 32

static void
bind_event(sqlite3_stmt *stmt, const struct inbox_put *put)
{
    const struct event *event = put->event;
    sqlite_bind_cstr(stmt, 1, event->id);
    sqlite_bind_cstr(stmt, 2, event->type);
    sqlite3_bind_int64(stmt, 3, event->created_s);
    sqlite3_bind_int64(stmt, 4, put->received_ms);
    sqlite3_bind_int(stmt, 5, event->livemode);
    sqlite3_bind_int(stmt, 6, event->family == EVENT_THIN);
    sqlite3_bind_int(stmt, 7, put->plugin_count > 0);
    sqlite_bind_cstr(stmt, 8, event->account);
    sqlite_bind_cstr(stmt, 9, event->api_version);
    sqlite_bind_cstr(stmt, 10, event->object_id);
    sqlite_bind_cstr(stmt, 11, event->customer);
    sqlite_bind_cstr(stmt, 12, event->snapshot_event);
    sqlite_bind_cstr(stmt, 13, put->endpoint);
    sqlite_bind_cstr(stmt, 14, put->secret);
    sqlite_bind_cstr(stmt, 15, put->signature);
    sqlite3_bind_int64(stmt, 16, put->signed_s);
    if (put->twin != NULL) {
        sqlite3_bind_blob64(stmt, 17, put->twin, INBOX_TWIN_BYTES,
                            SQLITE_STATIC);
    } else {
        sqlite3_bind_null(stmt, 17);
    }
}

static int
put_body(struct sqlite_engine *engine, const struct inbox_put *put,
         struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PUT_BODY];
    sqlite3_bind_int64(stmt, 1, put->seq);
    sqlite3_bind_blob64(stmt, 2, put->body, put->body_len, SQLITE_STATIC);
    return sqlite_run(engine, QUERY_PUT_BODY, err);
}

/* ---- Deliveries ----------------------------------------------------- */

static int
put_delivery(struct sqlite_engine *engine, struct inbox_put *put,
             uint32_t plugin, struct error *err)
{
    const char *lane = sqlite_lane_of(engine, plugin, put->event->object_id);
    int state;
    int rc = sqlite_lane_enter(engine, plugin, lane, &state, err);
    if (rc != RC_OK) {
        return rc;
    }
    sqlite3_stmt *stmt = engine->queries[QUERY_PUT_DELIVERY];
    sqlite3_bind_int64(stmt, 1, put->seq);
    sqlite3_bind_int64(stmt, 2, plugin);
    sqlite3_bind_int(stmt, 3, state);
    sqlite_bind_cstr(stmt, 4, lane);
    put->pending++;
    return sqlite_run(engine, QUERY_PUT_DELIVERY, err);
}

static int
had_delivery(struct sqlite_engine *engine, int64_t seq, uint32_t plugin,
             int *had, struct error *err)
{
    int64_t found;
    sqlite3_bind_int64(engine->queries[QUERY_HAD_DELIVERY], 1, seq);
    sqlite3_bind_int64(engine->queries[QUERY_HAD_DELIVERY], 2, plugin);
    int rc = sqlite_number(engine, QUERY_HAD_DELIVERY, &found, err);
    *had = rc == RC_OK && found != 0;
    return rc;
}

/* An earlier event which tells of the same change, and which the plugin has
 * had: its id, or "". */
static int
find_twin(struct sqlite_engine *engine, const struct inbox_put *put,
          uint32_t plugin, char *id, size_t size, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_FIND_TWIN];
    int had = 0, rc = RC_OK, code = SQLITE_DONE;
    id[0] = '\0';
    if (put->twin != NULL) {
        sqlite3_bind_blob64(stmt, 1, put->twin, INBOX_TWIN_BYTES,
                            SQLITE_STATIC);
    } else {
        sqlite3_bind_null(stmt, 1);
    }
    sqlite3_bind_int64(stmt, 2, put->seq);
    sqlite_bind_cstr(stmt, 3, put->event->snapshot_event);
    sqlite_bind_cstr(stmt, 4, put->event->id);
    sqlite3_bind_int64(stmt, 5, put->event->created_s);
    sqlite3_bind_int64(stmt, 6, INBOX_TWIN_APART_S);
    for (int n = 0; n < TWINS_MAX && rc == RC_OK && !had; n++) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW) {
            break;
        }
        rc = had_delivery(engine, sqlite3_column_int64(stmt, 0), plugin, &had,
                          err);
    }
    if (had) {
        snprintf(id, size, "%s", (const char *)sqlite3_column_text(stmt, 1));
    } else if (rc == RC_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot look for twins");
    }
    sqlite3_reset(stmt);
    return rc;
}

/* The plugin wants only the first of two that tell of one change. */
static int
skip_twin(struct sqlite_engine *engine, struct inbox_put *put, uint32_t plugin,
          const char *twin, struct error *err)
{
    struct inbox_result skipped = {.seq = put->seq,
                                   .plugin = plugin,
                                   .attempt = 1,
                                   .outcome = INBOX_SKIP,
                                   .started_ms = put->received_ms};
    snprintf(skipped.note, sizeof(skipped.note), "twin of %s", twin);
    put->collapsed++;
    return sqlite_log_attempt(engine, &skipped, err);
}

/* One delivery for each subscriber; of a repeat only for those that never had
 * one. */
static int
put_deliveries(struct sqlite_engine *engine, struct inbox_put *put,
               int is_repeat, struct error *err)
{
    int rc = RC_OK;
    for (size_t i = 0; i < put->plugin_count && rc == RC_OK; i++) {
        uint32_t plugin = put->plugins[i];
        char twin[EVENT_ID_MAX + 1] = "";
        int had = 0;
        if (is_repeat) {
            rc = had_delivery(engine, put->seq, plugin, &had, err);
        }
        if (rc == RC_OK && !had &&
            sqlite_plugin(engine, plugin)->collapse_twins) {
            rc = find_twin(engine, put, plugin, twin, sizeof(twin), err);
        }
        if (rc == RC_OK && !had) {
            rc = twin[0] != '\0' ? skip_twin(engine, put, plugin, twin, err)
                                 : put_delivery(engine, put, plugin, err);
        }
    }
    return rc;
}

/* ---- Repeats -------------------------------------------------------- */

static int
find_event(struct sqlite_engine *engine, struct inbox_put *put,
           struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_FIND_EVENT];
    int rc = RC_OK;
    sqlite_bind_cstr(stmt, 1, put->event->id);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        put->seq = sqlite3_column_int64(stmt, 0);
        const void *body = sqlite3_column_blob(stmt, 1);
        size_t len = (size_t)sqlite3_column_bytes(stmt, 1);
        put->conflict = body != NULL && (len != put->body_len ||
                                         memcmp(body, put->body, len) != 0);
    } else {
        rc = sqlite_failure(engine, err, "cannot read a stored event");
    }
    sqlite3_reset(stmt);
    return rc;
}

static int
seen_at_endpoint(struct sqlite_engine *engine, const struct inbox_put *put,
                 int *seen, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_SEEN_ENDPOINT];
    int rc = RC_OK;
    sqlite3_bind_int64(stmt, 1, put->seq);
    sqlite_bind_cstr(stmt, 2, put->endpoint);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *seen = sqlite3_column_int(stmt, 0);
    } else {
        rc = sqlite_failure(engine, err, "cannot read receipts");
    }
    sqlite3_reset(stmt);
    return rc;
}

/* Whether other bytes under a known id are still worth keeping. */
static int
keep_conflict(struct sqlite_engine *engine, const struct inbox_put *put,
              int *keep, struct error *err)
{
    int64_t count = 0;
    int rc = RC_OK;
    if (put->conflict) {
        sqlite3_bind_int64(engine->queries[QUERY_COUNT_CONFLICTS], 1, put->seq);
        rc = sqlite_number(engine, QUERY_COUNT_CONFLICTS, &count, err);
    }
    *keep = count < CONFLICTS_MAX;
    return rc;
}

static int
put_receipt(struct sqlite_engine *engine, const struct inbox_put *put,
            struct error *err)
{
    int keep;
    int rc = keep_conflict(engine, put, &keep, err);
    if (rc != RC_OK) {
        return rc;
    }
    sqlite3_stmt *stmt = engine->queries[QUERY_PUT_RECEIPT];
    sqlite3_bind_int64(stmt, 1, put->seq);
    sqlite3_bind_int64(stmt, 2, put->received_ms);
    sqlite_bind_cstr(stmt, 3, put->endpoint);
    sqlite_bind_cstr(stmt, 4, put->secret);
    sqlite3_bind_int64(stmt, 5, put->signed_s);
    if (put->conflict) {
        sqlite3_bind_blob64(stmt, 6, put->body, keep ? put->body_len : 0,
                            SQLITE_STATIC);
    } else {
        sqlite3_bind_null(stmt, 6);
    }
    return sqlite_run(engine, QUERY_PUT_RECEIPT, err);
}

/* The id is known. A first arrival at another endpoint brings the deliveries
 * that nobody created yet; anything else only a receipt. */
static int
put_repeat(struct sqlite_engine *engine, struct inbox_put *put,
           struct error *err)
{
    int seen = 1;
    int rc = find_event(engine, put, err);
    if (rc == RC_OK) {
        rc = seen_at_endpoint(engine, put, &seen, err);
    }
    if (rc == RC_OK && !seen) {
        rc = put_deliveries(engine, put, 1, err);
    }
    if (rc == RC_OK) {
        rc = put_receipt(engine, put, err);
    }
    return rc;
}

int
sqlite_put(struct sqlite_engine *engine, struct inbox_put *put,
           struct error *err)
{
    put->duplicate = 0;
    put->conflict = 0;
    put->pending = 0;
    put->collapsed = 0;

    bind_event(engine->queries[QUERY_PUT_EVENT], put);
    int rc = sqlite_run(engine, QUERY_PUT_EVENT, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (sqlite3_changes(engine->db) == 0) {
        put->duplicate = 1;
        return put_repeat(engine, put, err);
    }
    put->seq = sqlite3_last_insert_rowid(engine->db);
    rc = put_body(engine, put, err);
    return rc == RC_OK ? put_deliveries(engine, put, 0, err) : rc;
}
