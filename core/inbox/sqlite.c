/* core/inbox/sqlite.c: the embedded engine: open, commit a batch, close.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct sqlite_engine *
self(struct inbox_engine *engine)
{
    return (struct sqlite_engine *)(void *)engine;
}

static int
code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return RC_FULL;
    case SQLITE_NOMEM:
        return RC_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return RC_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RC_BUSY;
    default:
        return RC_IO;
    }
}

int
sqlite_failure(struct sqlite_engine *engine, struct error *err,
               const char *what)
{
    int code = sqlite3_extended_errcode(engine->db);
    return error_set(err, code_of(code), "inbox: %s: %s (sqlite %d)", what,
                     sqlite3_errmsg(engine->db), code);
}

int
sqlite_run(struct sqlite_engine *engine, enum sqlite_query query,
           struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[query];
    int rc = RC_OK;
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, sqlite3_sql(stmt));
    }
    sqlite3_reset(stmt);
    return rc;
}

void
sqlite_bind_cstr(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

int
sqlite_number(struct sqlite_engine *engine, enum sqlite_query query,
              int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[query];
    int code = sqlite3_step(stmt);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    int rc = code == SQLITE_ROW || code == SQLITE_DONE
                 ? RC_OK
                 : sqlite_failure(engine, err, sqlite3_sql(stmt));
    sqlite3_reset(stmt);
    return rc;
}

/* ---- A batch -------------------------------------------------------- */

static int
apply(struct sqlite_engine *engine, struct inbox_batch *batch,
      struct error *err)
{
    int rc = RC_OK;
    batch->closed = 0;
    batch->buried = 0;
    if (batch->jump_ms != 0) {
        rc = sqlite_jump(engine, batch->jump_ms, err);
    }
    if (batch->roll != NULL && rc == RC_OK) {
        rc = sqlite_answer_roll(engine, batch->roll, batch->now_ms, err);
    }
    for (struct inbox_put *p = batch->puts; p && rc == RC_OK; p = p->next) {
        rc = sqlite_put(engine, p, err);
    }
    for (struct inbox_result *r = batch->results; r && rc == RC_OK;
         r = r->link) {
        rc = sqlite_result(engine, batch, r, err);
    }
    for (struct inbox_action *a = batch->actions; a && rc == RC_OK;
         a = a->next) {
        rc = sqlite_act(engine, a, err);
    }
    for (struct inbox_lookup *l = batch->lookups; l && rc == RC_OK;
         l = l->next) {
        rc = sqlite_look_up(engine, l, err);
    }
    if (batch->prune.before_ms != 0 && rc == RC_OK) {
        rc = sqlite_prune(engine, batch, err);
    }
    for (size_t i = 0; i < batch->want_count && rc == RC_OK; i++) {
        rc = sqlite_claim(engine, batch, &batch->wants[i], err);
    }
    return rc;
}

static void
drop_claims(struct inbox_batch *batch)
{
    for (size_t i = 0; i < batch->want_count; i++) {
        struct inbox_want *want = &batch->wants[i];
        inbox_claims_free(want->claims);
        want->claims = NULL;
        want->claimed = 0;
    }
}

