/* core/inbox/view_events.c: listing events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include <stdlib.h>
#include <string.h>

/* Reads whole events, one by one. */
struct reader {
    struct view *view;
    sqlite3_stmt *event; /* ?1: seq */
    struct view_stands stands;
};

static const char event_text[] =
    "SELECT e.seq, e.created_s, e.received_ms, e.event_id, e.type, e.account,"
    " e.api_version, e.object_id, e.customer, e.snapshot_event, e.endpoint,"
    " e.secret, e.livemode, e.thin, e.routed,"
    " (SELECT length(data) FROM body WHERE seq = e.seq),"
    " (SELECT count(*) FROM receipt WHERE seq = e.seq),"
    " (SELECT count(conflict) FROM receipt WHERE seq = e.seq)"
    " FROM event e WHERE e.seq = ?1";

static int
open_reader(struct reader *reader, struct view *view, struct error *err)
{
    *reader = (struct reader){.view = view};
    int rc = view_prepare(view, event_text, &reader->event, err);
    if (rc == RC_OK) {
        rc = view_stands_open(view, &reader->stands, err);
    }
    return rc;
}

static void
close_reader(struct reader *reader)
{
    sqlite3_finalize(reader->event);
    view_stands_close(&reader->stands);
}

static void
fill_event(sqlite3_stmt *stmt, struct view_event *row)
{
    *row = (struct view_event){
        .seq = sqlite3_column_int64(stmt, 0),
        .created_s = sqlite3_column_int64(stmt, 1),
        .received_ms = sqlite3_column_int64(stmt, 2),
        .id = view_text(stmt, 3),
        .type = view_text(stmt, 4),
        .account = view_text(stmt, 5),
        .api_version = view_text(stmt, 6),
        .object_id = view_text(stmt, 7),
        .customer = view_text(stmt, 8),
        .snapshot_event = view_text(stmt, 9),
        .endpoint = view_text(stmt, 10),
        .secret = view_text(stmt, 11),
        .livemode = sqlite3_column_int(stmt, 12),
        .thin = sqlite3_column_int(stmt, 13),
        .routed = sqlite3_column_int(stmt, 14),
        .body_bytes = sqlite3_column_int64(stmt, 15),
        .repeats = sqlite3_column_int64(stmt, 16),
        .conflicts = sqlite3_column_int64(stmt, 17),
    };
}

static int
read_state(struct reader *reader, int64_t seq, enum view_state *state,
           struct error *err)
{
    const struct view *view = reader->view;
    int rc = view_stands_read(reader->view, &reader->stands, seq, err);
    *state = VIEW_UNROUTED;
    for (size_t i = 0; rc == RC_OK && i < view->known_count; i++) {
        int one = view_stand_state(view, &reader->stands, i);
        if (one >= 0 && view_state_worse((enum view_state)one, *state)) {
            *state = (enum view_state)one;
        }
    }
    return rc;
}

/* Read event `seq` and show it. @param stop out: what the callback says */
static int
show(struct reader *reader, int64_t seq, view_event_fn *fn, void *arg,
     int *stop, struct error *err)
{
    struct view_event event;
    enum view_state state;
    int row;
    int rc = read_state(reader, seq, &state, err);
    sqlite3_bind_int64(reader->event, 1, seq);
    if (rc == RC_OK) {
        rc = view_step(reader->view, reader->event, &row, err);
    }
    if (rc == RC_OK && row) {
        fill_event(reader->event, &event);
        event.state = state;
        *stop = fn(arg, &event);
    }
    sqlite3_reset(reader->event);
    return rc;
}

/* The numbers of the events that pass, in order; one can come several times in
 * a row. What stands in the table of deliveries is found from there: it is
 * small, or the answer near its end. */
static void
add_numbers(struct view_sql *sql, const struct view *view,
            const struct view_scope *scope, int oldest_first)
{
    const struct view_filter *filter = scope->filter;
    const char *order = oldest_first ? "" : " DESC";
    if (!view_state_is_live(scope->state) || view_has_key(filter)) {
        view_sql_add(sql, "SELECT e.seq FROM event e WHERE 1");
        view_where_key(sql, filter);
        view_where_rest(sql, filter);
        view_where_range(sql, scope, "e.seq");
        view_where_state(sql, view, scope);
        view_sql_add(sql, " ORDER BY e.seq");
        view_sql_add(sql, order);
        return;
    }
    if (scope->state == VIEW_DEAD) {
        view_add_dead(sql, view, scope, NULL);
        view_sql_add(sql, " ORDER BY 1");
        view_sql_add(sql, order);
        view_sql_add(sql, ", 2");
    } else {
        view_sql_add(sql, "SELECT d.seq FROM delivery d WHERE 1");
        view_where_live(sql, view, scope);
        view_where_range(sql, scope, "d.seq");
        view_sql_add(sql, " ORDER BY d.seq");
    }
    view_sql_add(sql, order);
}

