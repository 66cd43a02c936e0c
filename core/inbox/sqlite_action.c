/* core/inbox/sqlite_action.c: what operators ask for, inside a batch's
 * transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "stripe/event.h"

#include <stdio.h>

/* ---- Replaying ------------------------------------------------------ */

static void
bind_item(sqlite3_stmt *stmt, const struct inbox_item *item)
{
    sqlite3_bind_int64(stmt, 1, item->seq);
    sqlite3_bind_int64(stmt, 2, item->plugin);
}

/* `*state` is -1 when there is no such delivery. */
static int
find_delivery(struct sqlite_engine *engine, const struct inbox_item *item,
              int *state, char lane[LANE_MAX], struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_FIND_DELIVERY];
    bind_item(stmt, item);
    int code = sqlite3_step(stmt);
    *state = -1;
    lane[0] = '\0';
    if (code == SQLITE_ROW) {
        *state = sqlite3_column_int(stmt, 0);
        snprintf(lane, LANE_MAX, "%s",
                 (const char *)sqlite3_column_text(stmt, 1));
    }
    int rc = code == SQLITE_ROW || code == SQLITE_DONE
                 ? RC_OK
                 : sqlite_failure(engine, err, "cannot find a delivery");
    sqlite3_reset(stmt);
    return rc;
}

/* `*found` is 0 when the event is not there any more. */
static int
find_lane(struct sqlite_engine *engine, const struct inbox_item *item,
          char lane[LANE_MAX], int *found, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_FIND_OBJECT];
    sqlite3_bind_int64(stmt, 1, item->seq);
    int code = sqlite3_step(stmt);
    *found = code == SQLITE_ROW;
    if (*found) {
        const char *object = (const char *)sqlite3_column_text(stmt, 0);
        snprintf(lane, LANE_MAX, "%s",
                 sqlite_lane_of(engine, item->plugin, object));
    }
    int rc = code == SQLITE_ROW || code == SQLITE_DONE
                 ? RC_OK
                 : sqlite_failure(engine, err, "cannot find an event");
    sqlite3_reset(stmt);
    return rc;
}

/* A delivery that ended, or one that never was: owed (again). */
static int
replay_new(struct sqlite_engine *engine, struct inbox_action *action,
           const struct inbox_item *item, struct error *err)
{
    char lane[LANE_MAX];
    int found, state;
    int rc = find_lane(engine, item, lane, &found, err);
    if (rc != RC_OK || !found) {
        return rc;
    }
    rc = sqlite_lane_enter(engine, item->plugin, lane, &state, err);
    if (rc != RC_OK) {
        return rc;
    }
    sqlite3_stmt *stmt = engine->queries[QUERY_REPLAY];
    bind_item(stmt, item);
    sqlite3_bind_int(stmt, 3, state);
    sqlite_bind_cstr(stmt, 4, lane);
    sqlite3_bind_int64(stmt, 5, action->now_ms);
    sqlite3_bind_int64(stmt, 6, action->job != NULL ? action->job->id : 0);
    action->changed++;
    return sqlite_run(engine, QUERY_REPLAY, err);
}

static int
replay(struct sqlite_engine *engine, struct inbox_action *action,
       const struct inbox_item *item, struct error *err)
{
    char lane[LANE_MAX];
    int state;
    int rc = find_delivery(engine, item, &state, lane, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (state < 0) {
        return replay_new(engine, action, item, err);
    }
    if (state == INBOX_DEAD) {
        rc = sqlite_lane_enter(engine, item->plugin, lane, &state, err);
    } else if (state == INBOX_WAITING) {
        rc = sqlite_lane_return(engine, item->plugin, lane, &state, err);
    } else {
        return RC_OK; /* under way */
    }
    if (rc != RC_OK) {
        return rc;
    }
    sqlite3_stmt *stmt = engine->queries[QUERY_REVIVE];
    bind_item(stmt, item);
    sqlite3_bind_int(stmt, 3, state);
    sqlite3_bind_int64(stmt, 4, action->job != NULL ? action->job->id : 0);
    action->changed++;
    return sqlite_run(engine, QUERY_REVIVE, err);
}

/* ---- Discarding ----------------------------------------------------- */

static int
discard(struct sqlite_engine *engine, struct inbox_action *action,
        const struct inbox_item *item, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_DISCARD];
    bind_item(stmt, item);
    int code = sqlite3_step(stmt);
    int was_dead = code == SQLITE_ROW;
    struct inbox_result end = {.seq = item->seq,
                               .plugin = item->plugin,
                               .outcome = INBOX_DISCARD,
                               .started_ms = action->now_ms};
    if (was_dead) {
        end.attempt = (uint32_t)sqlite3_column_int64(stmt, 0) + 1;
        code = sqlite3_step(stmt);
    }
    int rc = code == SQLITE_DONE
                 ? RC_OK
                 : sqlite_failure(engine, err, "cannot discard a delivery");
    sqlite3_reset(stmt);
    if (rc != RC_OK || !was_dead) {
        return rc;
    }
    snprintf(end.note, sizeof(end.note), "%s",
             action->note != NULL ? action->note : "");
    action->changed++;
    return sqlite_log_attempt(engine, &end, err);
}

