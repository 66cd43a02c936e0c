/* tests/plugins/flood.c: prints and logs without end while it handles an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ev;
    for (;;) {
        if (write(STDOUT_FILENO, "x\ny\nz\n", 6) < 0) {
            return PEG_FAIL;
        }
        peg_info(ctx, "and so on");
    }
}

PEG_PLUGIN(.name = "flood", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
