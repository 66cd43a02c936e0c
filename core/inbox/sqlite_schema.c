/* core/inbox/sqlite_schema.c: the tables, how they came to be, and what is done
 * to a file before it is used.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "clock.h"
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

    /* 2: lanes, classes and waiting as a state of its own, so that what is
     * ready never is looked for among what is not; what does not count; dead
     * letters by cause; evidence of crashes; twins; a store for each plugin;
     * jobs; and the clock by which times were written. */
    "ALTER TABLE plugin ADD COLUMN ord INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE plugin ADD COLUMN digest TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE plugin ADD COLUMN paused_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE plugin ADD COLUMN paused_until_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE plugin ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE plugin ADD COLUMN held_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE plugin ADD COLUMN held_since_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE plugin ADD COLUMN kv_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE plugin ADD COLUMN kv_version INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE event ADD COLUMN twin BLOB;"
    "CREATE INDEX event_twin ON event(twin) WHERE twin IS NOT NULL;"
    "CREATE INDEX event_snapshot ON event(snapshot_event)"
    " WHERE snapshot_event <> '';"
    "CREATE INDEX event_object ON event(object_id, seq) WHERE object_id <> '';"
    "CREATE INDEX event_customer ON event(customer, seq) WHERE customer <> '';"
    "DROP INDEX delivery_due;"
    "ALTER TABLE delivery ADD COLUMN class INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN spared INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN held_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN lane TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE delivery ADD COLUMN job INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN died_ms INTEGER;"
    "ALTER TABLE delivery ADD COLUMN outcome INTEGER;"
    "ALTER TABLE delivery ADD COLUMN cause TEXT;"
    "UPDATE delivery SET state = 4, class = 1 WHERE state = 0 AND attempt > 0;"
    "UPDATE delivery SET due_ms = 0 WHERE state = 0;"
    "UPDATE delivery SET died_ms = coalesce(first_ms, 0), outcome = 3,"
    " cause = '' WHERE state = 3;"
    "CREATE INDEX delivery_ready ON delivery(plugin, class, seq)"
    " WHERE state = 0;"
    "CREATE INDEX delivery_waiting ON delivery(plugin, due_ms, seq)"
    " WHERE state = 4;"
    "CREATE INDEX delivery_lane ON delivery(plugin, lane, state, seq)"
    " WHERE lane <> '';"
    "ALTER TABLE attempt ADD COLUMN signal INTEGER;"
    "ALTER TABLE attempt ADD COLUMN evidence TEXT;"
    "ALTER TABLE attempt ADD COLUMN digest TEXT;"
    "ALTER TABLE attempt ADD COLUMN generation INTEGER;"
    "CREATE TABLE kv("
    " plugin INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " version INTEGER NOT NULL,"
    " PRIMARY KEY(plugin, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE job("
    " id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,"
    " reason TEXT NOT NULL, filter TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
    " rate INTEGER NOT NULL, total INTEGER NOT NULL, moved INTEGER NOT NULL,"
    " after_seq INTEGER NOT NULL, after_plugin INTEGER NOT NULL,"
    " done INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE clock("
    " id INTEGER PRIMARY KEY, boot TEXT NOT NULL,"
    " offset_ms INTEGER NOT NULL) STRICT;",

    /* 3: which generation serves; plugins are changed while they have attempts
     * at work. */
    "CREATE TABLE generation(" /* one row: the last */
    " id INTEGER PRIMARY KEY, number INTEGER NOT NULL,"
    " previous INTEGER NOT NULL, committed_ms INTEGER NOT NULL,"
    " is_rollback INTEGER NOT NULL, inputs TEXT NOT NULL) STRICT;"
    "ALTER TABLE plugin ADD COLUMN collapse INTEGER NOT NULL DEFAULT 0;"
    /* Of a leased one: what its attempt began to count with, and counts no
     * more, since the plugin is another program now. */
    "ALTER TABLE delivery ADD COLUMN forgot INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX delivery_crashed ON delivery(plugin) WHERE crashes > 0;",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

