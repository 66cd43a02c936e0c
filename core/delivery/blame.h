/* core/delivery/blame.h: acts on what health.h judges of a pool's crashes;
 * private to the dispatcher's files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BLAME_H
#define CORE_BLAME_H

#include <stdint.h>

struct attempt;
struct pool;

/** An attempt ended with a crash or a timeout; it is taken over. */
void blame_crash(struct pool *pool, struct attempt *attempt);

/** A verdict came. */
void blame_answered(struct pool *pool);

/** Look at the clock; see health_settle(). */
void blame_settle(struct pool *pool, int64_t now_ms, int is_alone);

/** Nothing more will be tried for now: the suspect goes free. */
void blame_excuse(struct pool *pool, const char *why);

/** All that is known of the plugin's health is out of date: the suspect goes
 * free, and the breaker closes. */
void blame_forget(struct pool *pool, const char *why);

#endif
