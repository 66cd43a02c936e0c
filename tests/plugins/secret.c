/* tests/plugins/secret.c: says the two options that it has, of which one is a
 * secret.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static const peg_option options[] = {
    {"token", PEG_OPTION_STRING, PEG_OPTION_SECRET | PEG_OPTION_REQUIRED, NULL,
     "of the API"},
    {"word", PEG_OPTION_STRING, 0, "none", "that everybody may see"},
};

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str token, word;
    (void)ev;
    if (peg_option_str(ctx, "token", &token) != PEG_OK ||
        peg_option_str(ctx, "word", &word) != PEG_OK) {
        return PEG_FAIL;
    }
    peg_info(ctx, "%s %s", token.ptr, word.ptr);
    return PEG_DONE;
}

PEG_PLUGIN(.name = "secret", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
