/* core/delivery/tail.h: the running commentary: in a developer's terminal, and
 * for those who follow it through the admin API.
 *
 *   2026-11-23 09:41:02   --> payment_intent.succeeded [evt_1Q...]
 *   2026-11-23 09:41:02  <--  [200] POST /webhook 3 ms [evt_1Q...]
 *   2026-11-23 09:41:02  <--  [done] receipts 1 ms [evt_1Q...]
 *
 * The columns are those of the Stripe CLI. Lines go to standard output, each in
 * one write; calls come from many threads. Off until tail_start(), and nothing
 * is kept for followers while there are none.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TAIL_H
#define CORE_TAIL_H

#include <stddef.h>
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

/* ---- For followers -------------------------------------------------- */

#define TAIL_RECORDS 1024 /* kept; a follower slower than that loses some */

enum tail_kind { TAIL_ARRIVED = 0, TAIL_ANSWERED = 1, TAIL_DELIVERED = 2 };

/** One line of the commentary, as data. Text is as it came, longer text is cut
 * (never inside of a character); "" when absent. */
struct tail_record {
    uint64_t number; /* 1 for the first; without gaps */
    int64_t at_ms;   /* wall clock */
    enum tail_kind kind;
    int status;      /* of an answer */
    int duplicate;   /* ... to what was stored before */
    int64_t took_ms; /* not of an arrival */
    char event_id[256], type[256], account[256];
    char path[256]; /* of an answer */
    char plugin[33];
    char verdict[64];
    char detail[512];
};

/** One follower more (1) or less (-1).
 * @return the newest record's number so far: what comes is behind it */
uint64_t tail_listen(int change);

/**
 * Copy the records behind number `after`, oldest first.
 *
 * @param lost  out: how many of them are not kept any more
 * @return how many were written to `out`, `max` at most
 */
size_t tail_read(uint64_t after, struct tail_record *out, size_t max,
                 uint64_t *lost);

/** Wait for a record behind number `after`.
 * @param deadline_ms  monotonic
 * @return 1 when there is one, 0 when the time is over */
int tail_wait(uint64_t after, int64_t deadline_ms);

#endif
