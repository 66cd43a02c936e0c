/* core/inbox/view_state.c: what became of a delivery, in one word.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[VIEW_STATE_COUNT + 1] = {
    [VIEW_QUEUED] = "queued",       [VIEW_RUNNING] = "running",
    [VIEW_RETRYING] = "retrying",   [VIEW_HELD] = "held",
    [VIEW_ORPHANED] = "orphaned",   [VIEW_DONE] = "done",
    [VIEW_SKIPPED] = "skipped",     [VIEW_DEAD] = "dead",
    [VIEW_DISCARDED] = "discarded", [VIEW_UNROUTED] = "unrouted",
    [VIEW_STATE_COUNT] = "pending",
};

const char *
view_state_name(enum view_state state)
{
    return names[state];
}

int
view_state_parse(const char *name)
{
    for (int i = 0; i <= VIEW_STATE_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

int
view_state_is_live(int state)
{
    return state == VIEW_STATE_COUNT || state == VIEW_DEAD ||
           (state >= VIEW_QUEUED && state <= VIEW_ORPHANED);
}

int
view_state_passes(int wanted, enum view_state state)
{
    return wanted < 0 || wanted == (int)state ||
           (wanted == VIEW_STATE_COUNT && state <= VIEW_ORPHANED);
}

int
view_state_worse(enum view_state a, enum view_state b)
{
    static const int badness[VIEW_STATE_COUNT] = {
        [VIEW_UNROUTED] = 0,  [VIEW_DONE] = 1,   [VIEW_SKIPPED] = 2,
        [VIEW_DISCARDED] = 3, [VIEW_QUEUED] = 4, [VIEW_RUNNING] = 5,
        [VIEW_RETRYING] = 6,  [VIEW_HELD] = 7,   [VIEW_ORPHANED] = 8,
        [VIEW_DEAD] = 9,
    };
    return badness[a] > badness[b];
}

enum view_state
view_state_of(const struct view *view, uint32_t plugin, int stored)
{
    const struct view_known *known = view_known_of(view, plugin);
    if (stored == INBOX_DEAD) {
        return VIEW_DEAD;
    }
    if (stored == INBOX_LEASED) {
        return VIEW_RUNNING;
    }
    if (known != NULL && known->mode == VIEW_GONE) {
        return VIEW_ORPHANED;
    }
    if (known != NULL && known->mode == VIEW_PAUSED) {
        return VIEW_HELD;
    }
    return stored == INBOX_WAITING ? VIEW_RETRYING : VIEW_QUEUED;
}

static enum view_state
ended(int outcome)
{
    return outcome == INBOX_DISCARD ? VIEW_DISCARDED
           : outcome == INBOX_SKIP  ? VIEW_SKIPPED
                                    : VIEW_DONE;
}

/* ---- All that an event has ------------------------------------------ */

int
view_stands_open(struct view *view, struct view_stands *stands,
                 struct error *err)
{
    stands->of = calloc(view->known_count + 1, sizeof(*stands->of));
    if (stands->of == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    return view_prepare(view,
                        "SELECT plugin, n, outcome, NULL FROM attempt"
                        " WHERE seq = ?1 UNION ALL"
                        " SELECT plugin, NULL, NULL, state FROM delivery"
                        " WHERE seq = ?1",
                        &stands->stmt, err);
}

void
view_stands_close(struct view_stands *stands)
{
    sqlite3_finalize(stands->stmt);
    free(stands->of);
}

static void
add_stand(const struct view *view, struct view_stands *stands)
{
    sqlite3_stmt *stmt = stands->stmt;
    const struct view_known *known =
        view_known_of(view, (uint32_t)sqlite3_column_int64(stmt, 0));
    if (known == NULL) {
        return; /* plugins are never removed */
    }
    struct view_stand *stand = &stands->of[known - view->known];
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL) {
        stand->stored = sqlite3_column_int(stmt, 3);
    } else if (stand->outcome < 0 || sqlite3_column_int64(stmt, 1) > stand->n) {
        stand->n = sqlite3_column_int64(stmt, 1);
        stand->outcome = sqlite3_column_int(stmt, 2);
    }
}

int
view_stands_read(struct view *view, struct view_stands *stands, int64_t seq,
                 struct error *err)
{
    int row;
    for (size_t i = 0; i < view->known_count; i++) {
        stands->of[i] = (struct view_stand){.stored = -1, .outcome = -1};
    }
    sqlite3_bind_int64(stands->stmt, 1, seq);
    int rc = view_step(view, stands->stmt, &row, err);
    while (rc == RC_OK && row) {
        add_stand(view, stands);
        rc = view_step(view, stands->stmt, &row, err);
    }
    sqlite3_reset(stands->stmt);
    return rc;
}

int
view_stand_state(const struct view *view, const struct view_stands *stands,
                 size_t i)
{
    const struct view_stand *stand = &stands->of[i];
    return stand->stored >= 0
               ? (int)view_state_of(view, view->known[i].id, stand->stored)
           : stand->outcome >= 0 ? (int)ended(stand->outcome)
                                 : -1;
}

/* ---- One by one, with all there is to say --------------------------- */

/* Whoever has no row any more has ended, and the last attempt says how. Bare
 * columns beside max() are those of the row that has it: SQLite promises so.
 * The join brings one row of `delivery` at most. */
const char view_deliveries_text[] =
    "SELECT a.plugin, max(a.n), a.outcome, a.note, sum(a.outcome <> 7),"
    " d.state, d.attempt, d.spared, d.crashes, d.due_ms, d.died_ms, d.cause, ?1"
    " FROM attempt a LEFT JOIN delivery d"
    "  ON d.seq = a.seq AND d.plugin = a.plugin"
    " WHERE a.seq = ?1 GROUP BY a.plugin"
    " UNION ALL"
    " SELECT d.plugin, NULL, NULL, NULL, 0,"
    " d.state, d.attempt, d.spared, d.crashes, d.due_ms, d.died_ms, d.cause, ?1"
    " FROM delivery d WHERE d.seq = ?1 AND NOT EXISTS("
    "  SELECT 1 FROM attempt a WHERE a.seq = d.seq AND a.plugin = d.plugin)"
    " ORDER BY 1";

enum view_state
view_state_of_row(const struct view *view, sqlite3_stmt *stmt)
{
    if (sqlite3_column_type(stmt, VIEW_COL_STATE) != SQLITE_NULL) {
        return view_state_of(
            view, (uint32_t)sqlite3_column_int64(stmt, VIEW_COL_PLUGIN),
            sqlite3_column_int(stmt, VIEW_COL_STATE));
    }
    return ended(sqlite3_column_int(stmt, VIEW_COL_OUTCOME));
}
