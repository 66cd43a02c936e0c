/* core/delivery/talk.h: what a serving runner says; private to the dispatcher's
 * files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TALK_H
#define CORE_TALK_H

struct wire_frame;
struct worker;

/** Deal with one frame: a line for the log, a question for a key, a verdict.
 * @return RC_OK; RC_INVALID for what a sound runner would not send */
int talk_on_frame(struct worker *worker, struct wire_frame *frame);

#endif
