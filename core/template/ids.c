/* core/template/ids.c: fresh ids for test events, in the shape of Stripe's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "template/ids.h"

#include "error.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TIME_CHARS    8  /* milliseconds in base 62: enough for 6,900 years */
#define COUNT_CHARS   3  /* wraps after 238,328 ids */
#define RANDOM_CHARS  11 /* 65 bits */
#define THIN_RANDOM   37
#define SHORT_CHARS   14 /* of the older kinds, which do not tell the time */
#define SESSION_CHARS 58

/* In ASCII order, so that text order is number order. */
static const char alphabet[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#define BASE (sizeof(alphabet) - 1)

static atomic_uint made; /* ids so far in this process */

/* Prefixes that are not simply the object's name. NULL: no id. */
static const struct {
    const char *object, *prefix;
} prefixes[] = {
    {"account", "acct"},
    {"application", "ca"},
    {"application_fee", "fee"},
    {"balance", NULL},
    {"balance_settings", NULL},
    {"bank_account", "ba"},
    {"billing.alert", "alrt"},
    {"billing.credit_balance_transaction", "cbtxn"},
    {"billing.credit_grant", "credgr"},
    {"billing.meter", "mtr"},
    {"billing_portal.configuration", "bpc"},
    {"billing_portal.session", "bps"},
    {"cash_balance", NULL},
    {"charge", "ch"},
    {"checkout.session", "cs"},
    {"climate.order", "climorder"},
    {"climate.product", "climsku"},
    {"credit_note", "cn"},
    {"customer", "cus"},
    {"customer_cash_balance_transaction", "ccsbtxn"},
    {"discount", "di"},
    {"dispute", "du"},
    {"entitlements.active_entitlement_summary", NULL},
    {"fee_refund", "fr"},
    {"financial_connections.account", "fca"},
    {"identity.verification_session", "vs"},
    {"invoice", "in"},
    {"invoice_payment", "inpay"},
    {"invoiceitem", "ii"},
    {"issuing.authorization", "iauth"},
    {"issuing.card", "ic"},
    {"issuing.cardholder", "ich"},
    {"issuing.dispute", "idp"},
    {"issuing.transaction", "ipi"},
    {"payment_intent", "pi"},
    {"payment_link", "plink"},
    {"payment_method", "pm"},
    {"payout", "po"},
    {"plan", "price"},
    {"product", "prod"},
    {"promotion_code", "promo"},
    {"quote", "qt"},
    {"radar.early_fraud_warning", "issfr"},
    {"refund", "re"},
    {"reporting.report_run", "frr"},
    {"review", "prv"},
    {"scheduled_query_run", "sqr"},
    {"setup_intent", "seti"},
    {"source", "src"},
    {"subscription", "sub"},
    {"subscription_schedule", "sub_sched"},
    {"tax.settings", NULL},
    {"tax_id", "txi"},
    {"tax_rate", "txr"},
    {"terminal.reader", "tmr"},
    {"test_helpers.test_clock", "clock"},
    {"topup", "tu"},
    {"transfer", "tr"},
    {"treasury.credit_reversal", "credrev"},
    {"treasury.debit_reversal", "debrev"},
    {"treasury.financial_account", "fa"},
    {"treasury.inbound_transfer", "ibt"},
    {"treasury.outbound_payment", "obp"},
    {"treasury.outbound_transfer", "obt"},
    {"treasury.received_credit", "rc"},
    {"treasury.received_debit", "rd"},
    {"v2.core.account", "acct"},
    {"v2.core.account_person", "person"},
    {"v2.core.event_destination", "ed"},
};

const char *
ids_prefix(const char *object)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strcmp(prefixes[i].object, object) == 0) {
            return prefixes[i].prefix;
        }
    }
    const char *dot = strrchr(object, '.');
    return dot == NULL ? object : dot + 1;
}

int
ids_random(char *out, size_t len, struct error *err)
{
    unsigned char bytes[64];
    for (size_t i = 0; i < len; i++) {
        size_t at = i % sizeof(bytes);
        if (at == 0 &&
            getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
            return error_errno(err, RC_IO, errno, "ids: no random bytes");
        }
        out[i] = alphabet[bytes[at] % BASE]; /* the small bias is harmless */
    }
    out[len] = '\0';
    return RC_OK;
}

/* `number` in base 62, `chars` wide; higher digits are lost. */
static char *
put_number(char *out, uint64_t number, size_t chars)
{
    for (size_t i = chars; i > 0; i--) {
        out[i - 1] = alphabet[number % BASE];
        number /= BASE;
    }
    return out + chars;
}

/* Time, counter and `random` random characters behind what `out` holds. */
static int
put_tail(char *out, int64_t now_ms, size_t random, struct error *err)
{
    char *at = out + strlen(out);
    at = put_number(at, (uint64_t)now_ms, TIME_CHARS);
    at = put_number(at, atomic_fetch_add(&made, 1), COUNT_CHARS);
    return ids_random(at, random, err);
}

static int
is_one_of(const char *prefix, const char *const *list)
{
    while (*list != NULL && strcmp(*list, prefix) != 0) {
        list++;
    }
    return *list != NULL;
}

int
ids_make(char out[IDS_MAX], const char *prefix, int live, int64_t now_ms,
         struct error *err)
{
    static const char *const payments[] = {"evt", "pi", "ch", "re", "py", NULL};
    static const char *const brief[] = {"cus", "prod", "ca",
                                        "req", "acct", NULL};
    if (strcmp(prefix, "cs") == 0) {
        strcpy(out, live ? "cs_live_a1" : "cs_test_a1");
        return ids_random(out + strlen(out), SESSION_CHARS, err);
    }
    if (is_one_of(prefix, brief)) {
        snprintf(out, IDS_MAX, "%.40s_", prefix);
        return ids_random(out + strlen(out), SHORT_CHARS, err);
    }
    const char *era = is_one_of(prefix, payments) ? "3T" : "1T";
    snprintf(out, IDS_MAX, "%.40s_%s", prefix, era);
    return put_tail(out, now_ms, RANDOM_CHARS, err);
}

int
ids_make_thin(char out[IDS_MAX], int live, int64_t now_ms, struct error *err)
{
    strcpy(out, live ? "evt_65" : "evt_test_65");
    return put_tail(out, now_ms, THIN_RANDOM, err);
}

int
ids_uuid(char out[IDS_MAX], struct error *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        return error_errno(err, RC_IO, errno, "ids: no random bytes");
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80); /* variant 1 */
    snprintf(out, IDS_MAX,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
    return RC_OK;
}
