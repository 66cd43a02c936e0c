/* core/clock.h: the clocks. Deadlines come from the monotonic one, stamps that
 * are stored or shown from the wall clock, and the time since boot tells when
 * that was set.
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

/** Milliseconds since boot, suspended or not; only an offset to the wall clock
 * that changes tells that somebody set that. */
int64_t clock_boot_ms(void);

/** An offset that changed by more than this was a step, not a correction. */
#define CLOCK_JUMP_MS 2000

#define CLOCK_BOOT_MAX 40 /* with its NUL */

/** What tells this boot of the machine from others; "" if that is not to be
 * had. */
void clock_boot_id(char out[CLOCK_BOOT_MAX]);

/**
 * Milliseconds from now until monotonic time `deadline_ms`, as poll() and
 * epoll_wait() take it: 0 if past, -1 for "no deadline" (INT64_MAX).
 */
int clock_poll_ms(int64_t deadline_ms);

#endif
