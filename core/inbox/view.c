/* core/inbox/view.c: opening a view, its transactions and their limit.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As sqlite_schema.c writes them. */
#define APPLICATION_ID 0x50454742
#define FORMAT         3

/* Steps of SQLite's machine between looks at the clock: about 50 us. */
#define STEPS_BETWEEN 4000

/* Readers never wait for the writer, only, seldom, for a recovery. */
#define BUSY_MS 1000

/* Much less than VIEW_LIMIT_MS, even from a cold disk. */
#define LOOK_MAX 2048

/* A count is made of many short calls; whoever asked still waits for it, and
 * must not think that the request got lost. */
#define COUNT_LIMIT_MS 5000

static int
code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_NOMEM:
        return RC_NOMEM;
    case SQLITE_CORRUPT:
        return RC_CORRUPT;
    case SQLITE_NOTADB:
        return RC_INVALID;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RC_BUSY;
    default:
        return RC_IO;
    }
}

int
view_timeout(int64_t limit_ms, struct error *err)
{
    return error_set(err, RC_TIMEOUT,
                     "inbox: looking took longer than %lld ms: narrow the "
                     "filter, for example by id, object or time",
                     (long long)limit_ms);
}

static int
failure(struct view *view, struct error *err, const char *what)
{
    int code = sqlite3_extended_errcode(view->db);
    if ((code & 0xff) == SQLITE_INTERRUPT) {
        return view_timeout(view->limit_ms, err);
    }
    return error_set(err, code_of(code), "inbox: %s: %s (sqlite %d)", what,
                     sqlite3_errmsg(view->db), code);
}

/* ---- Statements ----------------------------------------------------- */

static int
is_late(void *arg)
{
    const struct view *view = arg;
    return clock_mono_ms() >= view->deadline_ms;
}

int
view_prepare(struct view *view, const char *text, sqlite3_stmt **out,
             struct error *err)
{
    return sqlite3_prepare_v2(view->db, text, -1, out, NULL) == SQLITE_OK
               ? RC_OK
               : failure(view, err, "cannot read the file");
}

int
view_step(struct view *view, sqlite3_stmt *stmt, int *row, struct error *err)
{
    *row = 0;
    if (is_late(view)) { /* the callback may be what is slow */
        return view_timeout(view->limit_ms, err);
    }
    int code = sqlite3_step(stmt);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? RC_OK
               : failure(view, err, "cannot read the file");
}

int
view_has_row(struct view *view, sqlite3_stmt *stmt, int *row, struct error *err)
{
    int rc = view_step(view, stmt, row, err);
    sqlite3_reset(stmt);
    return rc;
}

const char *
view_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text == NULL ? "" : text;
}

/* ---- Plugins -------------------------------------------------------- */

static int
is_served(const struct view *view, uint32_t id)
{
    const struct view_plugins *served = view->served;
    if (served == NULL || !served->known) {
        return 1;
    }
    for (size_t i = 0; i < served->count; i++) {
        if (served->ids[i] == id) {
            return 1;
        }
    }
    return 0;
}

static void
forget_plugins(struct view *view)
{
    for (size_t i = 0; i < view->known_count; i++) {
        free(view->known[i].name);
    }
    free(view->known);
    view->known = NULL;
    view->known_count = 0;
}

