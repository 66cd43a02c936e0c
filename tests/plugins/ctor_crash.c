/* tests/plugins/ctor_crash.c: dies while it is loaded.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdlib.h>

__attribute__((constructor)) static void
start(void)
{
    abort();
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "ctor_crash", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
