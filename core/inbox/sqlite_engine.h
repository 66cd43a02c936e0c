/* core/inbox/sqlite_engine.h: private to the SQLite engine's files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_SQLITE_ENGINE_H
#define CORE_INBOX_SQLITE_ENGINE_H

#include "inbox/engine.h"

#include <sqlite3.h>

/* Prepared once, kept for the life of the connection. */
enum sqlite_query {
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_ROLLBACK,
    QUERY_PUT_EVENT,
    QUERY_PUT_BODY,
    QUERY_PUT_DELIVERY,
    QUERY_FIND_EVENT,
    QUERY_SEEN_ENDPOINT,
    QUERY_PUT_RECEIPT,
    QUERY_ADD_DELIVERY,
    QUERY_CLOSE,
    QUERY_RESCHEDULE,
    QUERY_UNDO,
    QUERY_PUT_ATTEMPT,
    QUERY_PICK,
    QUERY_TAKE,
    QUERY_LOAD,
    QUERY_BURY,
    QUERY_NEXT_DUE,
    QUERY_PROBE,
    QUERY_COUNT,
};

struct sqlite_engine {
    struct inbox_engine base;
    sqlite3 *db;
    int lock_fd; /* flock()ed: one process an inbox */
    sqlite3_stmt *queries[QUERY_COUNT];
};

/** Translate SQLite's code into ours, with the text it left. */
int sqlite_failure(struct sqlite_engine *engine, struct error *err,
                   const char *what);

/** Run a query that yields no row and reset it. @return RC_OK or a failure */
int sqlite_run(struct sqlite_engine *engine, enum sqlite_query query,
               struct error *err);

/** Bind a C string that outlives the call. */
void sqlite_bind_cstr(sqlite3_stmt *stmt, int at, const char *text);

/* sqlite_schema.c */

/** Settings, migrations, and what a former process left behind. */
int sqlite_prepare_file(struct sqlite_engine *engine, struct error *err);
/** Prepare all queries. */
int sqlite_prepare_queries(struct sqlite_engine *engine, struct error *err);

/* sqlite_put.c, sqlite_claim.c: one part of a batch each, inside its
 * transaction. */
int sqlite_put(struct sqlite_engine *engine, struct inbox_put *put,
               struct error *err);
int sqlite_result(struct sqlite_engine *engine,
                  const struct inbox_result *result, struct error *err);
int sqlite_claim(struct sqlite_engine *engine, struct inbox_want *want,
                 int64_t now_ms, struct error *err);

#endif
