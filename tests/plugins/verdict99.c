/* tests/plugins/verdict99.c: returns a number that is no verdict.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return 99;
}

PEG_PLUGIN(.name = "verdict99", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
