/* tests/plugins/noop.c: takes every event and does nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "noop", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
