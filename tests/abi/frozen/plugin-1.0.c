/* tests/abi/frozen/plugin-1.0.c: calls each function of ABI 1.0 and judges what
 * it gets. It stays as it is: plugin-1.0-*.so are built from it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OBJECT       "data.object."
#define UNTOUCHED    77

static const peg_option options[] = {
    {"verdict", PEG_OPTION_STRING, 0, "done", "what handle() returns"},
    {"refuse", PEG_OPTION_BOOL, 0, "no", "whether init() refuses"},
    {"number", PEG_OPTION_INT, 0, "-5", "a number"},
    {"pause", PEG_OPTION_DURATION, 0, "1500ms", "of a retry"},
    {"room", PEG_OPTION_SIZE, 0, "64K", "a size"},
    {"names", PEG_OPTION_LIST, 0, "a, b c", "a list"},
    {"place", PEG_OPTION_PATH, 0, "/etc/x", "a path"},
    {"token", PEG_OPTION_STRING, PEG_OPTION_REQUIRED | PEG_OPTION_SECRET, NULL,
     "a secret"},
    {"unset", PEG_OPTION_STRING, 0, NULL, "nothing"},
};

/* ---- Getters -------------------------------------------------------- */

static const struct {
    const char *path;
    int32_t status;
    int64_t value;
} numbers[] = {
    {OBJECT "amount", PEG_OK, 9007199254740993},
    {OBJECT "lines.2.deep", PEG_OK, -3},
    {OBJECT "fraction", PEG_TYPE, 0},
    {OBJECT "huge", PEG_RANGE, 0},
    {OBJECT "receipt", PEG_NULL, 0},
    {OBJECT "missing", PEG_ABSENT, 0},
};

static const struct {
    const char *path;
    int32_t status;
    const char *text;
} strings[] = {
    {OBJECT "name", PEG_OK, "Zo\xc3\xab \"Z\""},
    {OBJECT "lines.1", PEG_OK, "eleven"},
    {"/data/object/metadata/order.id", PEG_OK, "o-7"},
    {OBJECT "amount", PEG_TYPE, NULL},
    {OBJECT "receipt", PEG_NULL, NULL},
    {OBJECT "missing", PEG_ABSENT, NULL},
};

static const struct {
    int32_t field;
    int32_t status;
    const char *text;
} facts[] = {
    {PEG_META_ID, PEG_OK, "evt_1PegFrozen0001"},
    {PEG_META_TYPE, PEG_OK, "charge.updated"},
    {PEG_META_ACCOUNT, PEG_OK, "acct_1PegFrozen"},
    {PEG_META_API_VERSION, PEG_OK, "2025-03-31.basil"},
    {PEG_META_KEY, PEG_OK, "evt_1PegFrozen0001:frozen"},
    {PEG_META_OBJECT_ID, PEG_OK, "ch_1PegFrozen0001"},
    {PEG_META_SIGNATURE, PEG_ABSENT, NULL},
    {PEG_META_LIVEMODE, PEG_TYPE, NULL},
    {999, PEG_ABSENT, NULL},
};

static int
is_text(const peg_str *got, int32_t status, int32_t want_status,
        const char *want)
{
    if (status != want_status) {
        return 0;
    }
    return status == PEG_OK
               ? got->len == strlen(want) && strcmp(got->ptr, want) == 0
               : got->ptr == NULL && got->len == UNTOUCHED;
}

static const char *
check_getters(const peg_event *ev)
{
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int64_t value = UNTOUCHED;
        int32_t status = peg_get_i64(ev, numbers[i].path, &value);
        int64_t want = status == PEG_OK ? numbers[i].value : UNTOUCHED;
        if (status != numbers[i].status || value != want) {
            return numbers[i].path;
        }
    }
    for (size_t i = 0; i < COUNT(strings); i++) {
        peg_str text = {NULL, UNTOUCHED};
        int32_t status = peg_get_str(ev, strings[i].path, &text);
        if (!is_text(&text, status, strings[i].status, strings[i].text)) {
            return strings[i].path;
        }
    }
    for (size_t i = 0; i < COUNT(facts); i++) {
        peg_str text = {NULL, UNTOUCHED};
        int32_t status = peg_meta_str(ev, facts[i].field, &text);
        if (!is_text(&text, status, facts[i].status, facts[i].text)) {
            return "a fact that is text";
        }
    }
    return NULL;
}

static const char *
check_kinds(const peg_event *ev)
{
    static const int32_t kinds[] = {
        PEG_KIND_ABSENT, PEG_KIND_NULL,  PEG_KIND_BOOL,   PEG_KIND_NUMBER,
        PEG_KIND_STRING, PEG_KIND_ARRAY, PEG_KIND_OBJECT,
    };
    static const char *const paths[] = {
        OBJECT "missing", OBJECT "receipt", OBJECT "paid",     OBJECT "amount",
        OBJECT "name",    OBJECT "lines",   OBJECT "metadata",
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (peg_get_kind(ev, paths[i]) != kinds[i]) {
            return paths[i];
        }
    }
    uint32_t length;
    int32_t paid, refunded;
    peg_str raw;
    if (peg_get_length(ev, OBJECT "lines", &length) != PEG_OK || length != 3 ||
        peg_get_length(ev, OBJECT "paid", &length) != PEG_TYPE) {
        return "a length";
    }
    if (peg_get_bool(ev, OBJECT "paid", &paid) != PEG_OK || paid != 1 ||
        peg_get_bool(ev, OBJECT "refunded", &refunded) != PEG_OK ||
        refunded != 0 || peg_get_bool(ev, "", &paid) != PEG_TYPE) {
        return "a boolean";
    }
    if (peg_get_raw(ev, OBJECT "fraction", &raw) != PEG_OK || raw.len != 4 ||
        memcmp(raw.ptr, "10.5", 4) != 0 ||
        peg_get_raw(ev, "", &raw) != PEG_OK || raw.ptr[0] != '{' ||
        raw.ptr[raw.len] != '\0') {
        return "raw bytes";
    }
    return NULL;
}

