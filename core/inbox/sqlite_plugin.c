/* core/inbox/sqlite_plugin.c: what is known of each plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sqlite_plugin nothing;

const struct sqlite_plugin *
sqlite_plugin(const struct sqlite_engine *engine, uint32_t id)
{
    return id == 0 || id > engine->plugin_count ? &nothing
                                                : &engine->plugins[id - 1];
}

int64_t
sqlite_held_ms(const struct sqlite_engine *engine, uint32_t id, int64_t now_ms)
{
    const struct sqlite_plugin *plugin = sqlite_plugin(engine, id);
    return plugin->held_ms +
           (plugin->held_since_ms != 0 ? now_ms - plugin->held_since_ms : 0);
}

/* The entry of that id, made if it is not there. */
static struct sqlite_plugin *
make_entry(struct sqlite_engine *engine, uint32_t id)
{
    if (id > engine->plugin_count) {
        struct sqlite_plugin *more =
            realloc(engine->plugins, id * sizeof(*engine->plugins));
        if (more == NULL) {
            return NULL;
        }
        memset(more + engine->plugin_count, 0,
               (id - engine->plugin_count) * sizeof(*more));
        engine->plugins = more;
        engine->plugin_count = id;
    }
    return &engine->plugins[id - 1];
}

int
sqlite_load_plugins(struct sqlite_engine *engine, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(engine->db,
                           "SELECT id, ord, held_ms, held_since_ms FROM plugin",
                           -1, &stmt, NULL) != SQLITE_OK) {
        return sqlite_failure(engine, err, "cannot read plugins");
    }
    int code;
    int rc = RC_OK;
    while (rc == RC_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct sqlite_plugin *plugin =
            make_entry(engine, (uint32_t)sqlite3_column_int64(stmt, 0));
        if (plugin == NULL) {
            rc = error_set(err, RC_NOMEM, "inbox: out of memory");
        } else {
            plugin->order = (enum inbox_order)sqlite3_column_int(stmt, 1);
            plugin->held_ms = sqlite3_column_int64(stmt, 2);
            plugin->held_since_ms = sqlite3_column_int64(stmt, 3);
        }
    }
    if (rc == RC_OK && code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot read plugins");
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* ---- Another order -------------------------------------------------- */

/* All lanes of a plugin anew. Rare: its whole backlog is gone through. The
 * lowest of each lane may run, the others are held behind it; with `strict`
 * those that wait for a retry are part of that, and the lowest keeps its time.
 * What has lost its event has no lane: it must not keep us from starting. */
static const char relane_sql[] = /* ?1 the plugin, ?2 one more state, or 0 */
    "UPDATE delivery SET lane = coalesce((SELECT object_id FROM event e"
    "  WHERE e.seq = delivery.seq), '') WHERE plugin = ?1;"
    "UPDATE delivery SET state = 0 WHERE plugin = ?1 AND state = 2;"
    "UPDATE delivery SET state = 2, due_ms = 0"
    " WHERE plugin = ?1 AND lane <> '' AND state IN (0, ?2)"
    " AND (seq > (SELECT min(d.seq) FROM delivery d WHERE d.plugin = ?1"
    "   AND d.lane = delivery.lane AND d.lane <> ''"
    "   AND d.state IN (0, ?2, 2))"
    "  OR EXISTS(SELECT 1 FROM delivery d WHERE d.plugin = ?1"
    "   AND d.lane = delivery.lane AND d.lane <> '' AND d.state = 1));";

static const char unlane_sql[] =
    "UPDATE delivery SET lane = '', state = iif(state = 2, 0, state)"
    " WHERE plugin = ?1";

static int
change_order(struct sqlite_engine *engine, uint32_t id, enum inbox_order order,
             struct error *err)
{
    return sqlite_exec_with(
        engine, order == INBOX_ANY ? unlane_sql : relane_sql, id,
        order == INBOX_STRICT ? INBOX_WAITING : INBOX_READY, err);
}

/* ---- Registering ---------------------------------------------------- */

struct found {
    enum inbox_order order;
    char digest[INBOX_DIGEST_MAX + 1];
};

static int
find_plugin(struct sqlite_engine *engine, const char *name,
            struct inbox_plugin *out, struct found *found, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(
            engine->db,
            "SELECT id, ord, digest, paused_ms, paused_until_ms, reason,"
            " held_ms, held_since_ms FROM plugin WHERE name = ?1",
            -1, &stmt, NULL) != SQLITE_OK) {
        return sqlite_failure(engine, err, "cannot look up a plugin");
    }
    sqlite_bind_cstr(stmt, 1, name);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        out->id = (uint32_t)sqlite3_column_int64(stmt, 0);
        found->order = (enum inbox_order)sqlite3_column_int(stmt, 1);
        snprintf(found->digest, sizeof(found->digest), "%s",
                 (const char *)sqlite3_column_text(stmt, 2));
        out->paused_ms = sqlite3_column_int64(stmt, 3);
        out->paused_until_ms = sqlite3_column_int64(stmt, 4);
        snprintf(out->reason, sizeof(out->reason), "%s",
                 (const char *)sqlite3_column_text(stmt, 5));
        out->held_ms = sqlite3_column_int64(stmt, 6);
        out->held_since_ms = sqlite3_column_int64(stmt, 7);
    }
    int rc = code == SQLITE_ROW ? RC_OK
             : code == SQLITE_DONE
                 ? RC_NOT_FOUND
                 : sqlite_failure(engine, err, "cannot look up a plugin");
    sqlite3_finalize(stmt);
    return rc;
}

