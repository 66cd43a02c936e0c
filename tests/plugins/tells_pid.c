/* tests/plugins/tells_pid.c: takes every event, and says in which process.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_reason(ev, "pid %d", (int)getpid());
    return PEG_DONE;
}

PEG_PLUGIN(.name = "tells_pid", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