/* ---- Plugins and jobs ----------------------------------------------- */

static int
keep_pause(struct sqlite_engine *engine, const struct inbox_action *action,
           struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PAUSE];
    sqlite3_bind_int64(stmt, 1, action->plugin);
    sqlite3_bind_int64(stmt, 2, action->state.paused_ms);
    sqlite3_bind_int64(stmt, 3, action->state.paused_until_ms);
    sqlite_bind_cstr(stmt, 4, action->state.reason);
    return sqlite_run(engine, QUERY_PAUSE, err);
}

static int
keep_held(struct sqlite_engine *engine, const struct inbox_action *action,
          struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_KEEP_HELD];
    const struct inbox_plugin *state = &action->state;
    sqlite3_bind_int64(stmt, 1, action->plugin);
    sqlite3_bind_int64(stmt, 2, state->held_ms);
    sqlite3_bind_int64(stmt, 3, state->held_since_ms);
    int rc = sqlite_run(engine, QUERY_KEEP_HELD, err);
    if (rc == RC_OK && action->plugin >= 1 &&
        action->plugin <= engine->plugin_count) {
        struct sqlite_plugin *plugin = &engine->plugins[action->plugin - 1];
        plugin->held_ms = state->held_ms;
        plugin->held_since_ms = state->held_since_ms;
    }
    return rc;
}

static int
keep_job(struct sqlite_engine *engine, struct inbox_job *job, struct error *err)
{
    enum sqlite_query query = job->id == 0 ? QUERY_NEW_JOB : QUERY_KEEP_JOB;
    sqlite3_stmt *stmt = engine->queries[query];
    if (query == QUERY_KEEP_JOB) {
        sqlite3_bind_int64(stmt, 1, job->id);
    }
    sqlite_bind_cstr(stmt, 2, job->kind);
    sqlite_bind_cstr(stmt, 3, job->state);
    sqlite_bind_cstr(stmt, 4, job->reason);
    sqlite_bind_cstr(stmt, 5, job->filter);
    sqlite3_bind_int64(stmt, 6, job->created_ms);
    sqlite3_bind_int64(stmt, 7, job->ended_ms);
    sqlite3_bind_int64(stmt, 8, job->rate);
    sqlite3_bind_int64(stmt, 9, job->total);
    sqlite3_bind_int64(stmt, 10, job->moved);
    sqlite3_bind_int64(stmt, 11, job->after.seq);
    sqlite3_bind_int64(stmt, 12, job->after.plugin);
    int rc = sqlite_run(engine, query, err);
    if (rc == RC_OK && query == QUERY_NEW_JOB) {
        job->id = sqlite3_last_insert_rowid(engine->db);
    }
    return rc;
}

static int
each_item(struct sqlite_engine *engine, struct inbox_action *action,
          struct error *err)
{
    int rc = RC_OK;
    for (size_t i = 0; i < action->item_count && rc == RC_OK; i++) {
        rc = action->kind == INBOX_REPLAY_ALL
                 ? replay(engine, action, &action->items[i], err)
                 : discard(engine, action, &action->items[i], err);
    }
    return rc;
}

int
sqlite_act(struct sqlite_engine *engine, struct inbox_action *action,
           struct error *err)
{
    int rc = RC_OK;
    action->changed = 0;
    if (action->job != NULL) {
        rc = keep_job(engine, action->job, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    switch (action->kind) {
    case INBOX_PAUSE:
        return keep_pause(engine, action, err);
    case INBOX_KEEP_HELD:
        return keep_held(engine, action, err);
    case INBOX_REPLAY_ALL:
    case INBOX_DISCARD_ALL:
        return each_item(engine, action, err);
    case INBOX_KEEP_JOB:
        return RC_OK;
    }
    return RC_OK;
}
