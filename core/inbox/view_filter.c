/* core/inbox/view_filter.c: what is asked for, as conditions on events (e) and
 * deliveries (d).
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include <string.h>

/* Events come in the order of seq, and nearly in that of received_ms: by how
 * much the wall clock may have been set back and forth in all, and listings by
 * time still be whole. Looking through two more days costs little. */
#define SLACK_MS (2 * 24 * 3600 * 1000LL)

/* So many plugins at most have a part of their own in a query; SQLite takes
 * 500. */
#define PARTS_MAX 200

void
view_filter_init(struct view_filter *filter)
{
    *filter = (struct view_filter){.state = -1, .livemode = -1};
}

/* ---- Scope ---------------------------------------------------------- */

/* How those states stand in the table of deliveries. */
static const struct {
    const char *stored;
    int modes; /* of the plugin */
} live_states[VIEW_STATE_COUNT + 1] = {
    [VIEW_QUEUED] = {"(0, 2)", VIEW_SERVED},
    [VIEW_RUNNING] = {"(1)", VIEW_ANY_MODE},
    [VIEW_RETRYING] = {"(4)", VIEW_SERVED},
    [VIEW_HELD] = {"(0, 2, 4)", VIEW_PAUSED},
    [VIEW_ORPHANED] = {"(0, 2, 4)", VIEW_GONE},
    [VIEW_DEAD] = {"(3)", VIEW_ANY_MODE},
    [VIEW_STATE_COUNT] = {"(0, 1, 2, 4)", VIEW_ANY_MODE},
};

/* The first seq from which on received_ms is at least `ms`, if the clock had
 * never been set; else one of the places where it passes `ms`. */
