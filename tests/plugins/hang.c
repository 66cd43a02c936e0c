/* tests/plugins/hang.c: sleeps for ever while it handles an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    while (pause() != 0) {
        continue; /* it has no other result */
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "hang", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
