/* core/inbox/sqlite_result.c: taking the ends of attempts back, inside a
 * batch's transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"
#include "inbox/cause.h"

#include <stdio.h>
#include <string.h>

static void
bind_text_or_null(sqlite3_stmt *stmt, int at, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        sqlite_bind_cstr(stmt, at, text);
    } else {
        sqlite3_bind_null(stmt, at);
    }
}

static int
is_accident(const struct inbox_result *result)
{
    return result->outcome == INBOX_CRASH || result->outcome == INBOX_TIMEOUT;
}

int
sqlite_log_attempt(struct sqlite_engine *engine,
                   const struct inbox_result *result, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_PUT_ATTEMPT];
    sqlite3_bind_int64(stmt, 1, result->seq);
    sqlite3_bind_int64(stmt, 2, result->plugin);
    sqlite3_bind_int64(stmt, 3, result->attempt);
    sqlite3_bind_int64(stmt, 4, result->started_ms);
    sqlite3_bind_int64(stmt, 5, result->duration_us);
    sqlite3_bind_int(stmt, 6, (int)result->outcome);
    bind_text_or_null(stmt, 7, result->note);
    for (int at = 8; at <= 11; at++) {
        sqlite3_bind_null(stmt, at);
    }
    if (is_accident(result)) {
        if (result->signal != 0) {
            sqlite3_bind_int(stmt, 8, result->signal);
        }
        bind_text_or_null(stmt, 9, result->evidence);
        bind_text_or_null(stmt, 10, result->digest);
        sqlite3_bind_int64(stmt, 11, result->generation);
    }
    return sqlite_run(engine, QUERY_PUT_ATTEMPT, err);
}

/* ---- The delivery --------------------------------------------------- */

static void
bind_lease(sqlite3_stmt *stmt, const struct inbox_result *result)
{
    sqlite3_bind_int64(stmt, 1, result->seq);
    sqlite3_bind_int64(stmt, 2, result->plugin);
    sqlite3_bind_int64(stmt, 3, result->lease);
}

/* Run one of the queries that change a leased delivery and return its lane.
 * `*found` is 0 when the lease is another's by now. */
static int
change_leased(struct sqlite_engine *engine, enum sqlite_query query,
              char lane[LANE_MAX], int *found, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[query];
    int code = sqlite3_step(stmt);
    *found = code == SQLITE_ROW;
    if (*found) {
        snprintf(lane, LANE_MAX, "%s",
                 (const char *)sqlite3_column_text(stmt, 0));
        code = sqlite3_step(stmt);
    }
    int rc = code == SQLITE_DONE
                 ? RC_OK
                 : sqlite_failure(engine, err, "cannot write a verdict");
    sqlite3_reset(stmt);
    return rc;
}

static enum sqlite_query
bind_end(struct sqlite_engine *engine, const struct inbox_batch *batch,
         const struct inbox_result *result, char cause[CAUSE_MAX + 1])
{
    enum sqlite_query query = result->next == INBOX_CLOSE   ? QUERY_CLOSE
                              : result->next == INBOX_AGAIN ? QUERY_RESCHEDULE
                                                            : QUERY_BURY;
    sqlite3_stmt *stmt = engine->queries[query];
    bind_lease(stmt, result);
    if (query != QUERY_CLOSE) {
        sqlite3_bind_int(stmt, 4, result->spare != 0);
        sqlite3_bind_int64(stmt, 5, result->crashes);
        sqlite3_bind_int64(
            stmt, 6, query == QUERY_BURY ? batch->now_ms : result->due_ms);
    }
    if (query == QUERY_BURY) {
        cause_of(cause, result->note);
        sqlite3_bind_int(stmt, 7, (int)result->outcome);
        sqlite_bind_cstr(stmt, 8, cause);
    }
    return query;
}

static int
count_job(struct sqlite_engine *engine, const struct inbox_result *result,
          struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_COUNT_JOB];
    sqlite3_bind_int64(stmt, 1, result->job);
    sqlite3_bind_int(stmt, 2, result->next == INBOX_CLOSE);
    sqlite3_bind_int(stmt, 3, result->next == INBOX_BURY);
    return sqlite_run(engine, QUERY_COUNT_JOB, err);
}

