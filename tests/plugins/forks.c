/* tests/plugins/forks.c: leaves a child behind that sleeps for ever, with all
 * that it inherited, and writes down its pid.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const peg_option options[] = {
    {"file", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "where to write"},
    {"abort", PEG_OPTION_BOOL, 0, "no", "die after it"},
};

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str file;
    int64_t dies;
    if (peg_option_str(ctx, "file", &file) != PEG_OK ||
        peg_option_i64(ctx, "abort", &dies) != PEG_OK) {
        return PEG_FAIL;
    }
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    FILE *to = fopen(file.ptr, "a");
    if (child < 0 || to == NULL) {
        peg_reason(ev, "no child, or no file");
        return PEG_FAIL;
    }
    fprintf(to, "%d\n", (int)child);
    fclose(to);
    if (dies) {
        abort();
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "forks", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
