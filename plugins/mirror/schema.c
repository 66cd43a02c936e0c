/* plugins/mirror: the tables are made once, whole, and say of which version
 * they are: what comes later can tell them from its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <stdio.h>
#include <string.h>

#define VERSION "1"

/* Both databases read it: SQLite takes any word for a type. */
static const char *const tables[] = {
    "CREATE TABLE stripe_object_events ("
    " account text NOT NULL,"
    " livemode boolean NOT NULL,"
    " object text NOT NULL,"
    " id text NOT NULL,"
    " thin boolean NOT NULL,"
    " event_created bigint NOT NULL,"
    " event_id text NOT NULL,"
    " event_type text NOT NULL,"
    " api_version text,"
    " snapshot_event text NOT NULL,"
    " deleted boolean NOT NULL,"
    " stage integer NOT NULL,"
    " state_before bigint,"
    " state_after bigint,"
    " data jsonb,"
    " newest boolean NOT NULL DEFAULT false,"
    " updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,"
    " PRIMARY KEY (account, livemode, object, id, event_id))",

    /* By its help objects of one kind are found; and it keeps, whatever else
     * may fail, that no object is there twice. */
    "CREATE UNIQUE INDEX stripe_objects_by_kind"
    " ON stripe_object_events (object, id, account, livemode) WHERE newest",

    "CREATE VIEW stripe_objects AS"
    " SELECT account, livemode, object, id, data, deleted, event_id,"
    " event_type, event_created, api_version,"
    " thin OR EXISTS (SELECT 1 FROM stripe_object_events AS later"
    "  WHERE later.account = shown.account"
    "  AND later.livemode = shown.livemode AND later.object = shown.object"
    "  AND later.id = shown.id AND later.thin"
    "  AND later.event_created > shown.event_created"
    "  AND later.snapshot_event <> shown.event_id) AS stale,"
    " updated_at"
    " FROM stripe_object_events AS shown WHERE newest",

    "CREATE TABLE stripe_mirror (version integer NOT NULL)",
    "INSERT INTO stripe_mirror VALUES (" VERSION ")",
};

/* A sql_row_fn. */
static void
take_text(void *text, const char *const *columns)
{
    if (columns[0] != NULL) {
        snprintf(text, 16, "%s", columns[0]);
    }
}

int
schema_set_up(struct sql *db)
{
    const struct sql_engine *engine = db->engine;
    char found[16] = "", version[16] = "";
    int rc = engine->begin(db, 0); /* one makes them, the others wait */
    if (rc == SQL_OK) {
        rc = engine->run(db, engine->find_mirror, NULL, 0, take_text, found);
    }
    /* Looked for first: who may write rows need not be one who may make
     * tables. */
    size_t count = found[0] != '\0' ? 0 : sizeof(tables) / sizeof(tables[0]);
    for (size_t i = 0; rc == SQL_OK && i < count; i++) {
        rc = engine->run(db, tables[i], NULL, 0, NULL, NULL);
    }
    if (rc == SQL_OK) {
        rc = engine->run(db, "SELECT version FROM stripe_mirror", NULL, 0,
                         take_text, version);
    }
    if (rc == SQL_OK && strcmp(version, VERSION) != 0) {
        return sql_because(db, SQL_DOWN,
                           "the tables are not of version " VERSION
                           ", the only one that this mirror knows");
    }
    return rc == SQL_OK ? engine->commit(db) : rc;
}