static const char *
check_rest(const peg_event *ev)
{
    int64_t live, created, received, attempt, thin;
    int64_t none = UNTOUCHED;
    if (peg_meta_i64(ev, PEG_META_LIVEMODE, &live) != PEG_OK || live != 1 ||
        peg_meta_i64(ev, PEG_META_CREATED, &created) != PEG_OK ||
        created != 1767225600 ||
        peg_meta_i64(ev, PEG_META_RECEIVED, &received) != PEG_OK ||
        received < created * 1000 ||
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) != PEG_OK || attempt < 1 ||
        peg_meta_i64(ev, PEG_META_THIN, &thin) != PEG_OK || thin != 0 ||
        peg_meta_i64(ev, PEG_META_ID, &none) != PEG_TYPE ||
        peg_meta_i64(ev, 999, &none) != PEG_ABSENT || none != UNTOUCHED) {
        return "a fact that is a number";
    }
    char *memory = (char *)peg_scratch(ev, 4096);
    if (memory == NULL) {
        return "scratch memory";
    }
    memset(memory, 'x', 4096);
    int64_t left_ms = peg_ms_left(ev);
    return left_ms > 0 && left_ms <= 30000 ? NULL : "the time left";
}

/* ---- Options -------------------------------------------------------- */

static int
number_is(peg_ctx *ctx, const char *name, int64_t want)
{
    int64_t value;
    return peg_option_i64(ctx, name, &value) == PEG_OK && value == want;
}

static int
text_is(peg_ctx *ctx, const char *name, const char *want)
{
    peg_str text;
    return peg_option_str(ctx, name, &text) == PEG_OK &&
           strcmp(text.ptr, want) == 0 && text.len == strlen(want);
}

static const char *
check_options(peg_ctx *ctx)
{
    peg_str text = {NULL, UNTOUCHED};
    if (!number_is(ctx, "number", -5) || !number_is(ctx, "pause", 1500) ||
        !number_is(ctx, "room", 65536)) {
        return "a number";
    }
    if (!text_is(ctx, "place", "/etc/x") || !text_is(ctx, "token", "t0p")) {
        return "a text";
    }
    if (peg_option_str(ctx, "unset", &text) != PEG_ABSENT ||
        peg_option_str(ctx, "number", &text) != PEG_TYPE || text.ptr != NULL) {
        return "a status";
    }
    if (peg_option_item(ctx, "names", 1, &text) != PEG_OK ||
        strcmp(text.ptr, "b c") != 0 ||
        peg_option_item(ctx, "names", 2, &text) != PEG_ABSENT) {
        return "a list";
    }
    return NULL;
}

/* ---- Callbacks ------------------------------------------------------ */

static int calls;

static int32_t
init(peg_ctx *ctx)
{
    const char *wrong = check_options(ctx);
    if (wrong != NULL || !number_is(ctx, "refuse", 0)) {
        peg_error(ctx, "an error of init: %s", wrong == NULL ? "told" : wrong);
        return 7;
    }
    peg_warn(ctx, "a warning");
    peg_info(ctx, "ready with %d", 1);
    peg_debug(ctx, "a detail");
    ctx->user = &calls;
    return 0;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t pause_ms = 0;
    const char *wrong = check_getters(ev);
    if (wrong == NULL) {
        wrong = check_kinds(ev);
    }
    if (wrong == NULL) {
        wrong = check_rest(ev);
    }
    if (wrong == NULL && ctx->user != &calls) {
        wrong = "ctx->user";
    }
    if (wrong != NULL) {
        peg_reason(ev, "wrong: %s", wrong);
        return PEG_FAIL;
    }
    calls++;
    if (text_is(ctx, "verdict", "skip")) {
        return PEG_SKIP;
    }
    if (text_is(ctx, "verdict", "retry")) {
        (void)peg_option_i64(ctx, "pause", &pause_ms);
        peg_retry_after(ev, pause_ms);
        peg_reason(ev, "asked to retry");
        return PEG_RETRY;
    }
    if (text_is(ctx, "verdict", "fail")) {
        peg_reason(ev, "asked to fail");
        return PEG_FAIL;
    }
    return PEG_DONE;
}

static void
shutdown(peg_ctx *ctx)
{
    peg_info(ctx, "goodbye after %d", *(int *)ctx->user);
}

static int32_t
self_test(peg_ctx *ctx)
{
    (void)ctx;
    return 0;
}

PEG_PLUGIN(.name = "frozen", .version = "1.0", .summary = "built with ABI 1.0",
           PEG_EVENTS("charge.*", "invoice.paid"), PEG_OPTIONS(options),
           .init = init, .handle = handle, .shutdown = shutdown,
           .self_test = self_test);