static int
passes(struct view *view, sqlite3_stmt *check, int64_t seq, int *row,
       struct error *err)
{
    sqlite3_bind_int64(check, 1, seq);
    return view_has_row(view, check, row, err);
}

static int
list(struct view *view, const struct view_scope *scope, int oldest_first,
     size_t limit, view_event_fn *fn, void *arg, struct error *err)
{
    struct reader reader;
    struct view_sql sql;
    sqlite3_stmt *numbers = NULL, *check = NULL;
    int row = 0, stop = 0;
    int64_t last = 0;

    view_sql_init(&sql);
    add_numbers(&sql, view, scope, oldest_first);
    int rc = open_reader(&reader, view, err);
    if (rc == RC_OK) {
        rc = view_sql_prepare(view, &sql, &numbers, err);
    }
    if (rc == RC_OK) {
        rc = view_prepare_check(view, scope->filter, &check, err);
    }
    while (rc == RC_OK && limit > 0 && !stop) {
        rc = view_step(view, numbers, &row, err);
        if (rc != RC_OK || !row) {
            break;
        }
        int64_t seq = sqlite3_column_int64(numbers, 0);
        if (seq == last) {
            continue;
        }
        last = seq;
        rc = passes(view, check, seq, &row, err);
        if (rc == RC_OK && row) {
            rc = show(&reader, seq, fn, arg, &stop, err);
            limit--;
        }
    }
    sqlite3_finalize(numbers);
    sqlite3_finalize(check);
    close_reader(&reader);
    view_sql_fini(&sql);
    return rc;
}

int
view_events(struct view *view, const struct view_filter *filter,
            int oldest_first, int64_t from, size_t limit, view_event_fn *fn,
            void *arg, struct error *err)
{
    struct view_scope scope;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = view_scope_init(view, &scope, filter, 1, err);
    }
    if (rc == RC_OK && !scope.none) {
        if (from > 0 && oldest_first) {
            scope.low = from > scope.low ? from : scope.low;
        } else if (from > 0) {
            scope.high = from < scope.high ? from : scope.high;
        }
        rc = list(view, &scope, oldest_first, limit, fn, arg, err);
    }
    return view_end(view, rc);
}

/* ---- One event ------------------------------------------------------ */

static int
find(struct view *view, const char *id, int64_t *seq, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int rc = view_prepare(view, "SELECT seq FROM event WHERE event_id = ?1",
                          &stmt, err);
    if (rc == RC_OK) {
        sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
        rc = view_step(view, stmt, &row, err);
    }
    if (rc == RC_OK && row) {
        *seq = sqlite3_column_int64(stmt, 0);
    } else if (rc == RC_OK) {
        rc = error_set(err, RC_NOT_FOUND, "inbox: there is no event %s", id);
    }
    sqlite3_finalize(stmt);
    return rc;
}

int
view_event(struct view *view, const char *id, view_event_fn *fn, void *arg,
           struct error *err)
{
    struct reader reader = {0};
    int64_t seq = 0;
    int stop;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = find(view, id, &seq, err);
    }
    if (rc == RC_OK) {
        rc = open_reader(&reader, view, err);
    }
    if (rc == RC_OK) {
        rc = show(&reader, seq, fn, arg, &stop, err);
    }
    close_reader(&reader);
    return view_end(view, rc);
}

static int
copy_body(sqlite3_stmt *stmt, char **out, size_t *len, struct error *err)
{
    size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    if (size > 0) {
        memcpy(copy, sqlite3_column_blob(stmt, 0), size);
    }
    copy[size] = '\0';
    *out = copy;
    *len = size;
    return RC_OK;
}

int
view_body(struct view *view, const char *id, char **out, size_t *len,
          struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int64_t seq = 0;
    int row = 0;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = find(view, id, &seq, err);
    }
    if (rc == RC_OK) {
        rc = view_prepare(view, "SELECT data FROM body WHERE seq = ?1", &stmt,
                          err);
    }
    if (rc == RC_OK) {
        sqlite3_bind_int64(stmt, 1, seq);
        rc = view_step(view, stmt, &row, err);
    }
    if (rc == RC_OK && !row) {
        rc =
            error_set(err, RC_NOT_FOUND, "inbox: the bytes of %s are gone", id);
    } else if (rc == RC_OK) {
        rc = copy_body(stmt, out, len, err);
    }
    sqlite3_finalize(stmt);
    return view_end(view, rc);
}
