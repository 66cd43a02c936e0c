/* plugins/mirror: what both engines need.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sql.h"

#include "schema.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int
sql_begin(struct sql *db, int64_t lock)
{
    int rc = db->engine->open(db);
    db->kept = db->ready;
    if (rc == SQL_OK && !db->ready) {
        rc = schema_set_up(db);
        db->ready = rc == SQL_OK;
    }
    return rc == SQL_OK ? db->engine->begin(db, lock) : rc;
}

int
sql_run(struct sql *db, const char *text, const char *const *args, int count,
        sql_row_fn *row, void *arg)
{
    return db->engine->run(db, text, args, count, row, arg);
}

int
sql_commit(struct sql *db)
{
    return db->engine->commit(db);
}

void
sql_rollback(struct sql *db)
{
    char why[sizeof(db->why)];
    memcpy(why, db->why, sizeof(why)); /* the first reason is the one to tell */
    db->engine->rollback(db);
    memcpy(db->why, why, sizeof(why));
}

void
sql_free(struct sql *db)
{
    if (db != NULL) {
        db->engine->close(db);
        db->engine->free(db);
    }
}

int64_t
sql_left_ms(const struct sql *db)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left_ms =
        db->until_ms - now.tv_sec * INT64_C(1000) - now.tv_nsec / 1000000;
    return left_ms > 0 ? left_ms : 0;
}

int
sql_because(struct sql *db, int result, const char *text)
{
    int len = (int)strlen(text);
    while (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    snprintf(db->why, sizeof(db->why), "%s: %.*s", db->engine->name, len, text);
    for (char *at = db->why; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\t') {
            *at = ' ';
        }
    }
    return result;
}
