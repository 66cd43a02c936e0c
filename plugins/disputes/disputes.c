/* plugins/disputes: reports a new dispute with the day by which evidence must
 * be sent.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/money.h>
#include <pegboard/plugin.h>

#include <time.h>

#define DATE_MAX 32

/* "2026-11-06", in UTC. Not every dispute can be answered, so the deadline may
 * be null or absent: then "none". */
static const char *
evidence_due(const peg_event *ev, char date[DATE_MAX])
{
    int64_t due_by;
    struct tm day;
    if (peg_get_i64(ev, "data.object.evidence_details.due_by", &due_by) !=
        PEG_OK) {
        return "none";
    }
    time_t seconds = (time_t)due_by;
    if (gmtime_r(&seconds, &day) == NULL ||
        strftime(date, DATE_MAX, "%Y-%m-%d", &day) == 0) {
        return "none";
    }
    return date;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str id, currency;
    int64_t amount;
    if (peg_get_str(ev, "data.object.id", &id) != PEG_OK ||
        peg_get_i64(ev, "data.object.amount", &amount) != PEG_OK ||
        peg_get_str(ev, "data.object.currency", &currency) != PEG_OK) {
        peg_reason(ev, "the dispute has no id, amount or currency");
        return PEG_FAIL;
    }
    peg_str reason = {"unknown", 7};
    peg_get_str(ev, "data.object.reason", &reason);

    char money[PEG_MONEY_MAX];
    char date[DATE_MAX];
    peg_warn(ctx,
             "a charge was disputed! id=%s reason=%s amount=%s currency=%s "
             "evidence_due=%s",
             id.ptr, reason.ptr,
             peg_money(money, sizeof(money), amount, currency.ptr),
             currency.ptr, evidence_due(ev, date));
    return PEG_DONE;
}

PEG_PLUGIN(.name = "disputes", .version = "1.0",
           .summary = "reports new disputes and their evidence deadline",
           PEG_EVENTS("charge.dispute.created"), .handle = handle);
