/* core/plugin/hearing.h: what a runner says while nobody but its seat listens;
 * private to seat.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HEARING_H
#define CORE_HEARING_H

struct error;
struct seat;

/** Pass on what it prints, as log lines; all of it with `flush`. */
void hearing_output(struct seat *seat, int flush);

/**
 * Read what a runner says that is starting, or parked, and take it through its
 * start: from SEAT_LOADING to SEAT_INIT to SEAT_PARKED.
 *
 * @return RC_OK; RC_CLOSED at the end of the stream; or why it is good for
 *         nothing, with the text in `err`
 */
int hearing_start(struct seat *seat, struct error *err);

/** Pass on what its shutdown() has to say. */
void hearing_leave(struct seat *seat);

#endif
