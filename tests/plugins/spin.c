/* tests/plugins/spin.c: uses a whole core for ever while it handles an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    volatile int turning = 1;
    while (turning) {
        continue;
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "spin", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
