/* tests/plugins/exit0.c: ends its process as if all were well.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdlib.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    exit(0);
}

PEG_PLUGIN(.name = "exit0", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
