/* plugins/mirror: a SQLite file. Write-ahead log, so that readers and the
 * mirror do not wait for each other; a commit is on disk.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sql.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_STEP_MS 2

struct sqlite {
    struct sql sql; /* first, so that one is the other */
    sqlite3 *db;    /* NULL: not open */
    ino_t inode;    /* of the file that is open */
    int guard;      /* see take_guard(); -1: not open */
    char *path, *guard_path;
};

static void
sqlite_close(struct sql *sql)
{
    struct sqlite *s = (struct sqlite *)sql;
    sqlite3_close(s->db); /* no statement outlives its call */
    s->db = NULL;
    if (s->guard >= 0) {
        close(s->guard);
        s->guard = -1;
    }
    sql->ready = 0;
}

static int
down(struct sqlite *s, const char *text)
{
    int rc = sql_because(&s->sql, SQL_DOWN, text);
    sqlite_close(&s->sql);
    return rc;
}

static int
fail(struct sqlite *s)
{
    switch (sqlite3_errcode(s->db)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return sql_because(&s->sql, SQL_BUSY, sqlite3_errmsg(s->db));
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return sql_because(&s->sql, SQL_BAD, sqlite3_errmsg(s->db));
    default:
        return down(s, sqlite3_errmsg(s->db));
    }
}

static int
fail_errno(struct sqlite *s, const char *path)
{
    char text[400];
    snprintf(text, sizeof(text), "%.300s: %s", path, strerror(errno));
    return down(s, text);
}

static int
run_simple(struct sqlite *s, const char *text)
{
    sqlite3_busy_timeout(s->db, (int)sql_left_ms(&s->sql));
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? SQL_OK
                                                                    : fail(s);
}

/* The file is made by us, since it holds people's data: others may read it when
 * its owner says so. */
static int
open_file(struct sqlite *s)
{
    struct stat st;
    int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = fail_errno(s, s->path);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    s->inode = st.st_ino;
    close(fd);
    s->guard = open(s->guard_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->guard < 0) {
        return fail_errno(s, s->guard_path);
    }
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE, NULL) !=
        SQLITE_OK) {
        return fail(s);
    }
    return SQL_OK;
}

/* SQLite before 3.51.3 can damage a write-ahead log that two connections write
 * or checkpoint at once: its own lock ends before the checkpoint. So this one
 * is held around both, by each process of the plugin. */
static int
take_guard(struct sqlite *s)
{
    while (flock(s->guard, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail_errno(s, s->guard_path);
        }
        if (sql_left_ms(&s->sql) <= LOCK_STEP_MS) {
            return sql_because(&s->sql, SQL_BUSY,
                               "another process of this plugin writes");
        }
        nanosleep(&(struct timespec){0, LOCK_STEP_MS * 1000000}, NULL);
    }
    return SQL_OK;
}

/* A file that was moved away or replaced while it was open. */
static int
is_other_file(const struct sqlite *s)
{
    struct stat st;
    return stat(s->path, &st) != 0 || st.st_ino != s->inode;
}

static int
sqlite_open(struct sql *sql)
{
    struct sqlite *s = (struct sqlite *)sql;
    if (s->db != NULL && is_other_file(s)) {
        sqlite_close(sql);
    }
    return s->db != NULL ? SQL_OK : open_file(s);
}

static int
sqlite_begin(struct sql *sql, int64_t lock)
{
    struct sqlite *s = (struct sqlite *)sql;
    (void)lock; /* one writes at a time anyway */
    int rc = take_guard(s);
    if (rc == SQL_OK && !sql->ready) {
        rc = run_simple(s, "PRAGMA journal_mode = WAL;"
                           "PRAGMA synchronous = FULL");
    }
    return rc == SQL_OK ? run_simple(s, "BEGIN IMMEDIATE") : rc;
}

/* @return SQLite's code */
static int
bind(sqlite3_stmt *stmt, const char *const *args, int count)
{
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && i < count; i++) {
        char name[8];
        snprintf(name, sizeof(name), "$%d", i + 1);
        int at = sqlite3_bind_parameter_index(stmt, name);
        if (at > 0) {
            code = sqlite3_bind_text(stmt, at, args[i], -1, SQLITE_STATIC);
        }
    }
    return code;
}

static void
give_row(sqlite3_stmt *stmt, sql_row_fn *row, void *arg)
{
    const char *columns[16] = {NULL};
    int count = sqlite3_column_count(stmt);
    for (int i = 0; i < count && i < 16; i++) {
        columns[i] = (const char *)sqlite3_column_text(stmt, i);
    }
    row(arg, columns);
}

static int
sqlite_run(struct sql *sql, const char *text, const char *const *args,
           int count, sql_row_fn *row, void *arg)
{
    struct sqlite *s = (struct sqlite *)sql;
    sqlite3_stmt *stmt = NULL;
    sqlite3_busy_timeout(s->db, (int)sql_left_ms(sql));
    if (sqlite3_prepare_v2(s->db, text, -1, &stmt, NULL) != SQLITE_OK) {
        return fail(s);
    }
    int code = bind(stmt, args, count);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW && row != NULL) {
            give_row(stmt, row, arg);
        }
    }
    sqlite3_finalize(stmt); /* the error stays with the connection */
    return code == SQLITE_DONE ? SQL_OK : fail(s);
}

static int
sqlite_commit(struct sql *sql)
{
    struct sqlite *s = (struct sqlite *)sql;
    int rc = run_simple(s, "COMMIT"); /* and a checkpoint, when one is due */
    if (rc == SQL_OK) {
        (void)flock(s->guard, LOCK_UN);
    }
    return rc;
}

static void
sqlite_rollback(struct sql *sql)
{
    struct sqlite *s = (struct sqlite *)sql;
    if (s->db == NULL) {
        return;
    }
    if (!sqlite3_get_autocommit(s->db) &&
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK) {
        sqlite_close(sql); /* which undoes it, and lets the guard go */
        return;
    }
    (void)flock(s->guard, LOCK_UN);
}

static void
sqlite_free(struct sql *sql)
{
    struct sqlite *s = (struct sqlite *)sql;
    free(s->path);
    free(s->guard_path);
    free(s);
}

static const struct sql_engine engine = {
    .name = "sqlite",
    .find_mirror =
        "SELECT name FROM sqlite_master WHERE name = 'stripe_mirror'",
    .open = sqlite_open,
    .begin = sqlite_begin,
    .run = sqlite_run,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .close = sqlite_close,
    .free = sqlite_free,
};

struct sql *
sqlite_new(const char *path)
{
    struct sqlite *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->sql.engine = &engine;
    s->guard = -1;
    s->path = strdup(path);
    if (s->path == NULL || asprintf(&s->guard_path, "%s-writer", path) < 0) {
        s->guard_path = NULL;
        sqlite_free(&s->sql);
        return NULL;
    }
    /* Past the limit on a file's size: an error to report, not our end. */
    (void)signal(SIGXFSZ, SIG_IGN);
    return &s->sql;
}
