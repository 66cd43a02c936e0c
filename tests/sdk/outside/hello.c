/* tests/sdk/outside/hello.c: a plugin in C11, with a function that is not
 * static and yet must not be exported.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/money.h>
#include <pegboard/plugin.h>

#include <stdlib.h>
#include <string.h>

char *hello_copy(const peg_str *text);

static const peg_option options[] = {
    {"greeting", PEG_OPTION_STRING, 0, "hello", "said first"},
};

char *
hello_copy(const peg_str *text)
{
    char *copy = malloc(text->len + 1);
    if (copy != NULL) {
        memcpy(copy, text->ptr, text->len + 1);
    }
    return copy;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str greeting;
    int64_t amount;
    char money[PEG_MONEY_MAX];
    if (peg_option_str(ctx, "greeting", &greeting) != PEG_OK ||
        strcmp(greeting.ptr, "fail") == 0 ||
        peg_get_i64(ev, "data.object.amount", &amount) != PEG_OK) {
        return PEG_FAIL;
    }
    char *copy = hello_copy(&greeting);
    if (copy == NULL) {
        return PEG_RETRY;
    }
    peg_info(ctx, "%s: %s", copy,
             peg_money(money, sizeof(money), amount, "usd"));
    free(copy);
    return PEG_DONE;
}

PEG_PLUGIN(.name = "hello", .version = "1.0",
           PEG_EVENTS("payment_intent.succeeded"), PEG_OPTIONS(options),
           .handle = handle);