/* The plugin's row, made or brought up to date, inside a transaction. */
static int
keep_policy(struct sqlite_engine *engine, const struct inbox_policy *policy,
            struct inbox_plugin *out, struct error *err)
{
    struct found found = {.order = INBOX_ANY};
    sqlite3_stmt *stmt = NULL;
    int rc = find_plugin(engine, policy->name, out, &found, err);
    if (rc != RC_OK && rc != RC_NOT_FOUND) {
        return rc;
    }
    if (sqlite3_prepare_v2(
            engine->db,
            "INSERT INTO plugin(name, ord, digest) VALUES(?1, ?2, ?3)"
            " ON CONFLICT(name) DO UPDATE SET ord = ?2,"
            " digest = iif(?3 = '', digest, ?3) RETURNING id",
            -1, &stmt, NULL) != SQLITE_OK) {
        return sqlite_failure(engine, err, "cannot register a plugin");
    }
    sqlite_bind_cstr(stmt, 1, policy->name);
    sqlite3_bind_int(stmt, 2, (int)policy->order);
    sqlite_bind_cstr(stmt, 3, policy->digest);
    int code = sqlite3_step(stmt);
    rc = code == SQLITE_ROW
             ? RC_OK
             : sqlite_failure(engine, err, "cannot register a plugin");
    out->id = rc == RC_OK ? (uint32_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);

    if (rc == RC_OK && found.order != policy->order) {
        rc = change_order(engine, out->id, policy->order, err);
    }
    if (rc == RC_OK && policy->digest[0] != '\0' &&
        strcmp(found.digest, policy->digest) != 0) {
        /* Another program: it may well stand what that did not. */
        rc = sqlite_exec_with(engine,
                              "UPDATE delivery SET crashes = 0"
                              " WHERE plugin = ?1 AND crashes > 0",
                              out->id, 0, err);
    }
    return rc;
}

int
sqlite_register(struct inbox_engine *base, const struct inbox_policy *policy,
                int64_t now_ms, struct inbox_plugin *out, struct error *err)
{
    struct sqlite_engine *engine = (struct sqlite_engine *)(void *)base;
    struct inbox_plugin state = {0};
    (void)now_ms;
    int rc = sqlite_run(engine, QUERY_BEGIN, err);
    if (rc != RC_OK) {
        return rc;
    }
    rc = keep_policy(engine, policy, &state, err);
    struct sqlite_plugin *plugin =
        rc == RC_OK ? make_entry(engine, state.id) : NULL;
    if (rc == RC_OK && plugin == NULL) {
        rc = error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    if (rc == RC_OK) {
        rc = sqlite_run(engine, QUERY_COMMIT, err);
    }
    if (rc != RC_OK) {
        if (!sqlite3_get_autocommit(engine->db)) {
            sqlite_run(engine, QUERY_ROLLBACK, NULL);
        }
        return rc;
    }
    plugin->order = policy->order;
    plugin->collapse_twins = policy->collapse_twins;
    plugin->held_ms = state.held_ms;
    plugin->held_since_ms = state.held_since_ms;
    *out = state;
    return RC_OK;
}
