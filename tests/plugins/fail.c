/* tests/plugins/fail.c: gives up on each event, and says why.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_reason(ev, "no such order");
    return PEG_FAIL;
}

PEG_PLUGIN(.name = "fail", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