static int
add_plugin(struct view *view, sqlite3_stmt *stmt, struct error *err)
{
    struct view_known *grown =
        realloc(view->known, (view->known_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    view->known = grown;
    struct view_known *known = &grown[view->known_count];
    known->id = (uint32_t)sqlite3_column_int64(stmt, 0);
    known->mode = !is_served(view, known->id)   ? VIEW_GONE
                  : sqlite3_column_int(stmt, 2) ? VIEW_PAUSED
                                                : VIEW_SERVED;
    known->name = strdup(view_text(stmt, 1));
    if (known->name == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    view->known_count++;
    return RC_OK;
}

static int
read_plugins(struct view *view, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int rc = view_prepare(view,
                          "SELECT id, name, coalesce(paused_ms, 0) <> 0 AND"
                          " (coalesce(paused_until_ms, 0) = 0 OR"
                          "  paused_until_ms > ?1) FROM plugin ORDER BY id",
                          &stmt, err);
    forget_plugins(view);
    if (rc == RC_OK) {
        sqlite3_bind_int64(stmt, 1, clock_wall_ms());
        rc = view_step(view, stmt, &row, err);
    }
    while (rc == RC_OK && row) {
        rc = add_plugin(view, stmt, err);
        if (rc == RC_OK) {
            rc = view_step(view, stmt, &row, err);
        }
    }
    sqlite3_finalize(stmt);
    return rc;
}

const struct view_known *
view_known_of(const struct view *view, uint32_t id)
{
    for (size_t i = 0; i < view->known_count; i++) {
        if (view->known[i].id == id) {
            return &view->known[i];
        }
    }
    return NULL;
}

const char *
view_plugin_name(const struct view *view, uint32_t id)
{
    const struct view_known *known = view_known_of(view, id);
    return known == NULL ? "" : known->name;
}

/* ---- Transactions --------------------------------------------------- */

int
view_begin(struct view *view, struct error *err)
{
    if (view->depth++ > 0) {
        return RC_OK; /* part of the call that is under way */
    }
    view->deadline_ms = clock_mono_ms() + view->limit_ms;
    if (sqlite3_exec(view->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) {
        return failure(view, err, "cannot read the file");
    }
    return read_plugins(view, err);
}

int
view_end(struct view *view, int rc)
{
    if (--view->depth == 0 && !sqlite3_get_autocommit(view->db)) {
        /* Nothing was written; and the limit must not keep it open. */
        view->deadline_ms = INT64_MAX;
        sqlite3_exec(view->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

/* ---- Opening and closing -------------------------------------------- */

static int
ask(struct view *view, const char *text, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int rc = view_prepare(view, text, &stmt, err);
    if (rc == RC_OK) {
        rc = view_step(view, stmt, &row, err);
    }
    *out = rc == RC_OK && row ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc;
}

static int
check_format(struct view *view, struct error *err)
{
    const char *path = sqlite3_db_filename(view->db, "main");
    int64_t id, format;
    int rc = ask(view, "PRAGMA application_id", &id, err);
    if (rc == RC_OK) {
        rc = ask(view, "PRAGMA user_version", &format, err);
    }
    if (rc == RC_OK && id != APPLICATION_ID) {
        rc = error_set(err, RC_INVALID,
                       "inbox: %s is not an inbox but some other SQLite file",
                       path);
    } else if (rc == RC_OK && format != FORMAT) {
        rc = error_set(err, RC_INVALID,
                       "inbox: %s has format %lld, this pegboard reads %d: "
                       "use the version that serves it",
                       path, (long long)format, FORMAT);
    }
    return rc;
}

/* A view must never checkpoint: SQLite before 3.51.3 can corrupt a WAL when
 * two connections do. One that cannot write cannot. */
static int
connect_view(struct view *view, const char *path, struct error *err)
{
    if (access(path, F_OK) != 0) {
        int rc = errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
        return error_errno(err, rc, errno, "inbox: cannot open %s", path);
    }
    if (sqlite3_open_v2(path, &view->db,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK) {
        return view->db == NULL
                   ? error_set(err, RC_NOMEM, "inbox: out of memory")
                   : failure(view, err, "cannot open the file");
    }
    sqlite3_busy_timeout(view->db, BUSY_MS);
    sqlite3_progress_handler(view->db, STEPS_BETWEEN, is_late, view);
    if (sqlite3_db_config(view->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                          NULL) != SQLITE_OK ||
        sqlite3_exec(view->db,
                     "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;"
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096",
                     NULL, NULL, NULL) != SQLITE_OK) {
        return failure(view, err, "cannot open the file");
    }
    return check_format(view, err);
}

int
view_open(struct view **out, const char *path, struct error *err)
{
    struct view *view = calloc(1, sizeof(*view));
    if (view == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    view->deadline_ms = INT64_MAX;
    view->limit_ms = VIEW_LIMIT_MS;
    view->count_limit_ms = COUNT_LIMIT_MS;
    view->look_max = LOOK_MAX;

    int rc = connect_view(view, path, err);
    if (rc != RC_OK) {
        view_close(view);
        return rc;
    }
    *out = view;
    return RC_OK;
}

void
view_close(struct view *view)
{
    if (view != NULL) {
        forget_plugins(view);
        sqlite3_close(view->db);
        free(view);
    }
}

void
view_set_plugins(struct view *view, const struct view_plugins *plugins)
{
    view->served = plugins;
}
