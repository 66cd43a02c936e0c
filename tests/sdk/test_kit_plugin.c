/* tests/sdk/test_kit_plugin.c: the plugin under test in test_kit.c, linked into
 * the program. Its functions have names of ours, which must not meet.
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR 1
#include <pegboard/plugin.h>

#include <stdlib.h>
#include <string.h>

#include "test_kit_plugin.h"

/* Names of the runner's own: the archive keeps its own to itself. */
int
error_set(void)
{
    return 42;
}

int
host_init(void)
{
    return 43;
}

int lives;

static int32_t
init(peg_ctx *ctx)
{
    peg_str mode;
    if (peg_option_str(ctx, "mode", &mode) != PEG_OK) {
        return 3;
    }
    if (strcmp(mode.ptr, "fails") == 0) {
        peg_error(ctx, "no database at %s", "db.example");
        return 2;
    }
    if (strcmp(mode.ptr, "mute") == 0) {
        return 1;
    }
    ctx->user = malloc(1);
    lives++;
    return ctx->user == NULL;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t amount;
    peg_str id;
    if (peg_get_i64(ev, "data.object.amount", &amount) != PEG_OK ||
        peg_get_str(ev, "data.object.id", &id) != PEG_OK) {
        peg_reason(ev, "no amount");
        return PEG_FAIL;
    }
    if (amount == 0) {
        return PEG_SKIP;
    }
    char *copy = peg_scratch(ev, id.len + 1);
    if (copy == NULL) {
        peg_reason(ev, "no memory");
        peg_retry_after(ev, 1500);
        return PEG_RETRY;
    }
    memcpy(copy, id.ptr, id.len + 1);
    peg_info(ctx, "%s: %lld", copy, (long long)amount);
    return peg_store_put(ev, copy, &amount, sizeof(amount)) == PEG_OK
               ? PEG_DONE
               : PEG_FAIL;
}

static void
shutdown(peg_ctx *ctx)
{
    free(ctx->user);
    lives--;
}

static int32_t
self_test(peg_ctx *ctx)
{
    peg_str mode;
    if (peg_option_str(ctx, "mode", &mode) == PEG_OK &&
        strcmp(mode.ptr, "sick") == 0) {
        peg_error(ctx, "not well");
        return 7;
    }
    return 0;
}

static const peg_option options[] = {
    {"mode", PEG_OPTION_STRING, 0, "plain", "how init() ends"},
    {"token", PEG_OPTION_STRING, PEG_OPTION_REQUIRED | PEG_OPTION_SECRET, NULL,
     "of the API"},
    {"wait", PEG_OPTION_DURATION, 0, "2s", "between tries"},
    {"room", PEG_OPTION_SIZE, 0, NULL, "for a buffer"},
    {"count", PEG_OPTION_INT, 0, NULL, "a number"},
    {"loud", PEG_OPTION_BOOL, 0, "yes", "log more"},
    {"names", PEG_OPTION_LIST, 0, "a, b", "some names"},
    {"file", PEG_OPTION_PATH, 0, "here.txt", "a file"},
};

PEG_PLUGIN(.name = "probe", .version = "1.0",
           PEG_EVENTS("payment_intent.succeeded", "charge.*"),
           PEG_OPTIONS(options), .init = init, .handle = handle,
           .shutdown = shutdown, .self_test = self_test);
