/* plugins/receipts: says so when a payment succeeded, and when a customer got
 * a payment method.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/money.h>
#include <pegboard/plugin.h>

#include <string.h>

static const peg_option options[] = {
    {"greeting", PEG_OPTION_STRING, 0, "", "text in front of each line"},
};

/* What stands between the greeting and the rest of the line. */
static const char *
gap(const char *greeting)
{
    return greeting[0] == '\0' ? "" : " ";
}

static int32_t
payment_succeeded(peg_ctx *ctx, const peg_event *ev, const char *greeting)
{
    peg_str id, currency;
    int64_t amount;
    if (peg_get_str(ev, "data.object.id", &id) != PEG_OK ||
        peg_get_i64(ev, "data.object.amount", &amount) != PEG_OK ||
        peg_get_str(ev, "data.object.currency", &currency) != PEG_OK) {
        peg_reason(ev, "the PaymentIntent has no id, amount or currency");
        return PEG_FAIL;
    }
    char money[PEG_MONEY_MAX];
    peg_info(
        ctx, "%s%sPaymentIntent was successful! id=%s amount=%s currency=%s",
        greeting, gap(greeting), id.ptr,
        peg_money(money, sizeof(money), amount, currency.ptr), currency.ptr);
    return PEG_DONE;
}

static int32_t
method_attached(peg_ctx *ctx, const peg_event *ev, const char *greeting)
{
    peg_str id;
    if (peg_get_str(ev, "data.object.id", &id) != PEG_OK) {
        peg_reason(ev, "the PaymentMethod has no id");
        return PEG_FAIL;
    }
    peg_str customer = {"none", 4};
    peg_get_str(ev, "data.object.customer", &customer); /* may be null */
    peg_info(ctx,
             "%s%sPaymentMethod was attached to a Customer! id=%s customer=%s",
             greeting, gap(greeting), id.ptr, customer.ptr);
    return PEG_DONE;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str type, greeting;
    if (peg_meta_str(ev, PEG_META_TYPE, &type) != PEG_OK ||
        peg_option_str(ctx, "greeting", &greeting) != PEG_OK) {
        return PEG_FAIL;
    }
    if (strcmp(type.ptr, "payment_intent.succeeded") == 0) {
        return payment_succeeded(ctx, ev, greeting.ptr);
    }
    if (strcmp(type.ptr, "payment_method.attached") == 0) {
        return method_attached(ctx, ev, greeting.ptr);
    }
    return PEG_SKIP;
}

PEG_PLUGIN(.name = "receipts", .version = "1.0",
           .summary = "logs successful payments and new payment methods",
           PEG_EVENTS("payment_intent.succeeded", "payment_method.attached"),
           PEG_OPTIONS(options), .handle = handle);
