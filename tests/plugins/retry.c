/* tests/plugins/retry.c: asks for each event again, after the time of its
 * option. SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

static const peg_option options[] = {
    {"delay", PEG_OPTION_DURATION, 0, "5s", "when to come again"},
};

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t delay_ms;
    if (peg_option_i64(ctx, "delay", &delay_ms) == PEG_OK) {
        peg_retry_after(ev, delay_ms);
    }
    peg_reason(ev, "the backend is down");
    return PEG_RETRY;
}

PEG_PLUGIN(.name = "retry", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
