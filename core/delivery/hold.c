/* core/delivery/hold.c: for how long a plugin's deliveries were held.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/hold.h"

#include <stdio.h>

int
hold_is_paused(const struct hold *hold)
{
    return hold->kept.paused_ms != 0;
}

int
hold_expire(struct hold *hold, int64_t wall_ms)
{
    struct inbox_plugin *kept = &hold->kept;
    if (kept->paused_ms == 0 || kept->paused_until_ms == 0 ||
        wall_ms < kept->paused_until_ms) {
        return 0;
    }
    kept->paused_ms = 0;
    kept->paused_until_ms = 0;
    kept->reason[0] = '\0';
    return 1;
}

void
hold_pause(struct hold *hold, const struct inbox_plugin *asked)
{
    struct inbox_plugin *kept = &hold->kept;
    kept->paused_ms = asked->paused_ms;
    kept->paused_until_ms = asked->paused_until_ms;
    snprintf(kept->reason, sizeof(kept->reason), "%s", asked->reason);
}

int
hold_set(struct hold *hold, int is_held, struct hold_time now)
{
    struct inbox_plugin *kept = &hold->kept;
    if (is_held == (kept->held_since_ms != 0)) {
        return 0;
    }
    if (is_held) {
        kept->held_since_ms = now.wall_ms;
        hold->since_ms = now.mono_ms;
    } else {
        kept->held_ms = hold_total_ms(hold, now.mono_ms);
        kept->held_since_ms = 0;
    }
    return 1;
}

int
hold_init(struct hold *hold, const struct inbox_plugin *kept,
          struct hold_time now)
{
    *hold = (struct hold){.kept = *kept};
    hold_expire(hold, now.wall_ms);
    int was_held = kept->held_since_ms != 0;
    if (was_held) {
        /* Its beginning is known by the wall clock alone, which may have been
         * set back since. */
        int64_t span_ms = now.wall_ms - kept->held_since_ms;
        hold->kept.held_ms += span_ms > 0 ? span_ms : 0;
        hold->kept.held_since_ms = 0;
    }
    return hold_set(hold, hold_is_paused(hold), now) || was_held;
}

int64_t
hold_total_ms(const struct hold *hold, int64_t mono_ms)
{
    const struct inbox_plugin *kept = &hold->kept;
    int64_t open_ms = kept->held_since_ms != 0 ? mono_ms - hold->since_ms : 0;
    return kept->held_ms + open_ms;
}
