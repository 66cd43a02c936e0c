/* tests/plugins/abort.c: calls abort() while it handles an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdlib.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    abort();
}

PEG_PLUGIN(.name = "abort", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
