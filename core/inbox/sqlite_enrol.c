/* core/inbox/sqlite_enrol.c: a generation and its plugins, inside a batch's
 * transaction. Attempts of the former one are at work meanwhile.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

static int
prepare(struct sqlite_engine *engine, const char *sql, sqlite3_stmt **out,
        struct error *err)
{
    return sqlite3_prepare_v2(engine->db, sql, -1, out, NULL) == SQLITE_OK
               ? RC_OK
               : sqlite_failure(engine, err, "cannot prepare a statement");
}

/* ---- Another order -------------------------------------------------- */

/* ?1 is the plugin, ?2 one more state that stands in line, or 0 for none. Rare:
 * the whole backlog is gone through, in time that grows with its length only.
 * What has lost its event has no lane: it must not keep us from starting. */
static const char find_lanes_sql[] =
    "UPDATE delivery SET lane = coalesce((SELECT object_id FROM event e"
    "  WHERE e.seq = delivery.seq), '') WHERE plugin = ?1;";

/* Whether another stands before it, or is out. One that waits keeps its time
 * if only the latter: what is out began while it did not count. */
#define IS_BEHIND                                                              \
    "(EXISTS(SELECT 1 FROM delivery d WHERE d.plugin = ?1"                     \
    "   AND d.lane = delivery.lane AND d.lane <> ''"                           \
    "   AND d.state IN (0, ?2, 2) AND d.seq < delivery.seq)"                   \
    " OR state <> 4 AND EXISTS(SELECT 1 FROM delivery d WHERE d.plugin = ?1"   \
    "   AND d.lane = delivery.lane AND d.lane <> '' AND d.state = 1))"

/* The lowest of each lane may run once nobody of it is out, the others are held
 * behind it; with `strict` those that wait for a retry are part of that. Who
 * stands in line is the same before and after, so that it does not matter who
 * is looked at first. */
static const char stand_in_line_sql[] =
    "UPDATE delivery SET state = 2, due_ms = 0 WHERE plugin = ?1"
    " AND lane <> '' AND state IN (0, ?2) AND " IS_BEHIND ";"
    "UPDATE delivery SET state = 0 WHERE plugin = ?1"
    " AND lane <> '' AND state = 2 AND NOT " IS_BEHIND ";";

static const char leave_lanes_sql[] =
    "UPDATE delivery SET lane = '', state = iif(state = 2, 0, state)"
    " WHERE plugin = ?1 AND lane <> ''";

static int
change_order(struct sqlite_engine *engine, uint32_t id, enum inbox_order from,
             enum inbox_order to, struct error *err)
{
    int rc = RC_OK;
    if (to == INBOX_ANY) {
        return sqlite_exec_with(engine, leave_lanes_sql, id, 0, err);
    }
    if (from == INBOX_ANY) {
        rc = sqlite_exec_with(engine, find_lanes_sql, id, 0, err);
    }
    return rc == RC_OK
               ? sqlite_exec_with(
                     engine, stand_in_line_sql, id,
                     to == INBOX_STRICT ? INBOX_WAITING : INBOX_READY, err)
               : rc;
}

/* ---- Another program ------------------------------------------------ */

/* It may well stand what the former did not. An attempt that is at work will
 * report a count that began with the former's crashes: they are kept to be
 * taken off. */
static const char forget_crashes_sql[] =
    "UPDATE delivery SET forgot = iif(state = 1, forgot + crashes, 0),"
    " crashes = 0 WHERE plugin = ?1 AND crashes > 0";

/* ---- A plugin ------------------------------------------------------- */

struct former {
    enum inbox_order order;
    char digest[INBOX_DIGEST_MAX + 1];
};

static void
read_plugin(sqlite3_stmt *stmt, struct inbox_plugin *out, struct former *former)
{
    out->id = (uint32_t)sqlite3_column_int64(stmt, 0);
    former->order = (enum inbox_order)sqlite3_column_int(stmt, 1);
    snprintf(former->digest, sizeof(former->digest), "%s",
             (const char *)sqlite3_column_text(stmt, 2));
    out->paused_ms = sqlite3_column_int64(stmt, 3);
    out->paused_until_ms = sqlite3_column_int64(stmt, 4);
    snprintf(out->reason, sizeof(out->reason), "%s",
             (const char *)sqlite3_column_text(stmt, 5));
    out->held_ms = sqlite3_column_int64(stmt, 6);
    out->held_since_ms = sqlite3_column_int64(stmt, 7);
}

