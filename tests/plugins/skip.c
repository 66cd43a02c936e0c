/* tests/plugins/skip.c: looks at each event, and says that it is not for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_reason(ev, "not for me");
    return PEG_SKIP;
}

PEG_PLUGIN(.name = "skip", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
