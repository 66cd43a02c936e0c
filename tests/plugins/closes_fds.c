/* tests/plugins/closes_fds.c: closes every descriptor that it did not open, and
 * on request never comes back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static const peg_option options[] = {
    {"stay", PEG_OPTION_BOOL, 0, "no", "sleep for ever after it"},
};

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t stay = 0;
    (void)ev;
    peg_option_i64(ctx, "stay", &stay);
    for (int fd = 3; fd < 256; fd++) {
        close(fd);
    }
    while (stay && pause() != 0) {
        continue; /* it has no other result */
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "closes_fds", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
