/* tests/plugins/leak.c: keeps 1 MB of each event.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdlib.h>
#include <string.h>

#define LEAK_BYTES (1 << 20)

static char *volatile kept;

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    char *memory = malloc(LEAK_BYTES);
    if (memory != NULL) {
        memset(memory, 1, LEAK_BYTES); /* so that it is really there */
    }
    kept = memory;
    return PEG_DONE;
}

PEG_PLUGIN(.name = "leak", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
