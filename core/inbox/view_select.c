/* core/inbox/view_select.c: the items of a job, a few at a time.
 *
 * Each call looks at a bounded number of rows, in the order of (seq, plugin),
 * whether they pass or not: so it never runs into the time limit, however large
 * the inbox is and however few pass.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include "clock.h"

/* Stands behind all plugins of an event. */
#define LAST_PLUGIN UINT32_MAX

struct walk {
    struct view *view;
    const struct view_selection *selection;
    struct view_scope scope;
    sqlite3_stmt *rows;  /* what is looked at, in order */
    sqlite3_stmt *check; /* one delivery of an event, or the event of one */
    struct view_stands stands; /* all deliveries of an event */
    struct inbox_item at;      /* how far it looked */
    struct inbox_item *items;
    size_t max, count, looked;
};

/* ---- What is in it -------------------------------------------------- */

/* The state that is asked for: a job to discard is about dead letters. */
static int
init_scope(struct walk *walk, struct error *err)
{
    const struct view_selection *selection = walk->selection;
    struct view_scope *scope = &walk->scope;
    int rc = view_scope_init(walk->view, scope, selection->filter,
                             selection->which != VIEW_TO_GIVE, err);
    if (rc == RC_OK && selection->which == VIEW_TO_DISCARD) {
        scope->none |= !view_state_passes(scope->state, VIEW_DEAD);
        scope->state = VIEW_DEAD;
    } else if (selection->which == VIEW_TO_REPLAY) {
        scope->none |=
            scope->state == VIEW_QUEUED || scope->state == VIEW_RUNNING;
    }
    return rc;
}

static int
is_under_way(int stored)
{
    return stored == INBOX_READY || stored == INBOX_LEASED ||
           stored == INBOX_HELD;
}

static void
take(struct walk *walk, uint32_t plugin)
{
    walk->items[walk->count++] =
        (struct inbox_item){.seq = walk->at.seq, .plugin = plugin};
}

/* ---- Through events ------------------------------------------------- */

static int
open_events(struct walk *walk, struct error *err)
{
    const struct view_filter *filter = walk->scope.filter;
    struct view_sql sql;
    int64_t low = walk->at.seq - (walk->at.plugin != LAST_PLUGIN);
    if (low > walk->scope.low) {
        walk->scope.low = low;
    }
    view_sql_init(&sql);
    view_sql_add(&sql, "SELECT e.seq, e.type, e.livemode, e.endpoint, (1");
    view_where_rest(&sql, filter);
    view_sql_add(&sql, ") FROM event e WHERE 1");
    view_where_key(&sql, filter);
    view_where_range(&sql, &walk->scope, "e.seq");
    view_sql_add(&sql, " ORDER BY e.seq LIMIT ");
    view_sql_number(&sql, (int64_t)walk->view->look_max);
    int rc = view_sql_prepare(walk->view, &sql, &walk->rows, err);
    view_sql_fini(&sql);
    if (rc == RC_OK && walk->selection->which == VIEW_TO_GIVE) {
        rc = view_prepare(walk->view,
                          "SELECT state FROM delivery"
                          " WHERE seq = ?1 AND plugin = ?2",
                          &walk->check, err);
    } else if (rc == RC_OK) {
        rc = view_stands_open(walk->view, &walk->stands, err);
    }
    return rc;
}

static int
is_wanted(const struct walk *walk, size_t i)
{
    uint32_t plugin = walk->view->known[i].id;
    int state = view_stand_state(walk->view, &walk->stands, i);
    return state >= 0 && !is_under_way(walk->stands.of[i].stored) &&
           (walk->scope.plugin == 0 || walk->scope.plugin == plugin) &&
           view_state_passes(walk->scope.state, (enum view_state)state);
}

/* The deliveries of the event at `at` that are behind `at.plugin`. */
static int
take_deliveries(struct walk *walk, struct error *err)
{
    const struct view *view = walk->view;
    int rc = view_stands_read(walk->view, &walk->stands, walk->at.seq, err);
    for (size_t i = 0; rc == RC_OK && i < view->known_count; i++) {
        uint32_t plugin = view->known[i].id;
        if (plugin > walk->at.plugin && is_wanted(walk, i)) {
            if (walk->count == walk->max) {
                return RC_OK; /* the next call goes on here */
            }
            take(walk, plugin);
            walk->at.plugin = plugin;
        }
    }
    if (rc == RC_OK) {
        walk->at.plugin = LAST_PLUGIN;
    }
    return rc;
}

static int
take_to_give(struct walk *walk, struct error *err)
{
    const struct view_selection *selection = walk->selection;
    uint32_t plugin = selection->plugin;
    int row = 0, rc = RC_OK;
    if (plugin > walk->at.plugin &&
        (selection->passes == NULL ||
         selection->passes(selection->passes_arg, view_text(walk->rows, 1),
                           sqlite3_column_int(walk->rows, 2),
                           view_text(walk->rows, 3)))) {
        sqlite3_bind_int64(walk->check, 1, walk->at.seq);
        sqlite3_bind_int64(walk->check, 2, plugin);
        rc = view_step(walk->view, walk->check, &row, err);
        if (rc == RC_OK &&
            !(row && is_under_way(sqlite3_column_int(walk->check, 0)))) {
            take(walk, plugin);
        }
        sqlite3_reset(walk->check);
    }
    if (rc == RC_OK) {
        walk->at.plugin = LAST_PLUGIN;
    }
    return rc;
}