/* What is known of that name; nothing of a new one. */
static int
find_plugin(struct sqlite_engine *engine, const char *name,
            struct inbox_plugin *out, struct former *former, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    *out = (struct inbox_plugin){0};
    *former = (struct former){.order = INBOX_ANY};
    int rc = prepare(engine,
                     "SELECT id, ord, digest, paused_ms, paused_until_ms,"
                     " reason, held_ms, held_since_ms FROM plugin"
                     " WHERE name = ?1",
                     &stmt, err);
    if (rc != RC_OK) {
        return rc;
    }
    sqlite_bind_cstr(stmt, 1, name);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        read_plugin(stmt, out, former);
    } else if (code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot look up a plugin");
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int
keep_policy(struct sqlite_engine *engine, const struct inbox_policy *policy,
            uint32_t *id, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = prepare(engine,
                     "INSERT INTO plugin(name, ord, digest, collapse)"
                     " VALUES(?1, ?2, ?3, ?4)"
                     " ON CONFLICT(name) DO UPDATE SET ord = ?2,"
                     " digest = iif(?3 = '', digest, ?3), collapse = ?4"
                     " RETURNING id",
                     &stmt, err);
    if (rc != RC_OK) {
        return rc;
    }
    sqlite_bind_cstr(stmt, 1, policy->name);
    sqlite3_bind_int(stmt, 2, (int)policy->order);
    sqlite_bind_cstr(stmt, 3, policy->digest);
    sqlite3_bind_int(stmt, 4, policy->collapse_twins != 0);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *id = (uint32_t)sqlite3_column_int64(stmt, 0);
    } else {
        rc = sqlite_failure(engine, err, "cannot enrol a plugin");
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* What all that follows in this transaction goes by. If it is not committed,
 * the file is asked again. */
static int
remember(struct sqlite_engine *engine, const struct inbox_policy *policy,
         const struct inbox_plugin *kept, struct error *err)
{
    struct sqlite_plugin *plugin = sqlite_make_plugin(engine, kept->id);
    if (plugin == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    plugin->order = policy->order;
    plugin->collapse_twins = policy->collapse_twins != 0;
    plugin->held_ms = kept->held_ms;
    plugin->held_since_ms = kept->held_since_ms;
    return RC_OK;
}

static int
enrol_plugin(struct sqlite_engine *engine, const struct inbox_policy *policy,
             struct inbox_plugin *out, struct error *err)
{
    struct former former;
    int rc = find_plugin(engine, policy->name, out, &former, err);
    if (rc == RC_OK) {
        rc = keep_policy(engine, policy, &out->id, err);
    }
    if (rc == RC_OK && former.order != policy->order) {
        rc = change_order(engine, out->id, former.order, policy->order, err);
    }
    if (rc == RC_OK && policy->digest[0] != '\0' &&
        strcmp(former.digest, policy->digest) != 0) {
        rc = sqlite_exec_with(engine, forget_crashes_sql, out->id, 0, err);
    }
    return rc == RC_OK ? remember(engine, policy, out, err) : rc;
}

/* ---- A generation --------------------------------------------------- */

/* One row, and its number goes up for ever. */
static int
keep_generation(struct sqlite_engine *engine,
                struct inbox_generation *generation, int64_t now_ms,
                struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = prepare(engine,
                     "INSERT INTO generation(id, number, previous,"
                     " committed_ms, is_rollback, inputs)"
                     " VALUES(1, 1, ?1, ?2, ?3, ?4)"
                     " ON CONFLICT(id) DO UPDATE SET number = number + 1,"
                     " previous = ?1, committed_ms = ?2, is_rollback = ?3,"
                     " inputs = ?4 RETURNING number",
                     &stmt, err);
    if (rc != RC_OK) {
        return rc;
    }
    sqlite3_bind_int64(stmt, 1, generation->previous);
    sqlite3_bind_int64(stmt, 2, now_ms);
    sqlite3_bind_int(stmt, 3, generation->is_rollback != 0);
    sqlite_bind_cstr(stmt, 4, generation->inputs);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        generation->number = sqlite3_column_int64(stmt, 0);
        generation->committed_ms = now_ms;
    } else {
        rc = sqlite_failure(engine, err, "cannot enrol a generation");
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int
read_generation(struct sqlite_engine *engine, struct inbox_generation *out,
                struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    *out = (struct inbox_generation){0};
    int rc = prepare(engine,
                     "SELECT number, previous, committed_ms, is_rollback,"
                     " inputs FROM generation",
                     &stmt, err);
    if (rc != RC_OK) {
        return rc;
    }
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        out->number = sqlite3_column_int64(stmt, 0);
        out->previous = sqlite3_column_int64(stmt, 1);
        out->committed_ms = sqlite3_column_int64(stmt, 2);
        out->is_rollback = sqlite3_column_int(stmt, 3);
        snprintf(out->inputs, sizeof(out->inputs), "%s",
                 (const char *)sqlite3_column_text(stmt, 4));
    } else if (code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot read the generation");
    }
    sqlite3_finalize(stmt);
    return rc;
}

int
sqlite_answer_roll(struct sqlite_engine *engine, struct inbox_roll *roll,
                   int64_t now_ms, struct error *err)
{
    const struct inbox_enrolment *enrolment = roll->enrolment;
    int rc = RC_OK;
    if (enrolment != NULL) {
        for (size_t i = 0; i < enrolment->count && rc == RC_OK; i++) {
            rc = enrol_plugin(engine, &enrolment->policies[i],
                              &enrolment->plugins[i], err);
        }
        if (rc == RC_OK) {
            rc = keep_generation(engine, enrolment->generation, now_ms, err);
        }
    }
    return rc == RC_OK && roll->last != NULL
               ? read_generation(engine, roll->last, err)
               : rc;
}
