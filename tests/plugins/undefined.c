/* tests/plugins/undefined.c: calls a function that nobody defines.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

int32_t nobody_defines_this(void);

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return nobody_defines_this();
}

PEG_PLUGIN(.name = "undefined", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
