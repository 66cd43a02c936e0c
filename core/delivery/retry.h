/* core/delivery/retry.h: when a failed delivery is tried again, and when not.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include <stdint.h>

struct config_plugin;

/** What retry_decide() goes by. Times are milliseconds on one clock. */
struct retry_case {
    uint32_t attempt; /* the one that failed, of those that count; 1: first */
    int64_t first_ms; /* when the first attempt began */
    int64_t now_ms;
    int64_t held_ms;  /* for how much of that time the plugin was held */
    int64_t asked_ms; /* delay the handler asked for; -1 for none */
    uint32_t random;  /* any 32 bits, for the jitter */
};

/** A delay that a handler asks for is at most this. */
#define RETRY_ASKED_MAX_MS (24LL * 3600 * 1000)

/** The wait after attempt number `attempt`: from `retry`'s first value, three
 * times longer each time, up to its largest, with a jitter of a quarter either
 * way. In milliseconds. */
int64_t retry_delay(const struct config_plugin *policy, uint32_t attempt,
                    uint32_t random);

/**
 * The wait before the next attempt: as retry_delay(), or what the handler
 * asked for. Time for which the plugin was held does not count for max_age.
 *
 * @return milliseconds, or -1 when max_attempts or max_age is used up
 */
int64_t retry_decide(const struct config_plugin *policy,
                     const struct retry_case *c);

#endif
