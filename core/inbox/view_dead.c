/* core/inbox/view_dead.c: dead letters by cause.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

/* The order of the join is said, CROSS JOIN: from the index of dead letters, or
 * from the few events that the filter names. */
static void
add_groups(struct view_sql *sql, const struct view_scope *scope)
{
    const struct view_filter *filter = scope->filter;
    view_sql_add(sql,
                 "SELECT d.plugin, e.type, d.outcome, coalesce(d.cause, ''),"
                 " count(*), min(d.died_ms), max(d.died_ms), max(d.seq) FROM ");
    if (view_has_key(filter)) {
        view_sql_add(sql, "event e CROSS JOIN delivery d ON d.seq = e.seq"
                          " WHERE +d.state = 3");
        view_where_key(sql, filter);
    } else {
        view_sql_add(sql, "delivery d INDEXED BY delivery_dead"
                          " CROSS JOIN event e ON e.seq = d.seq"
                          " WHERE d.state = 3");
        view_where_range(sql, scope, "d.seq");
    }
    if (scope->plugin != 0) {
        view_sql_add(sql, " AND d.plugin = ");
        view_sql_number(sql, scope->plugin);
    }
    view_where_rest(sql, filter);
    view_sql_add(sql, " GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4");
}

/* The newest of a group: its id, and what its last attempt said. */
static const char sample_text[] =
    "SELECT e.event_id, (SELECT note FROM attempt WHERE seq = ?1"
    "  AND plugin = ?2 ORDER BY n DESC LIMIT 1)"
    " FROM event e WHERE e.seq = ?1";

static int
show_group(struct view *view, sqlite3_stmt *groups, sqlite3_stmt *sample,
           view_dead_fn *fn, void *arg, int *stop, struct error *err)
{
    uint32_t plugin = (uint32_t)sqlite3_column_int64(groups, 0);
    int found;
    sqlite3_bind_int64(sample, 1, sqlite3_column_int64(groups, 7));
    sqlite3_bind_int64(sample, 2, plugin);
    int rc = view_step(view, sample, &found, err);
    if (rc == RC_OK) {
        struct view_dead row = {
            .plugin = view_plugin_name(view, plugin),
            .type = view_text(groups, 1),
            .outcome = (enum inbox_outcome)sqlite3_column_int(groups, 2),
            .cause = view_text(groups, 3),
            .count = sqlite3_column_int64(groups, 4),
            .first_ms = sqlite3_column_int64(groups, 5),
            .last_ms = sqlite3_column_int64(groups, 6),
            .sample_id = found ? view_text(sample, 0) : "",
            .sample_note = found ? view_text(sample, 1) : "",
        };
        *stop = fn(arg, &row);
    }
    sqlite3_reset(sample);
    return rc;
}

static int
show_groups(struct view *view, const struct view_scope *scope, view_dead_fn *fn,
            void *arg, struct error *err)
{
    struct view_sql sql;
    sqlite3_stmt *groups = NULL, *sample = NULL;
    int row = 0, stop = 0;
    view_sql_init(&sql);
    add_groups(&sql, scope);
    int rc = view_sql_prepare(view, &sql, &groups, err);
    if (rc == RC_OK) {
        rc = view_prepare(view, sample_text, &sample, err);
    }
    while (rc == RC_OK && !stop) {
        rc = view_step(view, groups, &row, err);
        if (rc != RC_OK || !row) {
            break;
        }
        rc = show_group(view, groups, sample, fn, arg, &stop, err);
    }
    sqlite3_finalize(groups);
    sqlite3_finalize(sample);
    view_sql_fini(&sql);
    return rc;
}

int
view_dead(struct view *view, const struct view_filter *filter, view_dead_fn *fn,
          void *arg, struct error *err)
{
    struct view_scope scope;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = view_scope_init(view, &scope, filter, 1, err);
    }
    if (rc == RC_OK && !scope.none &&
        view_state_passes(filter->state, VIEW_DEAD)) {
        rc = show_groups(view, &scope, fn, arg, err);
    }
    return view_end(view, rc);
}