int
sqlite_exec(struct sqlite_engine *engine, const char *sql, struct error *err)
{
    return sqlite3_exec(engine->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? RC_OK
               : sqlite_failure(engine, err, "cannot prepare the file");
}

int
sqlite_exec_with(struct sqlite_engine *engine, const char *sql, int64_t first,
                 int64_t second, struct error *err)
{
    while (sql[0] != '\0') {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(engine->db, sql, -1, &stmt, &sql) != SQLITE_OK) {
            return sqlite_failure(engine, err, "cannot prepare a statement");
        }
        int wanted = sqlite3_bind_parameter_count(stmt);
        if (wanted >= 1) {
            sqlite3_bind_int64(stmt, 1, first);
        }
        if (wanted >= 2) {
            sqlite3_bind_int64(stmt, 2, second);
        }
        int code = sqlite3_step(stmt);
        int rc = code == SQLITE_DONE
                     ? RC_OK
                     : sqlite_failure(engine, err, sqlite3_sql(stmt));
        sqlite3_finalize(stmt);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return RC_OK;
}

int
sqlite_ask(struct sqlite_engine *engine, const char *sql, int64_t *out,
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
    int rc = sqlite_ask(engine, "PRAGMA synchronous", &synchronous, err);
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
        int rc = sqlite_exec(engine, "BEGIN IMMEDIATE", err);
        if (rc == RC_OK) {
            rc = sqlite_exec(engine, migrations[v], err);
        }
        if (rc == RC_OK) {
            rc = sqlite_exec(engine, finish, err);
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
    int rc = sqlite_ask(engine, "PRAGMA application_id", &id, err);
    if (rc == RC_OK) {
        rc = sqlite_ask(engine, "PRAGMA user_version", version, err);
    }
    if (rc == RC_OK) { /* most programs set neither of the two numbers */
        rc = sqlite_ask(engine, "SELECT count(*) FROM sqlite_schema", &objects,
                        err);
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

/* What was leased when the former process ended goes back: nobody holds it. It
 * may not have begun, and that we ended is nobody's fault: it does not count.
 */
static int
reset_leases(struct sqlite_engine *engine, int64_t now_ms, struct error *err)
{
    char sql[900];
    int64_t lost;
    snprintf(sql, sizeof(sql),
             "BEGIN IMMEDIATE;"
             "INSERT INTO attempt(seq, plugin, n, started_ms, duration_us,"
             " outcome, note)"
             " SELECT seq, plugin, attempt, %lld, 0,"
             " 6, 'the daemon ended before a verdict'"
             " FROM delivery WHERE state = 1 AND true"
             " ON CONFLICT DO NOTHING;"
             /* several of a lane can have been out when its order changed */
             "UPDATE delivery SET state = iif(lane <> '' AND EXISTS("
             "  SELECT 1 FROM delivery d WHERE d.plugin = delivery.plugin"
             "  AND d.lane = delivery.lane AND d.lane <> ''"
             "  AND d.state IN (0, 1) AND d.seq < delivery.seq), 2, 0),"
             " spared = spared + 1, forgot = 0, due_ms = 0 WHERE state = 1",
             (long long)now_ms);
    int rc = sqlite_exec(engine, sql, err);
    if (rc == RC_OK) {
        rc = sqlite_ask(engine, "SELECT changes()", &lost, err);
    }
    if (rc == RC_OK) {
        rc = sqlite_exec(engine, "COMMIT", err);
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
        rc = sqlite_exec(engine, settings, err);
    }
    if (rc == RC_OK) {
        rc = check_settings(engine, err);
    }
    if (rc == RC_OK) {
        rc = migrate(engine, version, err);
    }
    if (rc == RC_OK) {
        rc = sqlite_check_clock(engine, err);
    }
    return rc == RC_OK ? reset_leases(engine, clock_wall_ms(), err) : rc;
}
