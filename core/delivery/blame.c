/* core/delivery/blame.c: acts on what health.h judges of a pool's crashes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/blame.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/health.h"
#include "delivery/pool.h"
#include "log.h"
#include "plugin/generation.h"

#include <stddef.h>
#include <string.h>
#include <sys/random.h>

static struct attempt *
take_suspect(struct pool *pool)
{
    struct attempt *suspect = pool->suspect;
    pool->suspect = NULL;
    return suspect;
}

static void
charge_suspect(struct pool *pool)
{
    struct attempt *suspect = take_suspect(pool);
    if (suspect != NULL) {
        attempt_charge(suspect, pool->plugin, pool_held_ms(pool));
        attempt_finish(suspect, pool->plugin, pool->host->inbox);
    }
}

static void
spare(struct pool *pool, struct attempt *attempt, const char *why)
{
    attempt_spare(attempt, pool->plugin, why);
    attempt_finish(attempt, pool->plugin, pool->host->inbox);
}

static void
log_broken(const struct pool *pool, const struct attempt *attempt)
{
    struct log_value note, event;
    const char *text = attempt->result->note;
    log_write(LOG_ERROR, "delivery", "plugin is broken",
              "plugin=%s event=%s detail=%s action=hold_and_try_one_by_one",
              pool->plugin->config->name,
              log_word(&event, attempt->claim->event_id),
              log_quote(&note, text, strlen(text)));
}

void
blame_crash(struct pool *pool, struct attempt *attempt)
{
    uint32_t random = 0;
    (void)!getrandom(&random, sizeof(random), 0); /* 0 will do as well */
    int was_broken = pool->health.is_broken;
    switch (health_crashed(&pool->health, attempt->claim->seq, clock_mono_ms(),
                           random)) {
    case HEALTH_SUSPECT:
        pool->suspect = attempt;
        return;
    case HEALTH_SPARE:
        break;
    }
    if (!was_broken) {
        log_broken(pool, attempt);
    }
    struct attempt *suspect = take_suspect(pool);
    if (suspect != NULL) {
        spare(pool, suspect, "the plugin is broken");
    }
    spare(pool, attempt, "the plugin is broken");
}

void
blame_answered(struct pool *pool)
{
    int has_recovered = health_answered(&pool->health);
    charge_suspect(pool);
    if (has_recovered) {
        log_write(LOG_INFO, "delivery", "plugin works again", "plugin=%s",
                  pool->plugin->config->name);
        pool->host->recovered_fn(pool->host->arg, pool->id);
    }
}

void
blame_settle(struct pool *pool, int64_t now_ms, int is_alone)
{
    if (health_settle(&pool->health, now_ms, is_alone)) {
        charge_suspect(pool);
    }
}

void
blame_excuse(struct pool *pool, const char *why)
{
    struct attempt *suspect = take_suspect(pool);
    health_excuse(&pool->health);
    if (suspect != NULL) {
        spare(pool, suspect, why);
    }
}

void
blame_forget(struct pool *pool, const char *why)
{
    blame_excuse(pool, why);
    if (pool->health.is_broken) {
        log_write(LOG_INFO, "delivery", "breaker closes",
                  "plugin=%s reason=\"%s\"", pool->plugin->config->name, why);
    }
    pool->health = (struct health){.is_broken = 0};
}
