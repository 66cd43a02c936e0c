/* tests/plugins/talkative.c: says too much, in bytes that need care, and asks
 * for delays that make no sense.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <string.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    char text[4096];
    memset(text, 'x', sizeof(text));
    memcpy(text + 999, "\xc3\xa9", 2); /* an e acute over byte 1000 */

    ctx->host->log(ctx, 99, "debug\0hidden", 12);
    ctx->host->log(ctx, -7, NULL, 5);
    ctx->host->log(ctx, PEG_LOG_INFO, text, sizeof(text));
    peg_retry_after(ev, 700);
    peg_retry_after(ev, -1);
    ev->host->reason(ev, text, sizeof(text));
    return PEG_RETRY;
}

PEG_PLUGIN(.name = "talkative", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
