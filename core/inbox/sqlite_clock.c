/* core/inbox/sqlite_clock.c: when the wall clock is set, times that were
 * written by it move along, so that nothing is tried days late, and not
 * everything at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/sqlite_engine.h"

#include "clock.h"
#include "error.h"
#include "log.h"

#include <stdio.h>

static int
keep_clock(struct sqlite_engine *engine, const char *boot, int64_t offset_ms,
           struct error *err)
{
    char sql[160];
    snprintf(sql, sizeof(sql),
             "INSERT OR REPLACE INTO clock(id, boot, offset_ms)"
             " VALUES(1, '%s', %lld)",
             boot, (long long)offset_ms);
    return sqlite_exec(engine, sql, err);
}

int
sqlite_jump(struct sqlite_engine *engine, int64_t jump_ms, struct error *err)
{
    int rc = sqlite_exec_with(
        engine,
        "UPDATE delivery SET due_ms = iif(state = 4, due_ms + ?1, due_ms),"
        " first_ms = first_ms + ?1 WHERE state <> 3 AND attempt > 0;"
        "UPDATE plugin SET held_since_ms = held_since_ms + ?1"
        " WHERE held_since_ms <> 0;"
        "UPDATE clock SET offset_ms = offset_ms + ?1",
        jump_ms, 0, err);
    for (size_t i = 0; i < engine->plugin_count && rc == RC_OK; i++) {
        if (engine->plugins[i].held_since_ms != 0) {
            engine->plugins[i].held_since_ms += jump_ms;
        }
    }
    return rc;
}

/* While the machine runs, the wall clock and the time since boot keep their
 * distance unless one sets the clock. After a boot there is only this: time
 * does not run backwards. */
static int64_t
find_jump(int same_boot, int64_t offset_ms, int64_t kept_ms, int64_t last_ms)
{
    int64_t jump_ms = 0;
    if (same_boot) {
        jump_ms = offset_ms - kept_ms;
    } else if (last_ms > clock_wall_ms()) {
        jump_ms = clock_wall_ms() - last_ms;
    }
    return jump_ms >= -CLOCK_JUMP_MS && jump_ms <= CLOCK_JUMP_MS ? 0 : jump_ms;
}

int
sqlite_check_clock(struct sqlite_engine *engine, struct error *err)
{
    char boot[CLOCK_BOOT_MAX], sql[160];
    int64_t known, kept_ms, last_ms;
    int64_t offset_ms = clock_wall_ms() - clock_boot_ms();
    clock_boot_id(boot);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM clock WHERE boot = '%s'",
             boot);
    int rc = sqlite_ask(engine, sql, &known, err);
    if (rc == RC_OK) {
        rc = sqlite_ask(engine, "SELECT offset_ms FROM clock", &kept_ms, err);
    }
    if (rc == RC_OK) {
        rc = sqlite_ask(engine,
                        "SELECT received_ms FROM event ORDER BY seq DESC"
                        " LIMIT 1",
                        &last_ms, err);
    }
    if (rc == RC_OK) {
        rc = sqlite_exec(engine, "BEGIN IMMEDIATE", err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    int64_t jump_ms = find_jump(known != 0, offset_ms, kept_ms, last_ms);
    if (jump_ms != 0) {
        log_write(LOG_WARN, "inbox", "the clock was set",
                  "by_ms=%lld action=move_what_waits", (long long)jump_ms);
        rc = sqlite_jump(engine, jump_ms, err);
    }
    if (rc == RC_OK) {
        rc = keep_clock(engine, boot, offset_ms, err);
    }
    return rc == RC_OK ? sqlite_exec(engine, "COMMIT", err) : rc;
}
