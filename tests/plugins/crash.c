/* tests/plugins/crash.c: dies of SIGSEGV while it handles an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    int *volatile nowhere = NULL;
    *nowhere = 1;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "crash", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
