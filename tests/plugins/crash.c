/* tests/plugins/crash.c: dies of SIGSEGV while it handles an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdint.h>

/* In the first page, which is never mapped; UBSan would catch NULL first. */
#define NOWHERE 64

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    int *volatile nowhere = (int *)(uintptr_t)NOWHERE;
    *nowhere = 1;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "crash", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
