/* tests/plugins/init_gate.c: gets ready only when a file is there; that it
 * waits is told by another, GATE.waits. SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 5000000

static const peg_option options[] = {
    {"gate", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "the file"},
};

static int32_t
init(peg_ctx *ctx)
{
    static const struct timespec pause = {.tv_nsec = POLL_NS};
    char waits[1024];
    peg_str gate;
    if (peg_option_str(ctx, "gate", &gate) != PEG_OK) {
        return 1;
    }
    snprintf(waits, sizeof(waits), "%s.waits", gate.ptr);
    int fd = open(waits, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        peg_error(ctx, "cannot make %s", waits);
        return 1;
    }
    close(fd);
    while (access(gate.ptr, F_OK) != 0) {
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "init_gate", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .init = init, .handle = handle);
