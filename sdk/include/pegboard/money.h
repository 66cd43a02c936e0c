/* pegboard/money.h: Stripe's amounts as people write them. Optional, and no
 * part of the ABI: it is compiled into the plugin. C11 and C++17.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEGBOARD_MONEY_H
#define PEGBOARD_MONEY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for any amount, with sign, point and NUL. */
#define PEG_MONEY_MAX 24

/* Whether `currency` is one of the three-letter codes in `list`, in any case.*/
static inline int
peg_currency_in(const char *list, const char *currency)
{
    for (const char *at = list; *at != '\0'; at += 4) {
        int same = 0;
        while (same < 3 && (currency[same] | 0x20) == at[same]) {
            same++;
        }
        if (same == 3 && currency[3] == '\0') {
            return 1;
        }
    }
    return 0;
}

/**
 * How many digits of an amount stand behind the point: 0, 2 or 3. A currency
 * that is not known has 2.
 *
 * isk and ugx have no minor unit any more, but Stripe still writes them with
 * two decimals, so they are not in the list of zero-decimal currencies.
 * Source: Stripe documentation, "Supported currencies" (docs.stripe.com/
 * currencies), sections zero-decimal, three-decimal and special cases.
 */
static inline int
peg_currency_decimals(const char *currency)
{
    if (peg_currency_in("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf "
                        "xof xpf ",
                        currency)) {
        return 0;
    }
    return peg_currency_in("bhd jod kwd omr tnd ", currency) ? 3 : 2;
}

/**
 * Write an amount in minor units as a decimal number: 1099 usd is "10.99",
 * -5 eur is "-0.05", 1099 jpy is "1099". Exact for every int64_t.
 *
 * @param out       `size` bytes; PEG_MONEY_MAX is always enough, a smaller
 *                  one gets the text cut
 * @param currency  three-letter code as Stripe sends it, in any case; or ""
 * @return out, so that it can stand among the arguments of peg_info()
 */
static inline const char *
peg_money(char *out, size_t size, int64_t minor_units, const char *currency)
{
    /* INT64_MIN has no positive twin in int64_t. */
    uint64_t amount =
        minor_units < 0 ? 0 - (uint64_t)minor_units : (uint64_t)minor_units;
    const char *sign = minor_units < 0 ? "-" : "";
    int decimals = peg_currency_decimals(currency);
    uint64_t unit = decimals == 0 ? 1 : decimals == 2 ? 100 : 1000;
    if (decimals == 0) {
        snprintf(out, size, "%s%llu", sign, (unsigned long long)amount);
    } else {
        snprintf(out, size, "%s%llu.%0*llu", sign,
                 (unsigned long long)(amount / unit), decimals,
                 (unsigned long long)(amount % unit));
    }
    return out;
}

#ifdef __cplusplus
}
#endif

#endif
