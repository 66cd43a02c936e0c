/* core/delivery/attempt.h: one attempt at a delivery, from hand-out to result;
 * private to the dispatcher's files.
 *
 * The room for its result is there from the beginning, so that no verdict is
 * lost for want of memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ATTEMPT_H
#define CORE_ATTEMPT_H

#include "inbox/inbox.h"

#include <stdint.h>

struct plugin;

struct attempt {
    struct attempt *next;
    struct inbox_claim *claim;
    struct inbox_result *result;
    int64_t first_ms; /* when the first attempt at this delivery began;
                         monotonic, so that setting the clock does not age it */
    int64_t begun_us; /* monotonic; 0: not begun */
    int64_t delay_ms; /* before the next one, if there is to be one */
};

/** Take over a claim that has just come. NULL when out of memory: then the
 * claim stays the caller's. */
struct attempt *attempt_open(struct inbox_claim *claim);

/** Free it and what it still has. Accepts NULL. */
void attempt_close(struct attempt *attempt);

/** Give the claim back as if it had never been made. Frees. */
void attempt_undo(struct attempt *attempt, struct inbox *inbox);

/** It begins now. */
void attempt_begin(struct attempt *attempt);

/** It has ended; what becomes of the delivery is still to be said: with
 * INBOX_DONE and INBOX_SKIP nothing, with INBOX_FAIL it is buried. */
void attempt_end(struct attempt *attempt, enum inbox_outcome outcome);

/** It is not for this plugin: skipped, and nobody has seen it. */
void attempt_pass_over(struct attempt *attempt, const char *why);

/**
 * It failed: again after a while, or never.
 *
 * @param held_ms   for how long the plugin has been held in all
 * @param asked_ms  delay the handler asked for; -1 for none
 */
void attempt_retry(struct attempt *attempt, const struct plugin *plugin,
                   int64_t held_ms, int64_t asked_ms);

/** A verdict that comes with changes: say what becomes of it should there be no
 * room for them. */
void attempt_offer(struct attempt *attempt, const struct plugin *plugin,
                   int64_t held_ms);

/** It took its runner along, and is to blame. */
void attempt_charge(struct attempt *attempt, const struct plugin *plugin,
                    int64_t held_ms);

/** It failed, does not count, and is due after the delay of those that do.
 * @param why  put into the note behind "does not count: " */
void attempt_spare(struct attempt *attempt, const struct plugin *plugin,
                   const char *why);

/** It was cut short by us: due at once, and does not count.
 * @param by  "our stop" */
void attempt_lose(struct attempt *attempt, const char *by);

/** Its plugin is another program now: crashes before this attempt are no more
 * held against it. */
void attempt_forget_crashes(struct attempt *attempt);

/** Tell the log and the developer's terminal how it went, and the inbox. Frees.
 */
void attempt_finish(struct attempt *attempt, const struct plugin *plugin,
                    struct inbox *inbox);

#endif
