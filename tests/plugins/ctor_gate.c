/* tests/plugins/ctor_gate.c: is loaded only when the file $GATE is there; that
 * it waits is told by another, $GATE.waits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 5000000

__attribute__((constructor)) static void
start(void)
{
    static const struct timespec pause = {.tv_nsec = POLL_NS};
    char waits[1024];
    const char *gate = getenv("GATE");
    if (gate == NULL) {
        return;
    }
    snprintf(waits, sizeof(waits), "%s.waits", gate);
    close(open(waits, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (access(gate, F_OK) != 0) {
        nanosleep(&pause, NULL);
    }
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "ctor_gate", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