static int
find_time(struct view *view, int64_t ms, int64_t *seq, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int64_t low = 0, high = INT64_MAX;
    int row;
    int rc = view_prepare(view,
                          "SELECT seq, received_ms FROM event WHERE seq >= ?1"
                          " ORDER BY seq LIMIT 1",
                          &stmt, err);
    while (rc == RC_OK && high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        sqlite3_bind_int64(stmt, 1, middle);
        rc = view_step(view, stmt, &row, err);
        if (rc == RC_OK && row && sqlite3_column_int64(stmt, 1) < ms) {
            low = sqlite3_column_int64(stmt, 0);
        } else {
            high = middle;
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    *seq = high;
    return rc;
}

static int
set_range(struct view *view, struct view_scope *scope, struct error *err)
{
    const struct view_filter *filter = scope->filter;
    int rc = RC_OK;
    scope->low = 0;
    scope->high = INT64_MAX;
    if (view_has_key(filter)) {
        return RC_OK; /* few, and found otherwise */
    }
    if (filter->received_after_ms > SLACK_MS) {
        rc = find_time(view, filter->received_after_ms - SLACK_MS, &scope->low,
                       err);
        scope->low--;
    }
    if (rc == RC_OK && filter->received_before_ms > 0 &&
        filter->received_before_ms < INT64_MAX - SLACK_MS) {
        rc = find_time(view, filter->received_before_ms + SLACK_MS,
                       &scope->high, err);
    }
    return rc;
}

/* Whether any plugin is in one of these modes, and is `name` unless NULL. */
static int
find_plugin(const struct view *view, const char *name, int modes, uint32_t *id)
{
    for (size_t i = 0; i < view->known_count; i++) {
        const struct view_known *known = &view->known[i];
        if ((modes & (int)known->mode) != 0 &&
            (name == NULL || strcmp(name, known->name) == 0)) {
            *id = known->id;
            return 1;
        }
    }
    return 0;
}

int
view_scope_init(struct view *view, struct view_scope *scope,
                const struct view_filter *filter, int whole, struct error *err)
{
    *scope = (struct view_scope){
        .filter = filter, .state = -1, .modes = VIEW_ANY_MODE};
    if (whole) {
        uint32_t id = 0;
        scope->state = filter->state;
        if (view_state_is_live(scope->state)) {
            scope->modes = live_states[scope->state].modes;
        }
        if (filter->plugin != NULL || scope->modes != VIEW_ANY_MODE) {
            scope->none = !find_plugin(view, filter->plugin, scope->modes, &id);
        }
        if (filter->plugin != NULL) {
            scope->plugin = id;
            scope->none |= scope->state == VIEW_UNROUTED;
        }
    }
    return scope->none ? RC_OK : set_range(view, scope, err);
}

/* ---- Events --------------------------------------------------------- */

int
view_has_key(const struct view_filter *filter)
{
    return filter->id_count > 0 ||
           (filter->object_id != NULL && filter->object_id[0] != '\0') ||
           (filter->customer != NULL && filter->customer[0] != '\0');
}

/* The indexes leave out events without an object or customer, and SQLite uses
 * one only if it is said that these are not asked for. */
void
view_where_key(struct view_sql *sql, const struct view_filter *filter)
{
    if (filter->id_count > 0) {
        view_sql_add(sql, " AND e.event_id IN (");
        for (size_t i = 0; i < filter->id_count; i++) {
            view_sql_add(sql, i == 0 ? "" : ", ");
            view_sql_text(sql, filter->ids[i]);
        }
        view_sql_add(sql, ")");
    } else if (filter->object_id != NULL && filter->object_id[0] != '\0') {
        view_sql_add(sql, " AND e.object_id <> '' AND e.object_id = ");
        view_sql_text(sql, filter->object_id);
    } else if (filter->customer != NULL && filter->customer[0] != '\0') {
        view_sql_add(sql, " AND e.customer <> '' AND e.customer = ");
        view_sql_text(sql, filter->customer);
    }
}

/* As event_type_matches(): brackets are plain, and the star of "prefix.*"
 * stands for something. '/' is the byte behind '.'. */
static void
add_type(struct view_sql *sql, const char *pattern)
{
    size_t len = strlen(pattern);
    if (strcmp(pattern, "*") == 0) {
        view_sql_add(sql, "1");
    } else if (len > 2 && strcmp(pattern + len - 2, ".*") == 0) {
        view_sql_range(sql, "e.type", pattern, len - 1, '/');
    } else {
        view_sql_add(sql, "e.type = ");
        view_sql_text(sql, pattern);
    }
}

static void
add_text(struct view_sql *sql, const char *condition, const char *text)
{
    if (text != NULL) {
        view_sql_add(sql, condition);
        view_sql_text(sql, text);
    }
}

static void
add_bound(struct view_sql *sql, const char *condition, int64_t bound)
{
    if (bound != 0) {
        view_sql_add(sql, condition);
        view_sql_number(sql, bound);
    }
}

/* The plus keeps the indexes out: which one counts is said by the key. */
void
view_where_rest(struct view_sql *sql, const struct view_filter *filter)
{
    add_text(sql, " AND +e.object_id = ", filter->object_id);
    add_text(sql, " AND +e.customer = ", filter->customer);
    add_text(sql, " AND e.account = ", filter->account);
    for (size_t i = 0; i < filter->type_count; i++) {
        view_sql_add(sql, i == 0 ? " AND (" : " OR ");
        add_type(sql, filter->types[i]);
    }
    view_sql_add(sql, filter->type_count > 0 ? ")" : "");
    if (filter->livemode >= 0) {
        view_sql_add(sql, " AND e.livemode = ");
        view_sql_number(sql, filter->livemode != 0);
    }
    add_bound(sql, " AND e.received_ms >= ", filter->received_after_ms);
    add_bound(sql, " AND e.received_ms < ", filter->received_before_ms);
    add_bound(sql, " AND e.created_s >= ", filter->created_after_s);
    add_bound(sql, " AND e.created_s < ", filter->created_before_s);
}

void
view_where_range(struct view_sql *sql, const struct view_scope *scope,
                 const char *column)
{
    view_sql_add(sql, " AND ");
    view_sql_add(sql, column);
    view_sql_add(sql, " > ");
    view_sql_number(sql, scope->low);
    view_sql_add(sql, " AND ");
    view_sql_add(sql, column);
    view_sql_add(sql, " < ");
    view_sql_number(sql, scope->high);
}

int
view_prepare_check(struct view *view, const struct view_filter *filter,
                   sqlite3_stmt **out, struct error *err)
{
    struct view_sql sql;
    view_sql_init(&sql);
    view_sql_add(&sql, "SELECT 1 FROM event e WHERE e.seq = ");
    view_sql_number(&sql, 0);
    view_where_rest(&sql, filter);
    int rc = view_sql_prepare(view, &sql, out, err);
    view_sql_fini(&sql);
    return rc;
}

/* ---- Deliveries ----------------------------------------------------- */

/* " AND COLUMN = ?", or IN (...), or nothing if any plugin will do. */
static void
add_plugins(struct view_sql *sql, const struct view *view,
            const struct view_scope *scope, const char *column)
{
    if (scope->plugin == 0 && scope->modes == VIEW_ANY_MODE) {
        return;
    }
    view_sql_add(sql, " AND ");
    view_sql_add(sql, column);
    view_sql_add(sql, " IN (");
    int count = 0;
    for (size_t i = 0; i < view->known_count; i++) {
        const struct view_known *known = &view->known[i];
        if (scope->plugin == 0 ? (scope->modes & (int)known->mode) != 0
                               : scope->plugin == known->id) {
            view_sql_add(sql, count++ == 0 ? "" : ", ");
            view_sql_number(sql, known->id);
        }
    }
    view_sql_add(sql, ")");
}

void
view_where_live(struct view_sql *sql, const struct view *view,
                const struct view_scope *scope)
{
    view_sql_add(sql, " AND +d.state IN ");
    view_sql_add(sql, live_states[scope->state].stored);
    add_plugins(sql, view, scope, "+d.plugin");
}

/* Ended as the state says: no row any more, and so the last attempt told. */
static void
add_ended(struct view_sql *sql, const struct view *view,
          const struct view_scope *scope)
{
    view_sql_add(sql, " AND EXISTS(SELECT 1 FROM attempt a"
                      " WHERE a.seq = e.seq");
    add_plugins(sql, view, scope, "a.plugin");
    view_sql_add(sql, scope->state == VIEW_DISCARDED ? " AND a.outcome = 7"
                      : scope->state == VIEW_SKIPPED
                          ? " AND a.outcome = 1"
                          : " AND a.outcome NOT IN (1, 7)");
    view_sql_add(sql,
                 " AND NOT EXISTS(SELECT 1 FROM attempt b WHERE b.seq = a.seq"
                 "  AND b.plugin = a.plugin AND b.n > a.n)"
                 " AND NOT EXISTS(SELECT 1 FROM delivery d"
                 "  WHERE d.seq = a.seq AND d.plugin = a.plugin))");
}

static void
add_any_delivery(struct view_sql *sql, const struct view *view,
                 const struct view_scope *scope)
{
    view_sql_add(sql, "(EXISTS(SELECT 1 FROM delivery d WHERE d.seq = e.seq");
    add_plugins(sql, view, scope, "d.plugin");
    view_sql_add(sql, ") OR EXISTS(SELECT 1 FROM attempt a"
                      " WHERE a.seq = e.seq");
    add_plugins(sql, view, scope, "a.plugin");
    view_sql_add(sql, "))");
}

void
view_where_state(struct view_sql *sql, const struct view *view,
                 const struct view_scope *scope)
{
    if (scope->state == VIEW_UNROUTED) {
        view_sql_add(sql, " AND e.routed = 0 AND NOT ");
        add_any_delivery(sql, view, scope);
    } else if (scope->state < 0) {
        if (scope->plugin != 0) {
            view_sql_add(sql, " AND ");
            add_any_delivery(sql, view, scope);
        }
    } else if (view_state_is_live(scope->state)) {
        view_sql_add(sql, " AND EXISTS(SELECT 1 FROM delivery d"
                          " WHERE d.seq = e.seq");
        view_where_live(sql, view, scope);
        view_sql_add(sql, ")");
    } else {
        add_ended(sql, view, scope);
    }
}

static void
add_dead_part(struct view_sql *sql, const struct view_scope *scope,
              const struct inbox_item *after, uint32_t plugin)
{
    struct view_scope part = *scope;
    if (after != NULL) { /* behind the same event, the plugins behind it */
        int64_t low = plugin > after->plugin ? after->seq - 1 : after->seq;
        part.low = low > part.low ? low : part.low;
    }
    view_sql_add(sql, "SELECT d.seq, d.plugin FROM delivery d"
                      " INDEXED BY delivery_dead"
                      " WHERE d.state = 3 AND d.plugin = ");
    view_sql_number(sql, plugin);
    view_where_range(sql, &part, "d.seq");
}

/* Through all that is owed or dead: for very many plugins. */
static void
add_dead_by_key(struct view_sql *sql, const struct view_scope *scope,
                const struct inbox_item *after)
{
    view_sql_add(sql, "SELECT d.seq, d.plugin FROM delivery d"
                      " WHERE +d.state = 3");
    view_where_range(sql, scope, "d.seq");
    if (after != NULL) {
        view_sql_add(sql, " AND (d.seq, d.plugin) > (");
        view_sql_number(sql, after->seq);
        view_sql_add(sql, ", ");
        view_sql_number(sql, after->plugin);
        view_sql_add(sql, ")");
    }
}

/* Joined, the parts are merged as they come, none of them sorted. */
void
view_add_dead(struct view_sql *sql, const struct view *view,
              const struct view_scope *scope, const struct inbox_item *after)
{
    int count = 0;
    if (scope->plugin != 0) {
        add_dead_part(sql, scope, after, scope->plugin);
        return;
    }
    if (view->known_count == 0 || view->known_count > PARTS_MAX) {
        add_dead_by_key(sql, scope, after);
        return;
    }
    for (size_t i = 0; i < view->known_count; i++) {
        view_sql_add(sql, count++ == 0 ? "" : " UNION ALL ");
        add_dead_part(sql, scope, after, view->known[i].id);
    }
}
