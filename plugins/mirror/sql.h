/* mirror/sql.h: the little that the mirror asks of a database. Two engines have
 * it; statements and their $1, $2 ... are the same for both.
 *
 * Every call returns by `until_ms`, and leaves its reason in `why` when it did
 * not succeed. After SQL_DOWN the connection is closed; sql_begin() makes it
 * anew.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_SQL_H
#define MIRROR_SQL_H

#include <stddef.h>
#include <stdint.h>

enum sql_result {
    SQL_OK = 0,
    SQL_BUSY = 1, /* somebody else has what it needs: soon again */
    SQL_DOWN = 2, /* it does not answer, or cannot work: later again */
    SQL_BAD = 3,  /* it will never take this value */
};

/** One row, as text; NULL for a null. Borrowed until it returns. */
typedef void sql_row_fn(void *arg, const char *const *columns);

struct sql {
    const struct sql_engine *engine;
    int64_t until_ms; /* CLOCK_MONOTONIC; set before each transaction */
    int ready;        /* connected, and the tables are there */
    int kept;         /* it was so before this transaction */
    char why[512];    /* one line; never the password */
};

/** For sql.c and schema.c: what an engine has to have. */
struct sql_engine {
    const char *name;
    const char *find_mirror; /* a SELECT: null or nothing, if there is no table
                                stripe_mirror */
    int (*open)(struct sql *db); /* does nothing if it is open */
    int (*begin)(struct sql *db, int64_t lock);
    int (*run)(struct sql *db, const char *text, const char *const *args,
               int count, sql_row_fn *row, void *arg);
    int (*commit)(struct sql *db);
    void (*rollback)(struct sql *db);
    void (*close)(struct sql *db); /* `ready` is 0 then */
    void (*free)(struct sql *db);
};

/** A database at `path`, not opened yet. NULL: out of memory. */
struct sql *sqlite_new(const char *path);

/** A database at a postgresql:// URL, not connected yet. NULL: out of memory,
 * or the URL is none. */
struct sql *postgres_new(const char *url);

/**
 * Begin a transaction that no other with the same `lock` runs beside. Connects,
 * and makes the tables, if need be.
 */
int sql_begin(struct sql *db, int64_t lock);

/**
 * Run one statement within it.
 *
 * @param args  text; NULL is null. The database's columns say what they are
 * @param row   called for each row; may be NULL
 */
int sql_run(struct sql *db, const char *text, const char *const *args,
            int count, sql_row_fn *row, void *arg);

/** After SQL_DOWN nobody knows whether it is committed. */
int sql_commit(struct sql *db);

/** End the transaction, if there is one, as if it never was. `why` stays. */
void sql_rollback(struct sql *db);

/** Close and free `db`; NULL is fine. */
void sql_free(struct sql *db);

/** Milliseconds until `until_ms`, at least 0. */
int64_t sql_left_ms(const struct sql *db);

/** For engines: leave a reason of one line, and return `result`. */
int sql_because(struct sql *db, int result, const char *text);

#endif
