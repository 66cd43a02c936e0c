/* core/inbox/view_rows.c: what belongs to one event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include <string.h>

/* Shows the row that the statement stands on; not 0: enough. */
typedef int row_fn(struct view *view, sqlite3_stmt *stmt, void *arg);

struct row_of { /* whose callback it is */
    union {
        view_delivery_fn *delivery;
        view_attempt_fn *attempt;
        view_receipt_fn *receipt;
    } fn;
    void *arg;
    const char *event_id, *type;
};

static int
show_all(struct view *view, sqlite3_stmt *stmt, row_fn *fn, void *arg,
         struct error *err)
{
    int row;
    int rc = view_step(view, stmt, &row, err);
    while (rc == RC_OK && row && fn(view, stmt, arg) == 0) {
        rc = view_step(view, stmt, &row, err);
    }
    return rc;
}

/* A whole call: a query with up to two numbers, and each of its rows shown. */
static int
run(struct view *view, const char *text, int64_t first, int64_t second,
    row_fn *fn, void *arg, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = view_prepare(view, text, &stmt, err);
    }
    if (rc == RC_OK) {
        /* Those that the query has not are refused, which is no matter. */
        sqlite3_bind_int64(stmt, 1, first);
        sqlite3_bind_int64(stmt, 2, second);
        rc = show_all(view, stmt, fn, arg, err);
    }
    sqlite3_finalize(stmt);
    return view_end(view, rc);
}

/* ---- Deliveries ----------------------------------------------------- */

static int
show_delivery(struct view *view, sqlite3_stmt *stmt, void *arg)
{
    const struct row_of *of = arg;
    int stored = sqlite3_column_type(stmt, VIEW_COL_STATE) == SQLITE_NULL
                     ? -1
                     : sqlite3_column_int(stmt, VIEW_COL_STATE);
    uint32_t plugin = (uint32_t)sqlite3_column_int64(stmt, VIEW_COL_PLUGIN);
    int attempts = stored < 0 ? VIEW_COL_TRIED : VIEW_COL_ATTEMPT;
    struct view_delivery row = {
        .seq = sqlite3_column_int64(stmt, VIEW_COL_SEQ),
        .event_id = of->event_id,
        .type = of->type,
        .plugin = view_plugin_name(view, plugin),
        .plugin_id = plugin,
        .state = view_state_of_row(view, stmt),
        .attempts = (uint32_t)sqlite3_column_int64(stmt, attempts),
        .spared = (uint32_t)sqlite3_column_int64(stmt, VIEW_COL_SPARED),
        .crashes = (uint32_t)sqlite3_column_int64(stmt, VIEW_COL_CRASHES),
        .last_outcome =
            sqlite3_column_type(stmt, VIEW_COL_OUTCOME) == SQLITE_NULL
                ? -1
                : sqlite3_column_int(stmt, VIEW_COL_OUTCOME),
        .note = view_text(stmt, VIEW_COL_NOTE),
        .cause = "",
    };
    if (stored == INBOX_WAITING) {
        row.due_ms = sqlite3_column_int64(stmt, VIEW_COL_DUE);
    } else if (stored == INBOX_DEAD) {
        row.died_ms = sqlite3_column_int64(stmt, VIEW_COL_DIED);
        row.cause = view_text(stmt, VIEW_COL_CAUSE);
    }
    return of->fn.delivery(of->arg, &row);
}

int
view_deliveries(struct view *view, int64_t seq, view_delivery_fn *fn, void *arg,
                struct error *err)
{
    struct row_of of = {.fn.delivery = fn, .arg = arg};
    sqlite3_stmt *event = NULL;
    int row = 0;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = view_prepare(view,
                          "SELECT event_id, type FROM event WHERE seq = ?1",
                          &event, err);
    }
    if (rc == RC_OK) {
        sqlite3_bind_int64(event, 1, seq);
        rc = view_step(view, event, &row, err);
    }
    if (rc == RC_OK && row) {
        of.event_id = view_text(event, 0);
        of.type = view_text(event, 1);
        rc = run(view, view_deliveries_text, seq, 0, show_delivery, &of, err);
    }
    sqlite3_finalize(event);
    return view_end(view, rc);
}

/* ---- Attempts and receipts ------------------------------------------ */

static int
show_attempt(struct view *view, sqlite3_stmt *stmt, void *arg)
{
    const struct row_of *of = arg;
    struct view_attempt row = {
        .seq = sqlite3_column_int64(stmt, 0),
        .plugin =
            view_plugin_name(view, (uint32_t)sqlite3_column_int64(stmt, 1)),
        .n = (uint32_t)sqlite3_column_int64(stmt, 2),
        .started_ms = sqlite3_column_int64(stmt, 3),
        .duration_us = sqlite3_column_int64(stmt, 4),
        .outcome = (enum inbox_outcome)sqlite3_column_int(stmt, 5),
        .note = view_text(stmt, 6),
        .signal = sqlite3_column_int(stmt, 7),
        .evidence = view_text(stmt, 8),
        .digest = view_text(stmt, 9),
        .generation = (unsigned)sqlite3_column_int64(stmt, 10),
    };
    return of->fn.attempt(of->arg, &row);
}

int
view_attempts(struct view *view, int64_t seq, const char *plugin,
              view_attempt_fn *fn, void *arg, struct error *err)
{
    static const char text[] =
        "SELECT seq, plugin, n, started_ms, duration_us, outcome, note,"
        " signal, evidence, digest, generation FROM attempt"
        " WHERE seq = ?1 AND (?2 = 0 OR plugin = ?2) ORDER BY plugin, n";
    struct row_of of = {.fn.attempt = fn, .arg = arg};
    int64_t id = plugin == NULL ? 0 : -1; /* -1: nobody's */
    int rc = view_begin(view, err);
    for (size_t i = 0; rc == RC_OK && plugin && i < view->known_count; i++) {
        if (strcmp(view->known[i].name, plugin) == 0) {
            id = view->known[i].id;
        }
    }
    if (rc == RC_OK) {
        rc = run(view, text, seq, id, show_attempt, &of, err);
    }
    return view_end(view, rc);
}

static int
show_receipt(struct view *view, sqlite3_stmt *stmt, void *arg)
{
    (void)view;
    const struct row_of *of = arg;
    struct view_receipt row = {
        .received_ms = sqlite3_column_int64(stmt, 0),
        .signed_s = sqlite3_column_int64(stmt, 1),
        .endpoint = view_text(stmt, 2),
        .secret = view_text(stmt, 3),
        .conflict = sqlite3_column_type(stmt, 4) != SQLITE_NULL,
        .conflict_bytes = sqlite3_column_int64(stmt, 4),
    };
    return of->fn.receipt(of->arg, &row);
}

int
view_receipts(struct view *view, int64_t seq, view_receipt_fn *fn, void *arg,
              struct error *err)
{
    struct row_of of = {.fn.receipt = fn, .arg = arg};
    return run(view,
               "SELECT received_ms, signed_s, endpoint, secret,"
               " length(conflict) FROM receipt WHERE seq = ?1 ORDER BY id",
               seq, 0, show_receipt, &of, err);
}
