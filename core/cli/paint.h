/* core/cli/paint.h: the colours of states. The word itself always stands there
 * too: colour carries no meaning of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PAINT_H
#define CORE_PAINT_H

/** Codes for a terminal. */
#define PAINT_GOOD "\033[32m"
#define PAINT_WARN "\033[33m"
#define PAINT_BAD  "\033[31m"
#define PAINT_DIM  "\033[2m"
#define PAINT_OFF  "\033[0m"

/** The code for a state of an event, delivery, plugin or job, or for an
 * attempt's outcome; "" for none. */
const char *paint_state(const char *state);

#endif
