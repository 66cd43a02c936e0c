/* core/inbox/sqlite_lane.c: who may run beside whom.
 *
 * Of a lane at most one delivery is ready or leased; what came after it is held
 * in a state of its own, so that looking for work never meets what may not run
 * yet. Each is held once and promoted once: the cost does not grow with the
 * length of a lane.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "error.h"

const char *
sqlite_lane_of(const struct sqlite_engine *engine, uint32_t plugin,
               const char *object_id)
{
    return sqlite_plugin(engine, plugin)->order == INBOX_ANY ? "" : object_id;
}

/* Whether one of the lane is ready, leased, or in one of two more states. */
static int
is_taken(struct sqlite_engine *engine, uint32_t plugin, const char *lane,
         int also, int and_also, int *out, struct error *err)
{
    sqlite3_stmt *stmt = engine->queries[QUERY_LANE_TAKEN];
    int64_t taken;
    sqlite3_bind_int64(stmt, 1, plugin);
    sqlite_bind_cstr(stmt, 2, lane);
    sqlite3_bind_int(stmt, 3, also);
    sqlite3_bind_int(stmt, 4, and_also);
    int rc = sqlite_number(engine, QUERY_LANE_TAKEN, &taken, err);
    *out = taken != 0;
    return rc;
}

int
sqlite_lane_enter(struct sqlite_engine *engine, uint32_t plugin,
                  const char *lane, int *state, struct error *err)
{
    enum inbox_order order = sqlite_plugin(engine, plugin)->order;
    int taken = 0;
    int rc = RC_OK;
    if (lane[0] != '\0' && order != INBOX_ANY) {
        rc = is_taken(engine, plugin, lane, INBOX_HELD,
                      order == INBOX_STRICT ? INBOX_WAITING : INBOX_HELD,
                      &taken, err);
    }
    *state = taken ? INBOX_HELD : INBOX_READY;
    return rc;
}

int
sqlite_lane_return(struct sqlite_engine *engine, uint32_t plugin,
                   const char *lane, int *state, struct error *err)
{
    int taken = 0;
    int rc = RC_OK;
    if (lane[0] != '\0' && sqlite_plugin(engine, plugin)->order != INBOX_ANY) {
        rc = is_taken(engine, plugin, lane, INBOX_READY, INBOX_READY, &taken,
                      err);
    }
    /* With `strict` it has kept its place, and nobody runs; unless the order
     * was changed while two of the lane were out. */
    *state = taken ? INBOX_HELD : INBOX_READY;
    return rc;
}

int
sqlite_lane_leave(struct sqlite_engine *engine, uint32_t plugin,
                  const char *lane, int waits, struct error *err)
{
    enum inbox_order order = sqlite_plugin(engine, plugin)->order;
    if (lane[0] == '\0' || order == INBOX_ANY ||
        (order == INBOX_STRICT && waits)) {
        return RC_OK;
    }
    sqlite3_stmt *stmt = engine->queries[QUERY_PROMOTE];
    sqlite3_bind_int64(stmt, 1, plugin);
    sqlite_bind_cstr(stmt, 2, lane);
    sqlite3_bind_int(stmt, 3,
                     order == INBOX_STRICT ? INBOX_WAITING : INBOX_READY);
    return sqlite_run(engine, QUERY_PROMOTE, err);
}