static int
end_attempt(struct sqlite_engine *engine, struct inbox_batch *batch,
            const struct inbox_result *result, struct error *err)
{
    char lane[LANE_MAX], cause[CAUSE_MAX + 1];
    int found;
    enum sqlite_query query = bind_end(engine, batch, result, cause);
    int rc = change_leased(engine, query, lane, &found, err);
    if (rc != RC_OK || !found) {
        return rc; /* a stale lease changes nothing and logs nothing */
    }
    batch->closed += query != QUERY_RESCHEDULE;
    batch->buried += query == QUERY_BURY;
    rc = sqlite_log_attempt(engine, result, err);
    if (rc == RC_OK && result->job != 0 && query != QUERY_RESCHEDULE) {
        rc = count_job(engine, result, err);
    }
    return rc == RC_OK ? sqlite_lane_leave(engine, result->plugin, lane,
                                           query == QUERY_RESCHEDULE, err)
                       : rc;
}

/* ---- With changes to the plugin's store ----------------------------- */

static int
is_leased(struct sqlite_engine *engine, const struct inbox_result *result,
          int *out, struct error *err)
{
    int64_t leased;
    bind_lease(engine->queries[QUERY_IS_LEASED], result);
    int rc = sqlite_number(engine, QUERY_IS_LEASED, &leased, err);
    *out = rc == RC_OK && leased != 0;
    return rc;
}

/* The changes and the verdict, or neither. That others were faster is not the
 * event's fault, and does not count; without room nothing would ever end it. */
static int
end_with_changes(struct sqlite_engine *engine, struct inbox_batch *batch,
                 const struct inbox_result *result, struct error *err)
{
    struct sqlite_refusal refusal;
    int leased;
    int rc = is_leased(engine, result, &leased, err);
    if (rc != RC_OK || !leased) {
        return rc;
    }
    rc = sqlite_change(engine, result->plugin, result->changes, &refusal, err);
    if (rc != RC_OK || refusal.text[0] == '\0') {
        return rc == RC_OK ? end_attempt(engine, batch, result, err) : rc;
    }
    struct inbox_result refused = *result;
    snprintf(refused.note, sizeof(refused.note), "%s", refusal.text);
    refused.outcome = INBOX_RETRY;
    refused.next =
        refusal.is_full && result->is_last ? INBOX_BURY : INBOX_AGAIN;
    if (!refusal.is_full) {
        refused.spare = 1;
        refused.due_ms = batch->now_ms;
    }
    return end_attempt(engine, batch, &refused, err);
}

/* ---- With the last crash -------------------------------------------- */

/* It counts as the last one of those that a delivery may have; but if the
 * plugin became another program meanwhile, it is that one's first. */
static int
end_with_crash(struct sqlite_engine *engine, struct inbox_batch *batch,
               const struct inbox_result *result, struct error *err)
{
    int64_t forgot;
    bind_lease(engine->queries[QUERY_FORGOT], result);
    int rc = sqlite_number(engine, QUERY_FORGOT, &forgot, err);
    if (rc != RC_OK || forgot == 0) {
        return rc == RC_OK ? end_attempt(engine, batch, result, err) : rc;
    }
    struct inbox_result first = *result;
    size_t len = strlen(first.note);
    snprintf(first.note + len, sizeof(first.note) - len,
             "; runs again: the plugin is another program now");
    first.next = INBOX_AGAIN;
    return end_attempt(engine, batch, &first, err);
}

int
sqlite_result(struct sqlite_engine *engine, struct inbox_batch *batch,
              const struct inbox_result *result, struct error *err)
{
    if (result->next == INBOX_UNDO) {
        bind_lease(engine->queries[QUERY_UNDO], result);
        return sqlite_run(engine, QUERY_UNDO, err);
    }
    if (result->changes != NULL && result->outcome == INBOX_DONE) {
        return end_with_changes(engine, batch, result, err);
    }
    if (is_accident(result) && result->next == INBOX_BURY && !result->is_last) {
        return end_with_crash(engine, batch, result, err);
    }
    return end_attempt(engine, batch, result, err);
}
