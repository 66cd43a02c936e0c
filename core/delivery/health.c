/* core/delivery/health.c: is it the event or the plugin?
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/health.h"

/* Doubled with each failed try; spread over the last quarter, so that plugins
 * which broke together do not try together, and never longer than the most. */
static int64_t
pause_ms(unsigned tries, uint32_t random)
{
    int64_t full_ms = HEALTH_PAUSE_FIRST_MS;
    for (unsigned n = 0; n < tries && full_ms < HEALTH_PAUSE_MAX_MS; n++) {
        full_ms *= 2;
    }
    if (full_ms > HEALTH_PAUSE_MAX_MS) {
        full_ms = HEALTH_PAUSE_MAX_MS;
    }
    uint64_t quarter_ms = (uint64_t)full_ms / 4;
    return full_ms - (int64_t)(quarter_ms * random / UINT32_MAX);
}

enum health_judgement
health_crashed(struct health *health, int64_t seq, int64_t now_ms,
               uint32_t random)
{
    if (health->is_broken) {
        /* What was in work when the breaker opened may crash before the next
         * try: that is no failed try. */
        if (now_ms >= health->try_at_ms) {
            health->tries++;
            health->try_at_ms = now_ms + pause_ms(health->tries, random);
        }
        return HEALTH_SPARE;
    }
    int64_t former = health->last_crashed;
    health->last_crashed = seq;
    if (former != 0 && former != seq) {
        health->is_broken = 1;
        health->suspect = 0;
        health->tries = 0;
        health->try_at_ms = now_ms + pause_ms(0, random);
        return HEALTH_SPARE;
    }
    health->suspect = seq;
    health->suspect_until_ms = now_ms + HEALTH_SUSPECT_MS;
    return HEALTH_SUSPECT;
}

int
health_answered(struct health *health)
{
    int was_broken = health->is_broken;
    *health = (struct health){.is_broken = 0};
    return was_broken;
}

int
health_settle(struct health *health, int64_t now_ms, int is_alone)
{
    if (health->suspect == 0) {
        return 0;
    }
    if (!is_alone) {
        health->suspect_until_ms = now_ms + HEALTH_SUSPECT_MS;
        return 0;
    }
    if (now_ms < health->suspect_until_ms) {
        return 0;
    }
    health->suspect = 0; /* but still the last that crashed */
    return 1;
}

void
health_excuse(struct health *health)
{
    health->suspect = 0;
}

int
health_is_wary(const struct health *health)
{
    return health->is_broken || health->suspect != 0;
}

int
health_may_begin(const struct health *health, int64_t now_ms, unsigned trials)
{
    if (!health_is_wary(health)) {
        return 1;
    }
    return trials == 0 && (!health->is_broken || now_ms >= health->try_at_ms);
}
