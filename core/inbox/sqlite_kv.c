/* core/inbox/sqlite_kv.c: the small store that each plugin has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
sqlite_look_up(struct sqlite_engine *engine, struct inbox_lookup *lookup,
               struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_KV_GET];
    sqlite3_bind_int64(stmt, 1, lookup->plugin);
    sqlite3_bind_blob64(stmt, 2, lookup->key, lookup->key_len, SQLITE_STATIC);
    int code = sqlite3_step(stmt);
    lookup->rc = code == SQLITE_ROW ? RC_OK : RC_NOT_FOUND;
    lookup->version = 0;
    free(lookup->value); /* of a batch that failed */
    lookup->value = NULL;
    lookup->value_len = 0;
    int rc = RC_OK;
    if (code == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(stmt, 1);
        lookup->version = sqlite3_column_int64(stmt, 0);
        lookup->value = malloc(len + 1);
        if (lookup->value == NULL) {
            lookup->rc = RC_NOMEM;
        } else {
            if (len > 0) {
                memcpy(lookup->value, sqlite3_column_blob(stmt, 1), len);
            }
            lookup->value_len = len;
        }
    } else if (code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot read a plugin's store");
    }
    sqlite3_reset(stmt);
    return rc;
}

/* ---- Changes -------------------------------------------------------- */

static void
bind_key(sqlite3_stmt *stmt, uint32_t plugin, const struct inbox_change *change)
{
    sqlite3_bind_int64(stmt, 1, plugin);
    sqlite3_bind_blob64(stmt, 2, change->key, change->key_len, SQLITE_STATIC);
}

/* The key as it is now: version 0 and no bytes when it is not there. */
static int
current(struct sqlite_engine *engine, uint32_t plugin,
        const struct inbox_change *change, int64_t *version, int64_t *bytes,
        struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_KV_GET];
    int rc = RC_OK;
    *version = 0;
    *bytes = 0;
    bind_key(stmt, plugin, change);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *version = sqlite3_column_int64(stmt, 0);
        *bytes =
            (int64_t)change->key_len + (int64_t)sqlite3_column_bytes(stmt, 1);
    } else if (code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot read a plugin's store");
    }
    sqlite3_reset(stmt);
    return rc;
}

/* Whether all that was read is still so, and how the size changes. */
static int
check_changes(struct sqlite_engine *engine, uint32_t plugin,
              const struct inbox_change *changes, int64_t *more,
              struct sqlite_refusal *refusal, struct error *err)
{
    *more = 0;
    for (const struct inbox_change *c = changes; c != NULL; c = c->next) {
        int64_t version, bytes;
        int rc = current(engine, plugin, c, &version, &bytes, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (c->seen >= 0 && c->seen != version) {
            snprintf(refusal->text, sizeof(refusal->text),
                     "another attempt changed key \"%.*s\" meanwhile: run "
                     "again",
                     (int)c->key_len, c->key);
            return RC_OK;
        }
        if (c->writes != 0) {
            *more -= bytes;
        }
        if (c->writes == 1) {
            *more += (int64_t)(c->key_len + c->value_len);
        }
    }
    return RC_OK;
}

static int
write_change(struct sqlite_engine *engine, uint32_t plugin,
             const struct inbox_change *change, struct error *err)
{
    enum sqlite_query query =
        change->writes == 1 ? QUERY_KV_PUT : QUERY_KV_DELETE;
    sqlite3_stmt *stmt = engine->queries[query];
    bind_key(stmt, plugin, change);
    if (change->writes == 1) {
        sqlite3_bind_blob64(stmt, 3, change->value_len > 0 ? change->value : "",
                            change->value_len, SQLITE_STATIC);
    }
    return sqlite_run(engine, query, err);
}

int
sqlite_change(struct sqlite_engine *engine, uint32_t plugin,
              const struct inbox_change *changes,
              struct sqlite_refusal *refusal, struct error *err)
{
    int64_t more;
    refusal->text[0] = '\0';
    refusal->is_full = 0;
    int rc = check_changes(engine, plugin, changes, &more, refusal, err);
    if (rc != RC_OK || refusal->text[0] != '\0') {
        return rc;
    }
    sqlite3_stmt *account = engine->queries[QUERY_KV_ACCOUNT];
    sqlite3_bind_int64(account, 1, plugin);
    sqlite3_bind_int64(account, 2, more);
    /* What makes it smaller is always allowed. */
    sqlite3_bind_int64(account, 3, more > 0 ? INBOX_PLUGIN_BYTES : INT64_MAX);
    rc = sqlite_run(engine, QUERY_KV_ACCOUNT, err);
    if (rc == RC_OK && sqlite3_changes(engine->db) == 0) {
        refusal->is_full = 1;
        snprintf(refusal->text, sizeof(refusal->text),
                 "the plugin's store is full (%lld MB): delete keys that are "
                 "not needed any more",
                 INBOX_PLUGIN_BYTES >> 20);
        return RC_OK;
    }
    for (const struct inbox_change *c = changes; c && rc == RC_OK;
         c = c->next) {
        if (c->writes != 0) {
            rc = write_change(engine, plugin, c, err);
        }
    }
    return rc;
}
