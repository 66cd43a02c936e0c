/* tests/plugins/init_crash.c: dies while it gets ready.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdlib.h>

static int32_t
init(peg_ctx *ctx)
{
    (void)ctx;
    abort();
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "init_crash", .version = "1.0", PEG_EVENTS("*"),
           .init = init, .handle = handle);
