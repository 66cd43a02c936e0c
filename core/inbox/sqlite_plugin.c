/* core/inbox/sqlite_plugin.c: what is known of each plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

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

struct sqlite_plugin *
sqlite_make_plugin(struct sqlite_engine *engine, uint32_t id)
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
                           "SELECT id, ord, collapse, held_ms, held_since_ms"
                           " FROM plugin",
                           -1, &stmt, NULL) != SQLITE_OK) {
        return sqlite_failure(engine, err, "cannot read plugins");
    }
    int code;
    int rc = RC_OK;
    while (rc == RC_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct sqlite_plugin *plugin =
            sqlite_make_plugin(engine, (uint32_t)sqlite3_column_int64(stmt, 0));
        if (plugin == NULL) {
            rc = error_set(err, RC_NOMEM, "inbox: out of memory");
        } else {
            plugin->order = (enum inbox_order)sqlite3_column_int(stmt, 1);
            plugin->collapse_twins = sqlite3_column_int(stmt, 2);
            plugin->held_ms = sqlite3_column_int64(stmt, 3);
            plugin->held_since_ms = sqlite3_column_int64(stmt, 4);
        }
    }
    if (rc == RC_OK && code != SQLITE_DONE) {
        rc = sqlite_failure(engine, err, "cannot read plugins");
    }
    sqlite3_finalize(stmt);
    engine->is_doubtful = rc != RC_OK;
    return rc;
}
