/* tests/plugins/closes_fds.c: closes every descriptor that it did not open.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    for (int fd = 3; fd < 256; fd++) {
        close(fd);
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "closes_fds", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
