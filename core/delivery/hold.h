/* core/delivery/hold.h: for how long a plugin's deliveries were held, because
 * it was paused or broken: that time does not count for `max_age`.
 *
 * Spans are measured with the monotonic clock; the wall clock only says what a
 * former process left open. Pure: no clock, no lock, no I/O.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H

#include "inbox/inbox.h"

#include <stdint.h>

struct hold {
    struct inbox_plugin kept; /* as the inbox is to keep it */
    int64_t since_ms;         /* monotonic; of kept.held_since_ms, if that is
                                 not 0 */
};

/** The two clocks, read at once. */
struct hold_time {
    int64_t wall_ms, mono_ms;
};

/** Go on from what was kept. A pause that is over is none, and a span that is
 * open is closed, or begun anew if it goes on.
 * @return 1 when hold->kept is to be kept anew */
int hold_init(struct hold *hold, const struct inbox_plugin *kept,
              struct hold_time now);

/** Pause or resume, as in `asked`; its held times are not looked at. */
void hold_pause(struct hold *hold, const struct inbox_plugin *asked);

/** End a pause whose time is over.
 * @return 1 when that has just happened */
int hold_expire(struct hold *hold, int64_t wall_ms);

int hold_is_paused(const struct hold *hold);

/** Say whether it is held now, for whatever reason.
 * @return 1 when that changed: hold->kept is to be kept anew */
int hold_set(struct hold *hold, int is_held, struct hold_time now);

/** For how long in all, up to now. */
int64_t hold_total_ms(const struct hold *hold, int64_t mono_ms);

#endif
