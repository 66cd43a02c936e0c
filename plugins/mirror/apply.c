/* plugins/mirror: stripe_object_events has of each object the events of its
 * newest second, and of its newest thin second. Which of them are there depends
 * on the set of events alone, and so does which of those is the newest: not on
 * the order in which they came, nor on how often.
 * SPDX-License-Identifier: Apache-2.0 */
#include "apply.h"

#include "digest.h"

#include <string.h>

#define KEY       "account = $1 AND livemode = $2 AND object = $3 AND id = $4"
#define KEY_COUNT 4 /* of parameters: enum column, from 1 on */

/* The newest state is what the first of these left. Each line decides only
 * among those that the lines above it leave equal. */
#define WINNER                                                                 \
    "(SELECT event_id FROM stripe_object_events AS e WHERE " KEY " ORDER BY"   \
    " thin," /* shown only when there is nothing else */                       \
    " deleted DESC,"                                                           \
    " event_type LIKE '%.created',"                                            \
    " EXISTS (SELECT 1 FROM stripe_object_events AS next"                      \
    "  WHERE next.account = $1 AND next.livemode = $2 AND next.object = $3"    \
    "  AND next.id = $4 AND next.state_before = e.state_after"                 \
    "  AND next.state_before <> next.state_after),"                            \
    " stage DESC,"                                                             \
    " event_id DESC LIMIT 1)"

static const struct step {
    const char *text;
    int count; /* of parameters */
} steps[] = {
    /* Add it, unless it is there, or something newer. */
    {"INSERT INTO stripe_object_events (account, livemode, object, id, thin,"
     " event_created, event_id, event_type, api_version, snapshot_event,"
     " deleted, stage, state_before, state_after, data)"
     " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15"
     " WHERE NOT EXISTS (SELECT 1 FROM stripe_object_events WHERE " KEY
     "  AND thin = $5 AND event_created > $6)"
     " ON CONFLICT (account, livemode, object, id, event_id) DO NOTHING",
     COLUMNS},
    /* Forget the seconds before. */
    {"DELETE FROM stripe_object_events WHERE " KEY
     " AND thin = $5 AND event_created < $6",
     COLUMN_CREATED + 1},
    /* Show the newest. */
    {"UPDATE stripe_object_events SET newest = false WHERE " KEY
     " AND newest AND event_id <> " WINNER,
     KEY_COUNT},
    {"UPDATE stripe_object_events"
     " SET newest = true, updated_at = CURRENT_TIMESTAMP WHERE " KEY
     " AND NOT newest AND event_id = " WINNER,
     KEY_COUNT},
};

static int64_t
lock_of(const struct change *c)
{
    uint64_t hash = 0;
    for (int i = 0; i < KEY_COUNT; i++) {
        hash = digest_mix(hash, c->column[i], strlen(c->column[i]));
    }
    return (int64_t)hash;
}

int
change_apply(const struct change *c, struct sql *db)
{
    int rc = sql_begin(db, lock_of(c));
    for (size_t i = 0; rc == SQL_OK && i < sizeof(steps) / sizeof(*steps);
         i++) {
        rc = sql_run(db, steps[i].text, c->column, steps[i].count, NULL, NULL);
    }
    if (rc == SQL_OK) {
        rc = sql_commit(db);
    }
    if (rc != SQL_OK) {
        sql_rollback(db);
    }
    return rc;
}
