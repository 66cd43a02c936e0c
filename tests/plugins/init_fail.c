/* tests/plugins/init_fail.c: cannot get ready, and says why; if it is told of
 * a file, only until that is there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static const peg_option options[] = {
    {"until", PEG_OPTION_PATH, 0, NULL, "the file to wait for"},
};

static int32_t
init(peg_ctx *ctx)
{
    peg_str file;
    if (peg_option_str(ctx, "until", &file) == PEG_OK &&
        access(file.ptr, F_OK) == 0) {
        return 0;
    }
    peg_error(ctx, "cannot reach the database");
    return 5;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "init_fail", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .init = init, .handle = handle);
