/* core/clock.h: the two clocks. Deadlines come from the monotonic one, stamps
 * that are stored or shown from the wall clock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

/** Milliseconds since an arbitrary start; never steps back. */
int64_t clock_mono_ms(void);

/** Microseconds on the same clock as clock_mono_ms(). */
int64_t clock_mono_us(void);

/** Milliseconds since 1970 UTC; may jump when the clock is set. */
int64_t clock_wall_ms(void);

/**
 * Milliseconds from now until monotonic time `deadline_ms`, as poll() and
 * epoll_wait() take it: 0 if past, -1 for "no deadline" (INT64_MAX).
 */
int clock_poll_ms(int64_t deadline_ms);

#endif