static int
commit_batch(struct inbox_engine *base, struct inbox_batch *batch,
             struct error *err)
{
    struct sqlite_engine *engine = self(base);
    int rc = engine->is_doubtful ? sqlite_load_plugins(engine, err) : RC_OK;
    if (rc == RC_OK) {
        rc = sqlite_run(engine, QUERY_BEGIN, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    rc = apply(engine, batch, err);
    if (rc == RC_OK) {
        rc = sqlite_run(engine, QUERY_COMMIT, err);
        if (rc == RC_IO) {
            rc = RC_UNKNOWN; /* the flush failed: who knows what is on disk */
        }
    }
    if (rc != RC_OK) {
        if (rc != RC_UNKNOWN) {
            drop_claims(batch);
        }
        if (!sqlite3_get_autocommit(engine->db)) {
            sqlite_run(engine, QUERY_ROLLBACK, NULL);
        }
        /* What is remembered of plugins may be what was not written. */
        sqlite_load_plugins(engine, NULL); /* or with the next batch */
    }
    return rc;
}

static int
probe(struct inbox_engine *base, struct error *err)
{
    return sqlite_run(self(base), QUERY_PROBE, err);
}

static int
has_room(struct inbox_engine *base, int64_t min_free)
{
    struct statvfs disk;
    const char *path = sqlite3_db_filename(self(base)->db, "main");
    if (statvfs(path, &disk) != 0) {
        return 1; /* it cannot tell: a write will */
    }
    int64_t sixteenth = (int64_t)(disk.f_blocks / 16 * disk.f_frsize);
    int64_t free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    return free_bytes >= (min_free < sixteenth ? min_free : sixteenth);
}

/* ---- Opening and closing -------------------------------------------- */

static void
close_engine(struct inbox_engine *base)
{
    struct sqlite_engine *engine = self(base);
    for (size_t i = 0; i < QUERY_COUNT; i++) {
        sqlite3_finalize(engine->queries[i]);
    }
    sqlite3_close(engine->db);
    if (engine->lock_fd >= 0) {
        close(engine->lock_fd);
    }
    free(engine->plugins);
    free(engine);
}

static const struct inbox_engine_ops sqlite_ops = {
    .commit = commit_batch,
    .probe = probe,
    .has_room = has_room,
    .close = close_engine,
};

/* A second daemon on the same file must not even look at it: SQLite before
 * 3.51.3 can corrupt a WAL that two connections write or checkpoint. */
static int
lock_file(struct sqlite_engine *engine, const char *path, struct error *err)
{
    char lock_path[4096];
    if ((size_t)snprintf(lock_path, sizeof(lock_path), "%s.lock", path) >=
        sizeof(lock_path)) {
        return error_set(err, RC_INVALID, "inbox: path too long: %s", path);
    }
    engine->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (engine->lock_fd < 0) {
        return error_errno(err, RC_IO, errno, "inbox: cannot open %s",
                           lock_path);
    }
    if (flock(engine->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return error_errno(err, RC_IO, errno, "inbox: cannot lock %s",
                               lock_path);
        }
        return error_set(err, RC_BUSY,
                         "inbox: %s is in use by another pegboard; stop that "
                         "one first, or give this one its own state_dir",
                         path);
    }
    return RC_OK;
}

/* Bodies hold personal data: nobody else may read the file. */
static int
create_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_errno(err, RC_IO, errno, "inbox: cannot open %s", path);
    }
    close(fd);
    return RC_OK;
}

/* The file's entry in its folder must survive a power cut too. */
static int
flush_folder(const char *path, struct error *err)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s",
             slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return error_errno(err, RC_IO, saved, "inbox: cannot flush folder %s",
                           folder);
    }
    close(fd);
    return RC_OK;
}

int
sqlite_open(struct inbox_engine **out, const char *path, struct error *err)
{
    struct sqlite_engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    engine->base.ops = &sqlite_ops;
    engine->lock_fd = -1;

    int rc = lock_file(engine, path, err);
    if (rc == RC_OK) {
        rc = create_private(path, err);
    }
    if (rc == RC_OK &&
        sqlite3_open_v2(path, &engine->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK) {
        rc = sqlite_failure(engine, err, "cannot open the file");
    }
    if (rc == RC_OK) {
        rc = sqlite_prepare_file(engine, err);
    }
    if (rc == RC_OK) {
        rc = sqlite_prepare_queries(engine, err);
    }
    if (rc == RC_OK) {
        rc = sqlite_load_plugins(engine, err);
    }
    if (rc == RC_OK) {
        rc = flush_folder(path, err);
    }
    if (rc != RC_OK) {
        close_engine(&engine->base);
        return rc;
    }
    *out = &engine->base;
    return RC_OK;
}
