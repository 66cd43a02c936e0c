/* tests/plugins/init_fail.c: is never ready, and says why.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
init(peg_ctx *ctx)
{
    peg_error(ctx, "cannot reach the database");
    return 5;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "init_fail", .version = "1.0", PEG_EVENTS("*"), .init = init,
           .handle = handle);
