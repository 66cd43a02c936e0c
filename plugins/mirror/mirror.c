/* plugins/mirror: keeps the newest state of every Stripe object in a database.
 * SPDX-License-Identifier: Apache-2.0 */
#include "apply.h"

#include <pegboard/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MARGIN_MS     500 /* between our deadline and the runner's end */
#define SOON_ATTEMPTS 4   /* with delays of our own: this, and double each */
#define SOON_MS       INT64_C(1000)

static const peg_option options[] = {
    {"dsn", PEG_OPTION_STRING, PEG_OPTION_REQUIRED | PEG_OPTION_SECRET, NULL,
     "the database: sqlite:/path/to/file or postgresql://user:pw@host/name"},
    {"timeout", PEG_OPTION_DURATION, 0, "5s",
     "for an event, its connection included"},
};

/* The database is not asked: one that is down must not keep Pegboard from
 * starting or reloading. */
static int32_t
init(peg_ctx *ctx)
{
    peg_str dsn;
    int64_t timeout_ms;
    if (peg_option_str(ctx, "dsn", &dsn) != PEG_OK ||
        peg_option_i64(ctx, "timeout", &timeout_ms) != PEG_OK ||
        timeout_ms <= 0) {
        peg_error(ctx, "timeout must be above 0");
        return 1;
    }
    struct sql *db = NULL;
    if (strncmp(dsn.ptr, "sqlite:/", 8) == 0) {
        db = sqlite_new(dsn.ptr + strlen("sqlite:"));
    } else if (strncmp(dsn.ptr, "postgresql://", 13) == 0 ||
               strncmp(dsn.ptr, "postgres://", 11) == 0) {
        db = postgres_new(dsn.ptr);
    }
    if (db == NULL) { /* what it is instead is a secret */
        peg_error(ctx, "dsn is neither sqlite:/path (with its slash) nor a "
                       "whole postgresql:// URL (with / as %%2F and @ as %%40 "
                       "in its password)");
        return 1;
    }
    ctx->user = db;
    return 0;
}

/* Short at first, since most databases are back soon. Then the delays that
 * `retry` has in the INI file count, so that hours without a database do not
 * use up the attempts. */
static void
delay(const peg_event *ev)
{
    int64_t attempt;
    if (peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) == PEG_OK &&
        attempt >= 1 && attempt <= SOON_ATTEMPTS) {
        peg_retry_after(ev, SOON_MS << (attempt - 1));
    }
}

static int
apply(const struct change *change, struct sql *db, int64_t within_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    db->until_ms =
        now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000 + within_ms;
    int rc = change_apply(change, db);
    if (rc == SQL_DOWN && db->kept && sql_left_ms(db) > 0) {
        rc = change_apply(change, db); /* it may be back already */
    }
    return rc;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    struct sql *db = ctx->user;
    struct change change;
    int32_t verdict = change_read(&change, ev);
    if (verdict != PEG_DONE) {
        return verdict;
    }
    int64_t timeout_ms, left_ms = peg_ms_left(ev) - MARGIN_MS;
    if (peg_option_i64(ctx, "timeout", &timeout_ms) != PEG_OK || left_ms <= 0) {
        peg_reason(ev, "no time is left for it");
        return PEG_RETRY;
    }
    int rc = apply(&change, db, timeout_ms < left_ms ? timeout_ms : left_ms);
    if (rc == SQL_OK) {
        return PEG_DONE;
    }
    peg_reason(ev, "%s", db->why);
    if (rc == SQL_BAD) {
        return PEG_FAIL;
    }
    delay(ev);
    return PEG_RETRY;
}

static void
shut_down(peg_ctx *ctx)
{
    sql_free(ctx->user);
    ctx->user = NULL;
}

PEG_PLUGIN(.name = "mirror", .version = "1.0",
           .summary = "keeps the newest state of every Stripe object in SQL",
           PEG_EVENTS("*"), PEG_OPTIONS(options), .init = init,
           .handle = handle, .shutdown = shut_down);
