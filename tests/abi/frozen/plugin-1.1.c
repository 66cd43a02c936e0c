/* tests/abi/frozen/plugin-1.1.c: calls what ABI 1.1 added, and judges what it
 * gets. It stays as it is: plugin-1.1-*.so are built from it.
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR 1
#include <pegboard/plugin.h>

#include <string.h>

#define CHANGE "charge.updated:ch_1PegFrozen0001"

static const peg_option options[] = {
    {"verdict", PEG_OPTION_STRING, 0, "done", "what handle() returns"},
};

/* ---- What is new ---------------------------------------------------- */

static const char *
check_facts(const peg_event *ev)
{
    peg_str text = {NULL, 0};
    int64_t replay;
    if (peg_meta_str(ev, PEG_META_CHANGE, &text) != PEG_OK ||
        strcmp(text.ptr, CHANGE) != 0) {
        return "PEG_META_CHANGE";
    }
    if (peg_meta_str(ev, PEG_META_SNAPSHOT_EVENT, &text) != PEG_ABSENT) {
        return "PEG_META_SNAPSHOT_EVENT";
    }
    if (peg_meta_i64(ev, PEG_META_REPLAY, &replay) != PEG_OK || replay != 0) {
        return "PEG_META_REPLAY";
    }
    return NULL;
}

/* Counts its calls with the verdict done in the key "count". */
static const char *
check_store(const peg_event *ev)
{
    char long_key[PEG_STORE_KEY_MAX + 2];
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    peg_str value;
    unsigned char count = 0;
    int32_t status = peg_store_get(ev, "count", &value);
    if (status == PEG_OK && value.len == 1) {
        count = (unsigned char)value.ptr[0];
    } else if (status != PEG_ABSENT) {
        return "peg_store_get()";
    }
    count++;
    if (peg_store_put(ev, "count", &count, 1) != PEG_OK ||
        peg_store_put(ev, long_key, &count, 1) != PEG_RANGE ||
        peg_store_put(ev, "", &count, 1) != PEG_RANGE ||
        peg_store_put(ev, "empty", NULL, 0) != PEG_OK) {
        return "peg_store_put()";
    }
    if (peg_store_get(ev, "count", &value) != PEG_OK || value.len != 1 ||
        (unsigned char)value.ptr[0] != count ||
        peg_store_get(ev, "empty", &value) != PEG_OK || value.len != 0) {
        return "its own write";
    }
    if (peg_store_delete(ev, "empty") != PEG_OK ||
        peg_store_get(ev, "empty", &value) != PEG_ABSENT) {
        return "peg_store_delete()";
    }
    peg_scratch(ev, 16);
    return NULL;
}

/* ---- Callbacks ------------------------------------------------------ */

static int32_t
init(peg_ctx *ctx)
{
    peg_info(ctx, "ready with %u.%u", ctx->host->abi_major,
             PEG_ABI_MINOR <= ctx->host->abi_minor ? PEG_ABI_MINOR : 0U);
    return 0;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str verdict, id;
    const char *wrong = check_facts(ev);
    if (wrong == NULL) {
        wrong = check_store(ev);
    }
    if (wrong == NULL && (peg_option_str(ctx, "verdict", &verdict) != PEG_OK ||
                          peg_get_str(ev, "data.object.id", &id) != PEG_OK ||
                          strcmp(id.ptr, "ch_1PegFrozen0001") != 0)) {
        wrong = "what 1.0 had";
    }
    if (wrong != NULL) {
        peg_reason(ev, "wrong: %s", wrong);
        return PEG_FAIL;
    }
    if (strcmp(verdict.ptr, "retry") == 0) {
        peg_retry_after(ev, 1500);
        peg_reason(ev, "asked to retry");
        return PEG_RETRY;
    }
    return strcmp(verdict.ptr, "skip") == 0 ? PEG_SKIP : PEG_DONE;
}

PEG_PLUGIN(.name = "frozen", .version = "1.1", PEG_EVENTS("charge.*"),
           PEG_OPTIONS(options), .init = init, .handle = handle);
