/* core/inbox/view_plugins.c: plugins with what waits for them, and jobs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Plugins -------------------------------------------------------- */

static void
copy_text(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
    snprintf(out, size, "%s", view_text(stmt, column));
}

/* What waits for one of view.known. */
struct load {
    int64_t pending, dead, oldest; /* oldest: seq; 0 for none */
};

/* One walk through what is owed and what is dead, in the order of seq, counts
 * for all plugins. Grouped by SQLite it would be sorted first. */
static int
read_loads(struct view *view, struct load *loads, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int rc = view_prepare(view,
                          "SELECT plugin, state, seq FROM delivery"
                          " ORDER BY seq, plugin",
                          &stmt, err);
    while (rc == RC_OK) {
        rc = view_step(view, stmt, &row, err);
        if (rc != RC_OK || !row) {
            break;
        }
        const struct view_known *known =
            view_known_of(view, (uint32_t)sqlite3_column_int64(stmt, 0));
        if (known == NULL) {
            continue; /* plugins are never removed */
        }
        struct load *load = &loads[known - view->known];
        if (sqlite3_column_int(stmt, 1) == INBOX_DEAD) {
            load->dead++;
        } else if (load->pending++ == 0) {
            load->oldest = sqlite3_column_int64(stmt, 2);
        }
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* A pause stays written down when its end has come. */
static void
forget_ended_pause(struct inbox_plugin *state)
{
    if (state->paused_until_ms != 0 &&
        state->paused_until_ms <= clock_wall_ms()) {
        state->paused_ms = 0;
        state->paused_until_ms = 0;
        state->reason[0] = '\0';
    }
}

static void
fill_plugin(sqlite3_stmt *stmt, const struct load *load,
            struct view_plugin *row)
{
    *row = (struct view_plugin){
        .state.id = (uint32_t)sqlite3_column_int64(stmt, 0),
        .state.paused_ms = sqlite3_column_int64(stmt, 2),
        .state.paused_until_ms = sqlite3_column_int64(stmt, 3),
        .state.held_ms = sqlite3_column_int64(stmt, 5),
        .state.held_since_ms = sqlite3_column_int64(stmt, 6),
        .name = view_text(stmt, 1),
        .pending = load->pending,
        .dead = load->dead,
        .oldest_ms = sqlite3_column_int64(stmt, 7),
    };
    copy_text(stmt, 4, row->state.reason, sizeof(row->state.reason));
    forget_ended_pause(&row->state);
}

static int
show_plugins(struct view *view, const struct load *loads, view_plugin_fn *fn,
             void *arg, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    struct view_plugin plugin;
    int row = 0, stop = 0;
    int rc = view_prepare(view,
                          "SELECT id, name, paused_ms, paused_until_ms, reason,"
                          " held_ms, held_since_ms,"
                          " (SELECT received_ms FROM event WHERE seq = ?2)"
                          " FROM plugin WHERE id = ?1",
                          &stmt, err);
    for (size_t i = 0; rc == RC_OK && i < view->known_count && !stop; i++) {
        sqlite3_bind_int64(stmt, 1, view->known[i].id);
        sqlite3_bind_int64(stmt, 2, loads[i].oldest);
        rc = view_step(view, stmt, &row, err);
        if (rc == RC_OK && row) {
            fill_plugin(stmt, &loads[i], &plugin);
            stop = fn(arg, &plugin);
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    return rc;
}

int
view_plugins(struct view *view, view_plugin_fn *fn, void *arg,
             struct error *err)
{
    struct load *loads = NULL;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        loads = calloc(view->known_count + 1, sizeof(*loads));
        rc = loads == NULL ? error_set(err, RC_NOMEM, "inbox: out of memory")
                           : read_loads(view, loads, err);
    }
    if (rc == RC_OK) {
        rc = show_plugins(view, loads, fn, arg, err);
    }
    free(loads);
    return view_end(view, rc);
}

/* ---- Jobs ----------------------------------------------------------- */

static int
show_job(sqlite3_stmt *stmt, view_job_fn *fn, void *arg)
{
    struct inbox_job job = {
        .id = sqlite3_column_int64(stmt, 0),
        .created_ms = sqlite3_column_int64(stmt, 5),
        .ended_ms = sqlite3_column_int64(stmt, 6),
        .rate = sqlite3_column_int64(stmt, 7),
        .total = sqlite3_column_int64(stmt, 8),
        .moved = sqlite3_column_int64(stmt, 9),
        .after.seq = sqlite3_column_int64(stmt, 10),
        .after.plugin = (uint32_t)sqlite3_column_int64(stmt, 11),
        .done = sqlite3_column_int64(stmt, 12),
        .dead = sqlite3_column_int64(stmt, 13),
    };
    copy_text(stmt, 1, job.kind, sizeof(job.kind));
    copy_text(stmt, 2, job.state, sizeof(job.state));
    copy_text(stmt, 3, job.reason, sizeof(job.reason));
    copy_text(stmt, 4, job.filter, sizeof(job.filter));
    return fn(arg, &job);
}

#define JOB_COLUMNS                                                            \
    "SELECT id, kind, state, reason, filter, created_ms, ended_ms, rate,"      \
    " total, moved, after_seq, after_plugin, done, dead FROM job"

static int
show_jobs(struct view *view, const char *text, int64_t id, size_t limit,
          view_job_fn *fn, void *arg, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0, stop = 0;
    int rc = view_begin(view, err);
    if (rc == RC_OK) {
        rc = view_prepare(view, text, &stmt, err);
    }
    if (rc == RC_OK) {
        sqlite3_bind_int64(stmt, 1, id);
        sqlite3_bind_int64(stmt, 2, id != 0 ? id : INT64_MAX);
    }
    for (; rc == RC_OK && limit > 0 && !stop; limit--) {
        rc = view_step(view, stmt, &row, err);
        if (rc != RC_OK || !row) {
            break;
        }
        stop = show_job(stmt, fn, arg);
    }
    sqlite3_finalize(stmt);
    return view_end(view, rc);
}

int
view_jobs(struct view *view, int64_t id, size_t limit, view_job_fn *fn,
          void *arg, struct error *err)
{
    return show_jobs(view,
                     JOB_COLUMNS " WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC",
                     id, limit, fn, arg, err);
}

int
view_jobs_at_work(struct view *view, view_job_fn *fn, void *arg,
                  struct error *err)
{
    return show_jobs(view,
                     JOB_COLUMNS " WHERE state = 'running' ORDER BY id DESC", 0,
                     SIZE_MAX, fn, arg, err);
}
