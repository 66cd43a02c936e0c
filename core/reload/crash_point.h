/* core/reload/crash_point.h: places at which a test build kills the daemon.
 *
 * "Every moment of kill -9 is safe" is tried at each numbered step: with
 * PEGBOARD_CRASH_POINTS defined, CRASH_POINT("commit", 3) ends the process with
 * SIGKILL when the environment says PEGBOARD_CRASH_AT=commit:3. In every other
 * build it is nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CRASH_POINT_H
#define CORE_CRASH_POINT_H

#ifdef PEGBOARD_CRASH_POINTS
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void
crash_point(const char *phase, int step)
{
    char here[64];
    const char *at = getenv("PEGBOARD_CRASH_AT");
    snprintf(here, sizeof(here), "%s:%d", phase, step);
    if (at != NULL && strcmp(at, here) == 0) {
        raise(SIGKILL);
    }
}
#define CRASH_POINT(phase, step) crash_point(phase, step)
#else
#define CRASH_POINT(phase, step) ((void)0)
#endif

#endif