static int
look_at_event(struct walk *walk, struct error *err)
{
    int64_t seq = sqlite3_column_int64(walk->rows, 0);
    if (seq != walk->at.seq) {
        walk->at = (struct inbox_item){.seq = seq};
    }
    if (!sqlite3_column_int(walk->rows, 4)) {
        walk->at.plugin = LAST_PLUGIN;
        return RC_OK;
    }
    return walk->selection->which == VIEW_TO_GIVE ? take_to_give(walk, err)
                                                  : take_deliveries(walk, err);
}

/* ---- Through the table of deliveries -------------------------------- */

/* Dead letters have an index. Those that wait are found among all that is owed.
 */
static int
open_deliveries(struct walk *walk, struct error *err)
{
    struct view_sql sql;
    view_sql_init(&sql);
    if (walk->scope.state == VIEW_DEAD) {
        view_add_dead(&sql, walk->view, &walk->scope, &walk->at);
        view_sql_add(&sql, " ORDER BY 1, 2 LIMIT ");
    } else {
        view_sql_add(&sql, "SELECT d.seq, d.plugin, d.state FROM delivery d"
                           " WHERE (d.seq, d.plugin) > (");
        view_sql_number(&sql, walk->at.seq);
        view_sql_add(&sql, ", ");
        view_sql_number(&sql, walk->at.plugin);
        view_sql_add(&sql, ")");
        view_where_range(&sql, &walk->scope, "d.seq");
        view_sql_add(&sql, " ORDER BY d.seq, d.plugin LIMIT ");
    }
    view_sql_number(&sql, (int64_t)walk->view->look_max);
    int rc = view_sql_prepare(walk->view, &sql, &walk->rows, err);
    view_sql_fini(&sql);
    if (rc == RC_OK) {
        rc = view_prepare_check(walk->view, walk->scope.filter, &walk->check,
                                err);
    }
    return rc;
}

static int
look_at_delivery(struct walk *walk, struct error *err)
{
    const struct view_scope *scope = &walk->scope;
    struct inbox_item item = {
        .seq = sqlite3_column_int64(walk->rows, 0),
        .plugin = (uint32_t)sqlite3_column_int64(walk->rows, 1)};
    int stored = scope->state == VIEW_DEAD ? INBOX_DEAD
                                           : sqlite3_column_int(walk->rows, 2);
    int row = 0, rc = RC_OK;
    if (!is_under_way(stored) &&
        (scope->plugin == 0 || scope->plugin == item.plugin) &&
        view_state_passes(scope->state,
                          view_state_of(walk->view, item.plugin, stored))) {
        sqlite3_bind_int64(walk->check, 1, item.seq);
        rc = view_has_row(walk->view, walk->check, &row, err);
    }
    if (rc == RC_OK) {
        walk->at = item;
        if (row) {
            take(walk, item.plugin);
        }
    }
    return rc;
}

/* ---- The walk ------------------------------------------------------- */

static int
go(struct walk *walk, int *more, struct error *err)
{
    int by_delivery = view_state_is_live(walk->scope.state) &&
                      walk->selection->which != VIEW_TO_GIVE &&
                      !view_has_key(walk->scope.filter);
    int row = 1;
    int rc = by_delivery ? open_deliveries(walk, err) : open_events(walk, err);
    while (rc == RC_OK && walk->count < walk->max) {
        rc = view_step(walk->view, walk->rows, &row, err);
        if (rc != RC_OK || !row) {
            break;
        }
        rc = by_delivery ? look_at_delivery(walk, err)
                         : look_at_event(walk, err);
        walk->looked += rc == RC_OK;
    }
    if (rc == RC_TIMEOUT && walk->looked > 0) {
        rc = RC_OK; /* a slow disk: the next call goes on from here */
        row = 1;    /* nobody has seen the end */
    }
    *more = row || walk->looked == walk->view->look_max;
    return rc;
}

int
view_select(struct view *view, const struct view_selection *selection,
            struct inbox_item *after, struct inbox_item *items, size_t max,
            size_t *count, int *more, struct error *err)
{
    struct walk walk = {.view = view,
                        .selection = selection,
                        .at = *after,
                        .items = items,
                        .max = max};
    int is_more = 0;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = init_scope(&walk, err);
    }
    if (rc == RC_OK && !walk.scope.none) {
        rc = go(&walk, &is_more, err);
    }
    if (rc == RC_OK) {
        *after = walk.at;
        *count = walk.count;
        *more = is_more;
    }
    sqlite3_finalize(walk.rows);
    sqlite3_finalize(walk.check);
    view_stands_close(&walk.stands);
    return view_end(view, rc);
}

int
view_count(struct view *view, const struct view_selection *selection,
           int64_t most, int64_t *count, struct error *err)
{
    struct inbox_item items[INBOX_ITEMS_MAX];
    struct inbox_item after = {0};
    int64_t end_ms = clock_mono_ms() + view->count_limit_ms;
    int64_t total = 0;
    int more = 1;
    while (more && total < most) {
        size_t one = 0;
        if (clock_mono_ms() >= end_ms) {
            return view_timeout(view->count_limit_ms, err);
        }
        int rc = view_select(view, selection, &after, items, INBOX_ITEMS_MAX,
                             &one, &more, err);
        if (rc != RC_OK) {
            return rc;
        }
        total += (int64_t)one;
    }
    *count = total < most ? total : most;
    return RC_OK;
}
