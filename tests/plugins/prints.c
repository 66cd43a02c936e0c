/* tests/plugins/prints.c: prints to both streams, with and without a newline,
 * and a very long line.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdio.h>

#define LONG_LINE_BYTES 100000

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
    printf("stdout line\n");
    fprintf(stderr, "stderr line\n");
    for (int i = 0; i < LONG_LINE_BYTES; i++) {
        putchar('x');
    }
    printf("\nstdout without newline");
    fprintf(stderr, "stderr without newline");
    return PEG_DONE;
}

PEG_PLUGIN(.name = "prints", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
