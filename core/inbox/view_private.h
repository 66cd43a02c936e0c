/* core/inbox/view_private.h: private to the view's files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INBOX_VIEW_PRIVATE_H
#define CORE_INBOX_VIEW_PRIVATE_H

#include "inbox/view.h"

#include "error.h"

#include <sqlite3.h>

/* ---- A view --------------------------------------------------------- */

/** How a plugin stands, as bits of a set. */
enum view_mode {
    VIEW_SERVED = 1,
    VIEW_PAUSED = 2,
    VIEW_GONE = 4, /* not among those being served */
    VIEW_ANY_MODE = 7,
};

/** A row of `plugin`, read at the beginning of each call. */
struct view_known {
    uint32_t id;
    enum view_mode mode;
    char *name;
};

struct view {
    sqlite3 *db;
    const struct view_plugins *served; /* NULL: offline */
    struct view_known *known;
    size_t known_count;
    int64_t deadline_ms; /* of the call under way; monotonic */
    unsigned depth;      /* a callback may call in again */
    /* Fixed, but for tests. */
    int64_t limit_ms, count_limit_ms;
    size_t look_max; /* rows that one call of view_select() looks at */
};

/** Begin a call, or one inside another: a transaction, the time limit, the
 * plugins. View_end() is due even after a failure. */
int view_begin(struct view *view, struct error *err);
/** End it. @return rc */
int view_end(struct view *view, int rc);

/** RC_TIMEOUT, with what to do about it. */
int view_timeout(int64_t limit_ms, struct error *err);

int view_prepare(struct view *view, const char *text, sqlite3_stmt **out,
                 struct error *err);
/** To the next row. @param row out: whether there is one */
int view_step(struct view *view, sqlite3_stmt *stmt, int *row,
              struct error *err);
/** Whether there is a row, of a statement that then is reset. */
int view_has_row(struct view *view, sqlite3_stmt *stmt, int *row,
                 struct error *err);

/** The column's text; "" for none. Borrowed until the next step. */
const char *view_text(sqlite3_stmt *stmt, int column);

/** NULL for an id that is none. */
const struct view_known *view_known_of(const struct view *view, uint32_t id);
const char *view_plugin_name(const struct view *view, uint32_t id);

/* ---- Building a query: text, and values that are bound -------------- */

struct view_value {
    char *text; /* owned; NULL: a number */
    int64_t number;
};

struct view_sql {
    sqlite3_str *text;
    struct view_value *values;
    size_t count, room;
    int failed; /* no memory */
};

void view_sql_init(struct view_sql *sql);
void view_sql_fini(struct view_sql *sql);
void view_sql_add(struct view_sql *sql, const char *text);
/** A placeholder with this value. */
void view_sql_number(struct view_sql *sql, int64_t number);
void view_sql_text(struct view_sql *sql, const char *text);
/** "(COLUMN > from AND COLUMN < to)": `to` is as `from`, but for its last
 * byte. */
void view_sql_range(struct view_sql *sql, const char *column, const char *from,
                    size_t len, char last);
int view_sql_prepare(struct view *view, struct view_sql *sql,
                     sqlite3_stmt **out, struct error *err);

/* ---- Filters -------------------------------------------------------- */

/** A filter, as far as it can be told before looking at events. */
struct view_scope {
    const struct view_filter *filter;
    int state;         /* the filter's; -1 if it is not to count */
    uint32_t plugin;   /* 0: any */
    int modes;         /* plugins in one of these; enum view_mode */
    int64_t low, high; /* seq is between, bounds excluded */
    int none;          /* nothing can pass */
};

/** Work out the scope. @param whole 0: plugin and state do not count */
int view_scope_init(struct view *view, struct view_scope *scope,
                    const struct view_filter *filter, int whole,
                    struct error *err);

/** Whether the filter has ids, an object or a customer: then events are found
 * by an index. */
int view_has_key(const struct view_filter *filter);
/** " AND ..." on that index; of event e. */
void view_where_key(struct view_sql *sql, const struct view_filter *filter);
/** " AND ..." on all else that an event has. */
void view_where_rest(struct view_sql *sql, const struct view_filter *filter);
/** A statement with a row if event ?1 passes those. */
int view_prepare_check(struct view *view, const struct view_filter *filter,
                       sqlite3_stmt **out, struct error *err);
/** " AND COLUMN > low AND COLUMN < high" */
void view_where_range(struct view_sql *sql, const struct view_scope *scope,
                      const char *column);
/** " AND ..." on the deliveries of event e. */
void view_where_state(struct view_sql *sql, const struct view *view,
                      const struct view_scope *scope);
/** " AND d.state IN (...) AND d.plugin IN (...)", for states that stand in the
 * table of deliveries; in a form that leaves the order to its key. */
void view_where_live(struct view_sql *sql, const struct view *view,
                     const struct view_scope *scope);

/** Whether this, of a filter, is a state that stands in the table of
 * deliveries: pending or dead. */
int view_state_is_live(int state);
/** Whether a delivery in `state` passes a filter that wants `wanted`. */
int view_state_passes(int wanted, enum view_state state);

/** "SELECT d.seq, d.plugin ..." of the dead letters in scope, which come in
 * order out of the index of dead letters, a part for each plugin. The caller
 * adds " ORDER BY 1, 2", both in one direction.
 * @param after  begin behind this one; NULL: at the beginning */
void view_add_dead(struct view_sql *sql, const struct view *view,
                   const struct view_scope *scope,
                   const struct inbox_item *after);

/* ---- Deliveries of an event ----------------------------------------- */

/** How an event stands with one plugin. */
struct view_stand {
    int stored;  /* enum inbox_state; -1: has no row */
    int outcome; /* of the last attempt; -1: there is none */
    int64_t n;   /* ... its number */
};

/** ... with each of view.known, in that order: by id. */
struct view_stands {
    struct view_stand *of;
    sqlite3_stmt *stmt;
};

/** Both ways need view_stands_close(), which accepts zeroes. */
int view_stands_open(struct view *view, struct view_stands *stands,
                     struct error *err);
void view_stands_close(struct view_stands *stands);
int view_stands_read(struct view *view, struct view_stands *stands, int64_t seq,
                     struct error *err);
/** enum view_state of the delivery for plugin `i`; -1: there is none. */
int view_stand_state(const struct view *view, const struct view_stands *stands,
                     size_t i);

/** What deliveries an event has, live ones and ended ones, with all there is to
 * say of them; bind ?1 its seq. */
enum view_delivery_column {
    VIEW_COL_PLUGIN,
    VIEW_COL_LAST,    /* number of the last attempt; NULL: none */
    VIEW_COL_OUTCOME, /* ... and how it ended */
    VIEW_COL_NOTE,
    VIEW_COL_TRIED, /* attempts that were ones */
    VIEW_COL_STATE, /* enum inbox_state; NULL: ended */
    VIEW_COL_ATTEMPT,
    VIEW_COL_SPARED,
    VIEW_COL_CRASHES,
    VIEW_COL_DUE,
    VIEW_COL_DIED,
    VIEW_COL_CAUSE,
    VIEW_COL_SEQ,
};
extern const char view_deliveries_text[];

/** The state of the row that such a statement stands on. */
enum view_state view_state_of_row(const struct view *view, sqlite3_stmt *stmt);
/** ... of a row of `delivery`. */
enum view_state view_state_of(const struct view *view, uint32_t plugin,
                              int stored);
/** Whether `a` is worse than `b`. */
int view_state_worse(enum view_state a, enum view_state b);

#endif
