/* tests/plugins/goodbye.c: says goodbye.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

static void
leave(peg_ctx *ctx)
{
    peg_info(ctx, "goodbye");
}

PEG_PLUGIN(.name = "goodbye", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle, .shutdown = leave);
