/* core/delivery/tail.h: the running commentary in a developer's terminal.
 *
 *   2026-11-23 09:41:02   --> payment_intent.succeeded [evt_1Q...]
 *   2026-11-23 09:41:02  <--  [200] POST /webhook 3 ms [evt_1Q...]
 *   2026-11-23 09:41:02  <--  [done] receipts 1 ms [evt_1Q...]
 *
 * The columns are those of the Stripe CLI. Lines go to standard output, each in
 * one write; calls come from many threads. Off until tail_start().
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TAIL_H
#define CORE_TAIL_H

#include <stdint.h>

/** Begin to write lines, coloured or not. */
void tail_start(int color);

/** An authentic event came in. */
void tail_arrived(const char *type, const char *event_id, const char *account);

/** It was answered; `event_id` is "" when there is none to name. A `duplicate`
 * was stored before. */
void tail_answered(int status, const char *path, int64_t took_ms, int duplicate,
                   const char *event_id);

/** An attempt ended. `verdict` as in "done" or "retry 2, next in 15 s";
 * `detail` is "" or why. */
void tail_delivered(const char *verdict, const char *plugin, int64_t took_ms,
                    const char *detail, const char *event_id);

#endif
