/* core/reload/answer.h: how a reload went, for the log and for who asked;
 * private to the reload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RELOAD_ANSWER_H
#define CORE_RELOAD_ANSWER_H

#include "reload/reload.h"

#include <stddef.h>

/** A copy; also on failure reload_answer_fini() is due.
 * @return RC_OK or RC_NOMEM */
int answer_copy(struct reload_answer *to, const struct reload_answer *from);

/** Its first mistake, or why; "" when it went well. */
void answer_first(const struct reload_answer *answer, char *out, size_t size);

/** It is the last one now, unless it was a mere try. */
void answer_note(const struct reload_answer *answer, struct reload_last *last);

/** Write it to the log: every change, or every mistake, a line each. */
void answer_log(const struct reload_answer *answer);

/** ... and that runners overran the drain. */
void answer_log_killed(const struct reload_answer *answer);

#endif
