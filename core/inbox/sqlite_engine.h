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
    QUERY_PROBE,
    QUERY_PUT_EVENT,
    QUERY_PUT_BODY,
    QUERY_FIND_EVENT,
    QUERY_SEEN_ENDPOINT,
    QUERY_COUNT_CONFLICTS,
    QUERY_PUT_RECEIPT,
    QUERY_HAD_DELIVERY,
    QUERY_FIND_TWIN,
    QUERY_PUT_DELIVERY,
    QUERY_LANE_TAKEN,
    QUERY_PROMOTE,
    QUERY_PICK_DUE,
    QUERY_COME_DUE,
    QUERY_PICK,
    QUERY_TAKE,
    QUERY_LOAD,
    QUERY_NEXT_DUE,
    QUERY_CLOSE,
    QUERY_RESCHEDULE,
    QUERY_BURY,
    QUERY_UNDO,
    QUERY_IS_LEASED,
    QUERY_FORGOT,
    QUERY_PUT_ATTEMPT,
    QUERY_COUNT_JOB,
    QUERY_KV_GET,
    QUERY_KV_PUT,
    QUERY_KV_DELETE,
    QUERY_KV_ACCOUNT,
    QUERY_PAUSE,
    QUERY_KEEP_HELD,
    QUERY_FIND_DELIVERY,
    QUERY_FIND_OBJECT,
    QUERY_REVIVE,
    QUERY_REPLAY,
    QUERY_DISCARD,
    QUERY_NEW_JOB,
    QUERY_KEEP_JOB,
    QUERY_OLD_EVENTS,
    QUERY_PRUNE_EVENT,
    QUERY_PRUNE_BODY,
    QUERY_PRUNE_RECEIPTS,
    QUERY_PRUNE_ATTEMPTS,
    QUERY_COUNT,
};

/* What the engine must know of each plugin; loaded from the file, since also
 * those that are not served have deliveries. */
struct sqlite_plugin {
    enum inbox_order order;
    int collapse_twins;
    int64_t held_ms, held_since_ms;
};

struct sqlite_engine {
    struct inbox_engine base;
    sqlite3 *db;
    int lock_fd; /* flock()ed: one process an inbox */
    sqlite3_stmt *queries[QUERY_COUNT];
    struct sqlite_plugin *plugins; /* of id i + 1 at i */
    size_t plugin_count;
    int is_doubtful; /* they may not be what is in the file */
};

/** Translate SQLite's code into ours, with the text it left. */
int sqlite_failure(struct sqlite_engine *engine, struct error *err,
                   const char *what);

/** Run a query that yields no row and reset it. @return RC_OK or a failure */
int sqlite_run(struct sqlite_engine *engine, enum sqlite_query query,
               struct error *err);

/** Run a query whose first column is a number; 0 when there is no row. */
int sqlite_number(struct sqlite_engine *engine, enum sqlite_query query,
                  int64_t *out, struct error *err);

/** Bind a C string that outlives the call. */
void sqlite_bind_cstr(sqlite3_stmt *stmt, int at, const char *text);

/** What is known of a plugin; never NULL, of an unknown one nothing. */
const struct sqlite_plugin *sqlite_plugin(const struct sqlite_engine *engine,
                                          uint32_t id);

/* sqlite_schema.c, sqlite_query.c */

/** Run statements that are not prepared; and one that asks for a number. */
int sqlite_exec(struct sqlite_engine *engine, const char *sql,
                struct error *err);
/** Statements with ?1 and ?2 in them, not on the hot path. */
int sqlite_exec_with(struct sqlite_engine *engine, const char *sql,
                     int64_t first, int64_t second, struct error *err);
int sqlite_ask(struct sqlite_engine *engine, const char *sql, int64_t *out,
               struct error *err);

/** Settings, migrations, and what a former process left behind. */
int sqlite_prepare_file(struct sqlite_engine *engine, struct error *err);
/** Prepare all queries. */
int sqlite_prepare_queries(struct sqlite_engine *engine, struct error *err);

/* sqlite_clock.c */

/** Find out, when opening, whether the wall clock was set since the file was
 * written, and move its times if so. */
int sqlite_check_clock(struct sqlite_engine *engine, struct error *err);
/** The clock was set by `jump_ms`: move all times that lie ahead, and ages. */
int sqlite_jump(struct sqlite_engine *engine, int64_t jump_ms,
                struct error *err);

/* sqlite_plugin.c */

int sqlite_load_plugins(struct sqlite_engine *engine, struct error *err);
/** The entry of that id, made if it is not there; NULL without memory. */
struct sqlite_plugin *sqlite_make_plugin(struct sqlite_engine *engine,
                                         uint32_t id);
/** For how long it has been held, in all. */
int64_t sqlite_held_ms(const struct sqlite_engine *engine, uint32_t plugin,
                       int64_t now_ms);

/* sqlite_lane.c: who may run beside whom; see inbox.h. */

#define LANE_MAX 256 /* with its NUL */

/** The lane of an event with that object; "" for none. */
const char *sqlite_lane_of(const struct sqlite_engine *engine, uint32_t plugin,
                           const char *object_id);
/** The state of a delivery that comes new into a lane. */
int sqlite_lane_enter(struct sqlite_engine *engine, uint32_t plugin,
                      const char *lane, int *state, struct error *err);
/** ... and of one whose time has come. */
int sqlite_lane_return(struct sqlite_engine *engine, uint32_t plugin,
                       const char *lane, int *state, struct error *err);
/** Somebody has left it, or (`waits`) waits for its retry: the next may. */
int sqlite_lane_leave(struct sqlite_engine *engine, uint32_t plugin,
                      const char *lane, int waits, struct error *err);

/* One part of a batch each, inside its transaction. */

int sqlite_put(struct sqlite_engine *engine, struct inbox_put *put,
               struct error *err);
int sqlite_result(struct sqlite_engine *engine, struct inbox_batch *batch,
                  const struct inbox_result *result, struct error *err);
int sqlite_act(struct sqlite_engine *engine, struct inbox_action *action,
               struct error *err);
int sqlite_look_up(struct sqlite_engine *engine, struct inbox_lookup *lookup,
                   struct error *err);
int sqlite_prune(struct sqlite_engine *engine, struct inbox_batch *batch,
                 struct error *err);
int sqlite_claim(struct sqlite_engine *engine, struct inbox_batch *batch,
                 struct inbox_want *want, struct error *err);

/* sqlite_enrol.c: likewise. */
int sqlite_answer_roll(struct sqlite_engine *engine, struct inbox_roll *roll,
                       int64_t now_ms, struct error *err);

/** Put a row into the attempt log. */
int sqlite_log_attempt(struct sqlite_engine *engine,
                       const struct inbox_result *result, struct error *err);

/* sqlite_kv.c */

/** Why an attempt's changes cannot be; then nothing of them was done. */
struct sqlite_refusal {
    int is_full; /* there is no room; else they came too late */
    char text[INBOX_NOTE_MAX + 1]; /* "": they were applied */
};

/** Apply what an attempt did to its plugin's store. */
int sqlite_change(struct sqlite_engine *engine, uint32_t plugin,
                  const struct inbox_change *changes,
                  struct sqlite_refusal *refusal, struct error *err);

#endif
