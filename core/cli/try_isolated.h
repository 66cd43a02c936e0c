/* core/cli/try_isolated.h: one event in a runner as the daemon starts it: a
 * process of its own, with its sandbox, limits and deadlines.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRY_ISOLATED_H
#define CORE_TRY_ISOLATED_H

#include "runner/tried.h"

#include <stdint.h>

struct args;
struct tryout;

struct try_isolated {
    const struct args *args;
    const struct tryout *tryout; /* with a configuration */
    int64_t repeat, timeout_ms;
    struct tried_wish wish;
    enum tried_form form;
};

/**
 * Start it, hand it the event, and print the verdict, or how the runner ended
 * without one.
 *
 * @return EXIT_OK and EXIT_FAILED as the verdict is; EXIT_FAILED also after a
 *         crash; EXIT_TIMED_OUT; EXIT_CONFIG when the plugin is refused;
 *         EXIT_MISSING without an event
 */
int try_isolated(const struct try_isolated *plan);

#endif
