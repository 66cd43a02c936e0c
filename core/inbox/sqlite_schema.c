/* core/inbox/sqlite_schema.c: the tables, how they came to be, and the queries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "log.h"

#include <stdio.h>

/* "PEGB": tells the file from other SQLite files. */
#define APPLICATION_ID 0x50454742

/* Each step raises user_version by one, in its own transaction. A released
 * step is never edited; changes are new steps. */
static const char *const migrations[] = {
    /* 1: events with their bytes, receipts of repeats, what is owed, what was
     * tried. Large pages write a 4 KB event in one piece; ids are indexed as
     * they come, roughly in order, and nothing else that is random is. */
    "CREATE TABLE plugin("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE event("
    " seq INTEGER PRIMARY KEY,"
    " event_id TEXT NOT NULL, type TEXT NOT NULL,"
    " created_s INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " livemode INTEGER NOT NULL, thin INTEGER NOT NULL,"
    " routed INTEGER NOT NULL," /* 0: nobody had subscribed */
    " account TEXT NOT NULL, api_version TEXT NOT NULL,"
    " object_id TEXT NOT NULL, customer TEXT NOT NULL,"
    " snapshot_event TEXT NOT NULL,"
    " endpoint TEXT NOT NULL, secret TEXT NOT NULL,"
    " signature TEXT NOT NULL, signed_s INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX event_uid ON event(event_id);"
    "CREATE TABLE body(seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE receipt(" /* of each arrival after the first */
    " id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,"
    " received_ms INTEGER NOT NULL, endpoint TEXT NOT NULL,"
    " secret TEXT NOT NULL, signed_s INTEGER NOT NULL,"
    " conflict BLOB) STRICT;" /* its bytes, when not those of the event */
    "CREATE INDEX receipt_seq ON receipt(seq);"
    "CREATE TABLE delivery(" /* what is owed: rows leave when it is done */
    " seq INTEGER NOT NULL, plugin INTEGER NOT NULL,"
    " state INTEGER NOT NULL," /* 0 ready, 1 leased, 3 dead */
    " attempt INTEGER NOT NULL, lease INTEGER NOT NULL,"
    " due_ms INTEGER NOT NULL, first_ms INTEGER,"
    " PRIMARY KEY(seq, plugin)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX delivery_due ON delivery(plugin, due_ms, seq)"
    " WHERE state = 0;"
    "CREATE INDEX delivery_dead ON delivery(plugin, seq) WHERE state = 3;"
    "CREATE TABLE attempt(" /* append only */
    " seq INTEGER NOT NULL, plugin INTEGER NOT NULL, n INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, note TEXT,"
    " PRIMARY KEY(seq, plugin, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE probe(id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;"
    "INSERT INTO probe VALUES(1, 0);",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

static const char *const query_texts[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN IMMEDIATE",
    [QUERY_COMMIT] = "COMMIT",
    [QUERY_ROLLBACK] = "ROLLBACK",
    [QUERY_PUT_EVENT] =
        "INSERT INTO event(event_id, type, created_s, received_ms, livemode,"
        " thin, routed, account, api_version, object_id, customer,"
        " snapshot_event, endpoint, secret, signature, signed_s)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
        " ?15, ?16) ON CONFLICT(event_id) DO NOTHING",
    [QUERY_PUT_BODY] = "INSERT INTO body(seq, data) VALUES(?1, ?2)",
    [QUERY_PUT_DELIVERY] =
        "INSERT INTO delivery(seq, plugin, state, attempt, lease, due_ms)"
        " VALUES(?1, ?2, 0, 0, 0, ?3)",
    [QUERY_FIND_EVENT] =
        "SELECT e.seq, b.data FROM event e LEFT JOIN body b ON b.seq = e.seq"
        " WHERE e.event_id = ?1",
    [QUERY_SEEN_ENDPOINT] =
        "SELECT EXISTS(SELECT 1 FROM event WHERE seq = ?1 AND endpoint = ?2)"
        " OR EXISTS(SELECT 1 FROM receipt WHERE seq = ?1 AND endpoint = ?2)",
    [QUERY_PUT_RECEIPT] =
        "INSERT INTO receipt(seq, received_ms, endpoint, secret, signed_s,"
        " conflict) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [QUERY_ADD_DELIVERY] =
        "INSERT INTO delivery(seq, plugin, state, attempt, lease, due_ms)"
        " SELECT ?1, ?2, 0, 0, 0, ?3"
        " WHERE NOT EXISTS(SELECT 1 FROM delivery"
        "  WHERE seq = ?1 AND plugin = ?2)"
        " AND NOT EXISTS(SELECT 1 FROM attempt WHERE seq = ?1 AND plugin = ?2)",
    [QUERY_CLOSE] = "DELETE FROM delivery"
                    " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3"
                    " AND state = 1",
    [QUERY_RESCHEDULE] = "UPDATE delivery SET state = ?4, due_ms = ?5"
                         " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3"
                         " AND state = 1",
    [QUERY_UNDO] = "UPDATE delivery SET state = 0, attempt = attempt - 1,"
                   " first_ms = iif(attempt = 1, NULL, first_ms)"
                   " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3"
                   " AND state = 1",
    [QUERY_PUT_ATTEMPT] =
        "INSERT INTO attempt(seq, plugin, n, started_ms, duration_us, outcome,"
        " note) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [QUERY_PICK] = "SELECT seq FROM delivery"
                   " WHERE plugin = ?1 AND state = 0 AND due_ms <= ?2"
                   " ORDER BY due_ms, seq LIMIT ?3",
    [QUERY_TAKE] = "UPDATE delivery SET state = 1, attempt = attempt + 1,"
                   " lease = lease + 1, first_ms = coalesce(first_ms, ?3)"
                   " WHERE seq = ?1 AND plugin = ?2"
                   " RETURNING attempt, lease, first_ms",
    [QUERY_LOAD] =
        "SELECT e.event_id, e.type, e.account, e.api_version, e.object_id,"
        " e.signature, e.created_s, e.received_ms, e.livemode, e.thin, b.data"
        " FROM event e JOIN body b ON b.seq = e.seq WHERE e.seq = ?1",
    [QUERY_BURY] =
        "UPDATE delivery SET state = 3 WHERE seq = ?1 AND plugin = ?2",
    [QUERY_NEXT_DUE] =
        "SELECT min(due_ms) FROM delivery WHERE plugin = ?1 AND state = 0",
    [QUERY_PROBE] = "UPDATE probe SET n = n + 1 WHERE id = 1",
};

static int
exec(struct sqlite_engine *engine, const char *sql, struct error *err)
{
    return sqlite3_exec(engine->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? RC_OK
               : sqlite_failure(engine, err, "cannot prepare the file");
}

/* The first column of the first row, 0 if there is none. */
static int
ask(struct sqlite_engine *engine, const char *sql, int64_t *out,
    struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(engine->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        return sqlite_failure(engine, err, "cannot read the file");
    }
    int code = sqlite3_step(stmt);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? RC_OK
               : sqlite_failure(engine, err, "cannot read the file");
}

/* Why these: FULL flushes the WAL before COMMIT returns, which is the promise.
 * Small, frequent checkpoints (256 pages of 16 KiB are 4 MB) keep the longest
 * answer short. page_size only counts before the first table. */
static const char settings[] = "PRAGMA page_size = 16384;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA fullfsync = ON;"
                               "PRAGMA checkpoint_fullfsync = ON;"
                               "PRAGMA wal_autocheckpoint = 256;"
                               "PRAGMA journal_size_limit = 67108864;"
                               "PRAGMA cache_size = -8192;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA secure_delete = FAST;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;";

/* SQLite answers with what it does instead of failing: a file system without
 * shared memory has no WAL, and then a flush would not be what we promise. */
static int
check_settings(struct sqlite_engine *engine, struct error *err)
{
    int64_t synchronous;
    sqlite3_stmt *stmt = NULL;
    int rc = ask(engine, "PRAGMA synchronous", &synchronous, err);
    if (rc != RC_OK) {
        return rc;
    }
    int is_wal =
        sqlite3_prepare_v2(engine->db, "PRAGMA journal_mode", -1, &stmt,
                           NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW &&
        sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    sqlite3_finalize(stmt);
    if (!is_wal || synchronous != 2) {
        return error_set(
            err, RC_IO,
            "inbox: %s lies where SQLite cannot keep a write-ahead "
            "log: put state_dir on a local file system",
            sqlite3_db_filename(engine->db, "main"));
    }
    return RC_OK;
}

static int
migrate(struct sqlite_engine *engine, int64_t version, struct error *err)
{
    for (int64_t v = version; v < SCHEMA_VERSION; v++) {
        char finish[96];
        snprintf(finish, sizeof(finish),
                 "PRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT",
                 (int)v + 1, APPLICATION_ID);
        int rc = exec(engine, "BEGIN IMMEDIATE", err);
        if (rc == RC_OK) {
            rc = exec(engine, migrations[v], err);
        }
        if (rc == RC_OK) {
            rc = exec(engine, finish, err);
        }
        if (rc != RC_OK) {
            return rc;
        }
    }
    return RC_OK;
}

static int
check_identity(struct sqlite_engine *engine, int64_t *version,
               struct error *err)
{
    int64_t id, objects;
    int rc = ask(engine, "PRAGMA application_id", &id, err);
    if (rc == RC_OK) {
        rc = ask(engine, "PRAGMA user_version", version, err);
    }
    if (rc == RC_OK) { /* most programs set neither of the two numbers */
        rc = ask(engine, "SELECT count(*) FROM sqlite_schema", &objects, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    if (id != APPLICATION_ID && (id != 0 || *version != 0 || objects != 0)) {
        return error_set(err, RC_INVALID,
                         "inbox: %s is not an inbox but some other SQLite file",
                         sqlite3_db_filename(engine->db, "main"));
    }
    if (*version > SCHEMA_VERSION) {
        return error_set(err, RC_INVALID,
                         "inbox: %s was written by a newer pegboard (format "
                         "%lld, this one knows up to %d): use that version",
                         sqlite3_db_filename(engine->db, "main"),
                         (long long)*version, SCHEMA_VERSION);
    }
    return RC_OK;
}

/* What was leased when the former process ended goes back: nobody holds it. */
static int
reset_leases(struct sqlite_engine *engine, struct error *err)
{
    int64_t lost;
    int rc = exec(engine,
                  "BEGIN IMMEDIATE;"
                  "INSERT INTO attempt(seq, plugin, n, started_ms, duration_us,"
                  " outcome, note)"
                  " SELECT seq, plugin, attempt, coalesce(first_ms, due_ms), 0,"
                  " 6, 'the daemon ended before a verdict'"
                  " FROM delivery WHERE state = 1 AND true"
                  " ON CONFLICT DO NOTHING;"
                  "UPDATE delivery SET state = 0 WHERE state = 1",
                  err);
    if (rc == RC_OK) {
        rc = ask(engine, "SELECT changes()", &lost, err);
    }
    if (rc == RC_OK) {
        rc = exec(engine, "COMMIT", err);
    }
    if (rc == RC_OK && lost > 0) {
        log_write(LOG_WARN, "inbox", "attempts without a verdict found",
                  "count=%lld action=run_again", (long long)lost);
    }
    return rc;
}

int
sqlite_prepare_file(struct sqlite_engine *engine, struct error *err)
{
    int64_t version;
    int rc = check_identity(engine, &version, err);
    if (rc == RC_OK) {
        rc = exec(engine, settings, err);
    }
    if (rc == RC_OK) {
        rc = check_settings(engine, err);
    }
    if (rc == RC_OK) {
        rc = migrate(engine, version, err);
    }
    return rc == RC_OK ? reset_leases(engine, err) : rc;
}

int
sqlite_prepare_queries(struct sqlite_engine *engine, struct error *err)
{
    for (size_t i = 0; i < QUERY_COUNT; i++) {
        if (sqlite3_prepare_v3(engine->db, query_texts[i], -1,
                               SQLITE_PREPARE_PERSISTENT, &engine->queries[i],
                               NULL) != SQLITE_OK) {
            return sqlite_failure(engine, err, query_texts[i]);
        }
    }
    return RC_OK;
}
