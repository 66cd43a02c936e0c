/* tests/plugins/dies.c: dies of an event in the way that its
 * data.object.metadata.poison says ("segv", "hang"), and handles all others;
 * while a file is there, it dies of each.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOWHERE 64 /* as in crash.c */

static const peg_option options[] = {
    {"while", PEG_OPTION_PATH, 0, NULL, "with this file, of every event"},
    {"kind", PEG_OPTION_STRING, 0, "segv", "how"},
};

static void
die(peg_ctx *ctx, const char *kind)
{
    int *volatile nowhere = (int *)(uintptr_t)NOWHERE;
    peg_info(ctx, "about to die of %s", kind);
    printf("the last words\n");
    fflush(stdout);
    while (strcmp(kind, "hang") == 0) {
        pause();
    }
    *nowhere = 1;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str file, kind;
    if (peg_get_str(ev, "data.object.metadata.poison", &kind) == PEG_OK) {
        die(ctx, kind.ptr);
    }
    if (peg_option_str(ctx, "while", &file) == PEG_OK &&
        access(file.ptr, F_OK) == 0 &&
        peg_option_str(ctx, "kind", &kind) == PEG_OK) {
        die(ctx, kind.ptr);
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "dies", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
