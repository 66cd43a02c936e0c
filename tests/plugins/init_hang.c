/* tests/plugins/init_hang.c: is never done getting ready.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

static int32_t
init(peg_ctx *ctx)
{
    (void)ctx;
    while (pause() != 0) {
        continue; /* it has no other result */
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

PEG_PLUGIN(.name = "init_hang", .version = "1.0", PEG_EVENTS("*"), .init = init,
           .handle = handle);
