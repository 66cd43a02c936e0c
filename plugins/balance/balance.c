/* plugins/balance: reports the available balance, one line per currency.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/money.h>
#include <pegboard/plugin.h>

#include <stdio.h>

#define PATH_MAX_BYTES 64 /* "data.object.available.4294967295.currency" */

static int32_t
report(peg_ctx *ctx, const peg_event *ev, uint32_t index)
{
    char path[PATH_MAX_BYTES];
    int64_t amount;
    peg_str currency;
    snprintf(path, sizeof(path), "data.object.available.%u.amount", index);
    int32_t status = peg_get_i64(ev, path, &amount);
    if (status == PEG_OK) {
        snprintf(path, sizeof(path), "data.object.available.%u.currency",
                 index);
        status = peg_get_str(ev, path, &currency);
    }
    if (status != PEG_OK) {
        peg_reason(ev, "the balance has no %s", path);
        return PEG_FAIL;
    }
    char money[PEG_MONEY_MAX];
    peg_info(ctx, "balance available: amount=%s currency=%s",
             peg_money(money, sizeof(money), amount, currency.ptr),
             currency.ptr);
    return PEG_DONE;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    uint32_t count;
    if (peg_get_length(ev, "data.object.available", &count) != PEG_OK) {
        peg_reason(ev, "the event has no data.object.available");
        return PEG_FAIL;
    }
    int32_t verdict = PEG_DONE;
    for (uint32_t i = 0; verdict == PEG_DONE && i < count; i++) {
        verdict = report(ctx, ev, i);
    }
    return verdict;
}

PEG_PLUGIN(.name = "balance", .version = "1.0",
           .summary = "reports the available balance per currency",
           PEG_EVENTS("balance.available"), .handle = handle);
