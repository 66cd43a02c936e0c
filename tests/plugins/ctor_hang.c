/* tests/plugins/ctor_hang.c: never ends to be loaded.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <unistd.h>

__attribute__((constructor)) static void
start(void)
{
    while (pause() != 0) {
        continue; /* it has no other result */
    }
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "ctor_hang", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
