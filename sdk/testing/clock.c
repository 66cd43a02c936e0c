/* sdk/testing/clock.c: core/clock.h on the test's clock. While a handler runs
 * time stands still, but for what the test lets pass.
 * SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include "kit.h"

#include <time.h>

static _Thread_local pegt_host *running;

pegt_host *
kit_clock_of(pegt_host *host)
{
    pegt_host *before = running;
    running = host;
    return before;
}

pegt_host *
kit_running(void)
{
    return running;
}

static int64_t
read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* What host.c takes for the start and the end of a call. */
int64_t
clock_mono_us(void)
{
    return running == NULL ? read_us(CLOCK_MONOTONIC) : running->now_us;
}

/* What peg_ms_left() asks. */
int64_t
clock_mono_ms(void)
{
    int64_t now_ms = clock_mono_us() / 1000;
    if (running != NULL) {
        pegt_advance(running, running->step_ms);
    }
    return now_ms;
}

int64_t
clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

/* ---- The test's side ------------------------------------------------ */

void
pegt_set_timeout(pegt_host *host, int64_t ms)
{
    host->timeout_ms = ms > 0 ? ms : 1;
}

void
pegt_advance(pegt_host *host, int64_t ms)
{
    int64_t us;
    if (ms < 0 || __builtin_mul_overflow(ms, INT64_C(1000), &us) ||
        __builtin_add_overflow(host->now_us, us, &host->now_us)) {
        host->now_us = INT64_MAX; /* the end of time */
    }
}

void
pegt_set_step(pegt_host *host, int64_t ms)
{
    host->step_ms = ms > 0 ? ms : 0;
}
