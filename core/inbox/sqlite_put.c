/* core/inbox/sqlite_put.c: storing one arrival, inside a batch's transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "stripe/event.h"

#include <string.h>

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

/* One delivery for each subscriber; with QUERY_ADD_DELIVERY only for those
 * that never had one. */
static int
put_deliveries(struct sqlite_engine *engine, struct inbox_put *put,
               enum sqlite_query query, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[query];
    for (size_t i = 0; i < put->plugin_count; i++) {
        sqlite3_bind_int64(stmt, 1, put->seq);
        sqlite3_bind_int64(stmt, 2, put->plugins[i]);
        sqlite3_bind_int64(stmt, 3, put->received_ms);
        int rc = sqlite_run(engine, query, err);
        if (rc != RC_OK) {
            return rc;
        }
        put->pending += (size_t)sqlite3_changes(engine->db);
    }
    return RC_OK;
}

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

static int
put_receipt(struct sqlite_engine *engine, const struct inbox_put *put,
            struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PUT_RECEIPT];
    sqlite3_bind_int64(stmt, 1, put->seq);
    sqlite3_bind_int64(stmt, 2, put->received_ms);
    sqlite_bind_cstr(stmt, 3, put->endpoint);
    sqlite_bind_cstr(stmt, 4, put->secret);
    sqlite3_bind_int64(stmt, 5, put->signed_s);
    if (put->conflict) {
        sqlite3_bind_blob64(stmt, 6, put->body, put->body_len, SQLITE_STATIC);
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
        rc = put_deliveries(engine, put, QUERY_ADD_DELIVERY, err);
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
    return rc == RC_OK ? put_deliveries(engine, put, QUERY_PUT_DELIVERY, err)
                       : rc;
}
