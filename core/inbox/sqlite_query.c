/* core/inbox/sqlite_query.c: what is asked of the file, prepared once.
 *
 * `lane <> ''` stands where it changes nothing, or SQLite would not use the
 * index that has this in its own condition.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

/* Everything of a lane. */
#define IN_LANE " plugin = ?1 AND lane = ?2 AND lane <> ''"

static const char *const query_texts[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN IMMEDIATE",
    [QUERY_COMMIT] = "COMMIT",
    [QUERY_ROLLBACK] = "ROLLBACK",
    [QUERY_PROBE] = "UPDATE probe SET n = n + 1 WHERE id = 1",

    /* The next number, also if a bad disk took the last event: what is left of
     * that must not stand in the way of all that come. */
    [QUERY_PUT_EVENT] =
        "INSERT INTO event(seq, event_id, type, created_s, received_ms,"
        " livemode, thin, routed, account, api_version, object_id, customer,"
        " snapshot_event, endpoint, secret, signature, signed_s, twin)"
        " VALUES(1 + max(coalesce((SELECT max(seq) FROM event), 0),"
        " coalesce((SELECT max(seq) FROM body), 0),"
        " coalesce((SELECT max(seq) FROM delivery), 0)),"
        " ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
        " ?15, ?16, ?17) ON CONFLICT(event_id) DO NOTHING",
    [QUERY_PUT_BODY] = "INSERT INTO body(seq, data) VALUES(?1, ?2)",
    [QUERY_FIND_EVENT] =
        "SELECT e.seq, b.data FROM event e LEFT JOIN body b ON b.seq = e.seq"
        " WHERE e.event_id = ?1",
    [QUERY_SEEN_ENDPOINT] =
        "SELECT EXISTS(SELECT 1 FROM event WHERE seq = ?1 AND endpoint = ?2)"
        " OR EXISTS(SELECT 1 FROM receipt WHERE seq = ?1 AND endpoint = ?2)",
    [QUERY_COUNT_CONFLICTS] = "SELECT count(*) FROM receipt WHERE seq = ?1"
                              " AND conflict IS NOT NULL",
    [QUERY_PUT_RECEIPT] =
        "INSERT INTO receipt(seq, received_ms, endpoint, secret, signed_s,"
        " conflict) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [QUERY_HAD_DELIVERY] =
        "SELECT EXISTS(SELECT 1 FROM delivery WHERE seq = ?1 AND plugin = ?2)"
        " OR EXISTS(SELECT 1 FROM attempt WHERE seq = ?1 AND plugin = ?2)",
    [QUERY_FIND_TWIN] = /* ?1 twin, ?2 own seq, ?3 its snapshot, ?4 own id, ?5
                           created, ?6 apart */
    "SELECT seq, event_id FROM event WHERE twin = ?1 AND seq < ?2"
    " AND created_s BETWEEN ?5 - ?6 AND ?5 + ?6"
    " UNION ALL SELECT seq, event_id FROM event WHERE event_id = ?3"
    " AND seq < ?2"
    " UNION ALL SELECT seq, event_id FROM event WHERE snapshot_event = ?4"
    " AND snapshot_event <> '' AND seq < ?2",

    [QUERY_PUT_DELIVERY] =
        "INSERT INTO delivery(seq, plugin, state, attempt, lease, due_ms, lane)"
        " VALUES(?1, ?2, ?3, 0, 0, 0, ?4)",
    [QUERY_LANE_TAKEN] = /* ?3 and ?4: one more state each, or 0 */
    "SELECT EXISTS(SELECT 1 FROM delivery WHERE" IN_LANE
    " AND state IN (0, 1, ?3, ?4))",
    [QUERY_PROMOTE] = /* ?3: one more state that takes the lane, or 0 */
    "UPDATE delivery SET state = 0 WHERE plugin = ?1"
    " AND seq = (SELECT min(seq) FROM delivery WHERE" IN_LANE " AND state = 2)"
    " AND NOT EXISTS(SELECT 1 FROM delivery WHERE" IN_LANE
    " AND state IN (0, 1, ?3))",

    [QUERY_PICK_DUE] = "SELECT seq, lane FROM delivery"
                       " WHERE plugin = ?1 AND state = 4 AND due_ms <= ?2"
                       " ORDER BY due_ms, seq LIMIT ?3",
    [QUERY_COME_DUE] = "UPDATE delivery SET state = ?3, due_ms = 0"
                       " WHERE seq = ?1 AND plugin = ?2",
    [QUERY_PICK] = "SELECT seq FROM delivery"
                   " WHERE plugin = ?1 AND class = ?2 AND state = 0"
                   " ORDER BY seq LIMIT ?3",
    [QUERY_TAKE] =
        "UPDATE delivery SET state = 1, attempt = attempt + 1,"
        " lease = lease + 1, first_ms = coalesce(first_ms, ?3),"
        " held_ms = iif(first_ms IS NULL, ?4, held_ms)"
        " WHERE seq = ?1 AND plugin = ?2"
        " RETURNING attempt, lease, first_ms, held_ms, spared, crashes, class,"
        " job",
    [QUERY_LOAD] =
        "SELECT e.event_id, e.type, e.account, e.api_version, e.object_id,"
        " e.signature, e.snapshot_event, e.created_s, e.received_ms,"
        " e.livemode, e.thin, b.data"
        " FROM event e JOIN body b ON b.seq = e.seq WHERE e.seq = ?1",
    [QUERY_NEXT_DUE] =
        "SELECT iif(EXISTS(SELECT 1 FROM delivery WHERE plugin = ?1"
        " AND state = 0), 0, (SELECT min(due_ms) FROM delivery"
        " WHERE plugin = ?1 AND state = 4))",

    [QUERY_CLOSE] = "DELETE FROM delivery"
                    " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3"
                    " AND state = 1 RETURNING lane",
    [QUERY_RESCHEDULE] =
        "UPDATE delivery SET state = 4, class = max(class, 1),"
        " spared = spared + ?4, crashes = max(?5 - forgot, 0), forgot = 0,"
        " due_ms = ?6"
        " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3 AND state = 1"
        " RETURNING lane",
    [QUERY_BURY] =
        "UPDATE delivery SET state = 3, spared = spared + ?4,"
        " crashes = max(?5 - forgot, 0), forgot = 0,"
        " died_ms = ?6, outcome = ?7, cause = ?8"
        " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3 AND state = 1"
        " RETURNING lane",
    /* To the place it had; unless another of its lane runs, as can be when its
     * plugin's order was changed while both were out. */
    [QUERY_UNDO] = "UPDATE delivery SET state = iif(lane <> '' AND EXISTS("
                   "  SELECT 1 FROM delivery d WHERE d.plugin = ?2"
                   "  AND d.lane = delivery.lane AND d.lane <> ''"
                   "  AND d.state IN (0, 1) AND d.seq <> ?1), 2, 0),"
                   " attempt = attempt - 1, forgot = 0,"
                   " first_ms = iif(attempt = 1, NULL, first_ms)"
                   " WHERE seq = ?1 AND plugin = ?2 AND lease = ?3"
                   " AND state = 1",
    [QUERY_IS_LEASED] =
        "SELECT EXISTS(SELECT 1 FROM delivery WHERE seq = ?1 AND plugin = ?2"
        " AND lease = ?3 AND state = 1)",
    [QUERY_FORGOT] = "SELECT forgot FROM delivery WHERE seq = ?1"
                     " AND plugin = ?2 AND lease = ?3 AND state = 1",
    [QUERY_PUT_ATTEMPT] =
        "INSERT OR REPLACE INTO attempt(seq, plugin, n, started_ms,"
        " duration_us, outcome, note, signal, evidence, digest, generation)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [QUERY_COUNT_JOB] = "UPDATE job SET done = done + ?2, dead = dead + ?3"
                        " WHERE id = ?1",

    [QUERY_KV_GET] = "SELECT version, value FROM kv"
                     " WHERE plugin = ?1 AND key = ?2",
    [QUERY_KV_PUT] = "INSERT OR REPLACE INTO kv(plugin, key, version, value)"
                     " SELECT ?1, ?2, kv_version, ?3 FROM plugin WHERE id = ?1",
    [QUERY_KV_DELETE] = "DELETE FROM kv WHERE plugin = ?1 AND key = ?2",
    [QUERY_KV_ACCOUNT] =
        "UPDATE plugin SET kv_version = kv_version + 1,"
        " kv_bytes = kv_bytes + ?2 WHERE id = ?1 AND kv_bytes + ?2 <= ?3",

    [QUERY_PAUSE] = "UPDATE plugin SET paused_ms = ?2, paused_until_ms = ?3,"
                    " reason = ?4 WHERE id = ?1",
    [QUERY_KEEP_HELD] =
        "UPDATE plugin SET held_ms = ?2, held_since_ms = ?3 WHERE id = ?1",
    [QUERY_FIND_DELIVERY] = "SELECT state, lane FROM delivery"
                            " WHERE seq = ?1 AND plugin = ?2",
    [QUERY_FIND_OBJECT] = "SELECT object_id FROM event WHERE seq = ?1",
    [QUERY_REVIVE] =
        "UPDATE delivery SET state = ?3, class = 2, due_ms = 0, job = ?4,"
        " spared = iif(state = 3, attempt, spared),"
        " crashes = iif(state = 3, 0, crashes),"
        " first_ms = iif(state = 3, NULL, first_ms),"
        " died_ms = NULL, outcome = NULL, cause = NULL"
        " WHERE seq = ?1 AND plugin = ?2",
    [QUERY_REPLAY] = /* a lease no earlier one can be mistaken for */
    "INSERT INTO delivery(seq, plugin, state, class, attempt, spared,"
    " lease, due_ms, lane, job)"
    " SELECT ?1, ?2, ?3, 2, n, n, ?5, 0, ?4, ?6"
    " FROM (SELECT coalesce(max(n), 0) AS n FROM attempt"
    "  WHERE seq = ?1 AND plugin = ?2)",
    [QUERY_DISCARD] = "DELETE FROM delivery"
                      " WHERE seq = ?1 AND plugin = ?2 AND state = 3"
                      " RETURNING attempt",
    [QUERY_NEW_JOB] =
        "INSERT INTO job(kind, state, reason, filter, created_ms, ended_ms,"
        " rate, total, moved, after_seq, after_plugin)"
        " VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [QUERY_KEEP_JOB] =
        "UPDATE job SET kind = ?2, state = ?3, reason = ?4, filter = ?5,"
        " created_ms = ?6, ended_ms = ?7, rate = ?8, total = ?9, moved = ?10,"
        " after_seq = ?11, after_plugin = ?12 WHERE id = ?1",

    [QUERY_OLD_EVENTS] = "SELECT seq, received_ms FROM event WHERE seq > ?1"
                         " ORDER BY seq LIMIT ?2",
    [QUERY_PRUNE_EVENT] =
        /* Not the last: its number must not be given again. */
    "DELETE FROM event WHERE seq = ?1"
    " AND seq < (SELECT max(seq) FROM event)"
    " AND NOT EXISTS(SELECT 1 FROM delivery WHERE seq = ?1)",
    [QUERY_PRUNE_BODY] = "DELETE FROM body WHERE seq = ?1",
    [QUERY_PRUNE_RECEIPTS] = "DELETE FROM receipt WHERE seq = ?1",
    [QUERY_PRUNE_ATTEMPTS] = "DELETE FROM attempt WHERE seq = ?1",
};

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
