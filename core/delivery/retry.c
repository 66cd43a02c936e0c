/* core/delivery/retry.c: when a failed delivery is tried again, and when not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/retry.h"

#include "config/config.h"

#define RETRY_FACTOR 3

static int64_t
planned_ms(const struct config_plugin *policy, uint32_t attempt)
{
    int64_t delay_ms = policy->retry_first_ms;
    for (uint32_t n = 1; n < attempt && delay_ms < policy->retry_max_ms; n++) {
        delay_ms *= RETRY_FACTOR;
    }
    return delay_ms < policy->retry_max_ms ? delay_ms : policy->retry_max_ms;
}

/* Spread evenly over three to five quarters of the delay, so that what failed
 * together does not come back together. */
static int64_t
jittered_ms(int64_t delay_ms, uint32_t random)
{
    int64_t quarter_ms = delay_ms / 4;
    return delay_ms - quarter_ms +
           (int64_t)((uint64_t)quarter_ms * 2 * random / UINT32_MAX);
}

int64_t
retry_delay(const struct config_plugin *policy, uint32_t attempt,
            uint32_t random)
{
    return jittered_ms(planned_ms(policy, attempt), random);
}

int64_t
retry_decide(const struct config_plugin *policy, const struct retry_case *c)
{
    int64_t delay_ms =
        c->asked_ms < RETRY_ASKED_MAX_MS ? c->asked_ms : RETRY_ASKED_MAX_MS;
    if (c->asked_ms < 0) {
        delay_ms = retry_delay(policy, c->attempt, c->random);
    }
    int64_t age_ms = c->now_ms - c->first_ms - c->held_ms;
    if ((int64_t)c->attempt >= policy->max_attempts ||
        age_ms + delay_ms > policy->max_age_ms) {
        return -1;
    }
    return delay_ms;
}
