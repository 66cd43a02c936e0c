/* tests/plugins/getters.c: asks each getter about getters.json, for every
 * status there is, and fails with the first answer that is wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define OBJECT       "data.object."

/* What an output holds that must not be written. */
#define UNTOUCHED 77

static const peg_option options[] = {
    {"text", PEG_OPTION_STRING, 0, "by default", ""},
    {"number", PEG_OPTION_INT, 0, "-5", ""},
    {"flag", PEG_OPTION_BOOL, 0, "on", ""},
    {"pause", PEG_OPTION_DURATION, 0, "5m", ""},
    {"room", PEG_OPTION_SIZE, 0, "64K", ""},
    {"names", PEG_OPTION_LIST, 0, " a, b c ,,d", ""},
    {"place", PEG_OPTION_PATH, 0, "/etc/x", ""},
    {"given", PEG_OPTION_INT, PEG_OPTION_REQUIRED, NULL, ""},
    {"unset", PEG_OPTION_STRING, 0, NULL, ""},
};

/* ---- Numbers -------------------------------------------------------- */

static const struct {
    const char *path;
    int32_t status;
    int64_t value;
} numbers[] = {
    {OBJECT "amount", PEG_OK, 1099},
    {"/data/object/amount", PEG_OK, 1099},
    {OBJECT "negative", PEG_OK, -42},
    {OBJECT "minus_zero", PEG_OK, 0},
    {OBJECT "fraction_zero", PEG_OK, 1099},
    {OBJECT "exponent", PEG_OK, 1000},
    {OBJECT "beyond_double", PEG_OK, 9007199254740993},
    {OBJECT "largest", PEG_OK, INT64_MAX},
    {OBJECT "smallest", PEG_OK, INT64_MIN},
    {OBJECT "too_large", PEG_RANGE, 0},
    {OBJECT "too_small", PEG_RANGE, 0},
    {OBJECT "huge", PEG_RANGE, 0},
    {OBJECT "fraction", PEG_TYPE, 0},
    {OBJECT "digits", PEG_TYPE, 0},
    {OBJECT "yes", PEG_TYPE, 0},
    {OBJECT "list", PEG_TYPE, 0},
    {"", PEG_TYPE, 0},
    {OBJECT "nothing", PEG_NULL, 0},
    {OBJECT "nothing.below", PEG_ABSENT, 0},
    {OBJECT "amount.below", PEG_ABSENT, 0},
    {OBJECT "missing", PEG_ABSENT, 0},
    {OBJECT "Amount", PEG_ABSENT, 0},
    {"amount", PEG_ABSENT, 0},
    {OBJECT "twice", PEG_OK, 2},
    {OBJECT "list.0", PEG_OK, 10},
    {OBJECT "list.2", PEG_NULL, 0},
    {OBJECT "list.5", PEG_ABSENT, 0},
    {OBJECT "list.-1", PEG_ABSENT, 0},
    {OBJECT "list.4.deep.2", PEG_OK, 3},
    {NULL, PEG_ABSENT, 0},
};

static int32_t
check_numbers(const peg_event *ev)
{
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int64_t value = UNTOUCHED;
        int32_t status = peg_get_i64(ev, numbers[i].path, &value);
        int64_t want = status == PEG_OK ? numbers[i].value : UNTOUCHED;
        if (status != numbers[i].status || value != want) {
            peg_reason(ev, "i64 %s: status %d value %" PRId64, numbers[i].path,
                       status, value);
            return PEG_FAIL;
        }
    }
    return PEG_DONE;
}

/* ---- Strings -------------------------------------------------------- */

/* A string constant and its length, which may hold a NUL. */
#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *path;
    int32_t status;
    const char *text;
    size_t len;
} strings[] =
    {
        {OBJECT "id", PEG_OK, TEXT("ch_1PegGetters0001")},
        {OBJECT "empty", PEG_OK, TEXT("")},
        {OBJECT "escapes", PEG_OK, TEXT("a\"b\\c/d\n\xc3\xa9\xf0\x9f\x98\x80")},
        {OBJECT "nul", PEG_OK, TEXT("a\0b")},
        {OBJECT "list.1", PEG_OK, TEXT("eleven")},
        {"/data/object/a.b/c~1d/e~0f", PEG_OK, TEXT("pointed")},
        {"/data/object/", PEG_OK, TEXT("nameless")},
        {OBJECT "amount", PEG_TYPE, NULL, 0},
        {OBJECT "no", PEG_TYPE, NULL, 0},
        {"data", PEG_TYPE, NULL, 0},
        {OBJECT "nothing", PEG_NULL, NULL, 0},
        {OBJECT "a.b", PEG_ABSENT, NULL, 0},
        {OBJECT "missing", PEG_ABSENT, NULL, 0},
        {NULL, PEG_ABSENT, NULL, 0},
},
  raws[] = {
      {OBJECT "amount", PEG_OK, TEXT("1099")},
      {OBJECT "huge", PEG_OK, TEXT("1e400")},
      {OBJECT "nothing", PEG_OK, TEXT("null")},
      {OBJECT "nul", PEG_OK, TEXT("\"a\\u0000b\"")},
      {OBJECT "nested", PEG_OK, TEXT("{ \"spaced\" : [ 1 , 2 ] }")},
      {OBJECT "missing", PEG_ABSENT, NULL, 0},
      {NULL, PEG_ABSENT, NULL, 0},
};

static int32_t
check_text(const peg_event *ev, const char *what, int32_t status,
           int32_t want_status, const peg_str *text, const char *want,
           size_t want_len)
{
    if (status != PEG_OK) {
        want = NULL; /* untouched: as check_strings() set it */
        want_len = UNTOUCHED;
    }
    int same = status == want_status && text->len == want_len;
    if (same && status == PEG_OK) {
        same = memcmp(text->ptr, want, want_len) == 0 &&
               text->ptr[want_len] == '\0';
    } else if (same) {
        same = text->ptr == NULL;
    }
    if (!same) {
        peg_reason(ev, "%s: status %d length %zu", what, status, text->len);
        return PEG_FAIL;
    }
    return PEG_DONE;
}

static int32_t
check_strings(const peg_event *ev)
{
    int32_t verdict = PEG_DONE;
    for (size_t i = 0; verdict == PEG_DONE && i < COUNT(strings); i++) {
        peg_str text = {NULL, UNTOUCHED};
        int32_t status = peg_get_str(ev, strings[i].path, &text);
        verdict = check_text(ev, strings[i].path, status, strings[i].status,
                             &text, strings[i].text, strings[i].len);
    }
    for (size_t i = 0; verdict == PEG_DONE && i < COUNT(raws); i++) {
        peg_str text = {NULL, UNTOUCHED};
        int32_t status = peg_get_raw(ev, raws[i].path, &text);
        verdict = check_text(ev, raws[i].path, status, raws[i].status, &text,
                             raws[i].text, raws[i].len);
    }
    return verdict;
}

/* The whole event, with the newline behind it. */
static int32_t
check_whole(const peg_event *ev)
{
    peg_str raw;
    if (peg_get_raw(ev, "", &raw) != PEG_OK || raw.ptr[0] != '{' ||
        raw.ptr[raw.len - 1] != '\n' || strlen(raw.ptr) != raw.len) {
        peg_reason(ev, "raw: not the whole event");
        return PEG_FAIL;
    }
    return PEG_DONE;
}

/* ---- Kinds, lengths, booleans --------------------------------------- */

static const struct {
    const char *path;
    int32_t kind;
    int32_t length_status;
    uint32_t length;
    int32_t bool_status;
    int32_t boolean;
} kinds[] = {
    {"", PEG_KIND_OBJECT, PEG_OK, 9, PEG_TYPE, 0},
    {OBJECT "list", PEG_KIND_ARRAY, PEG_OK, 5, PEG_TYPE, 0},
    {OBJECT "list.3", PEG_KIND_ARRAY, PEG_OK, 0, PEG_TYPE, 0},
    {OBJECT "list.4", PEG_KIND_OBJECT, PEG_OK, 1, PEG_TYPE, 0},
    {OBJECT "amount", PEG_KIND_NUMBER, PEG_TYPE, 0, PEG_TYPE, 0},
    {OBJECT "id", PEG_KIND_STRING, PEG_TYPE, 0, PEG_TYPE, 0},
    {OBJECT "yes", PEG_KIND_BOOL, PEG_TYPE, 0, PEG_OK, 1},
    {OBJECT "no", PEG_KIND_BOOL, PEG_TYPE, 0, PEG_OK, 0},
    {OBJECT "nothing", PEG_KIND_NULL, PEG_NULL, 0, PEG_NULL, 0},
    {OBJECT "missing", PEG_KIND_ABSENT, PEG_ABSENT, 0, PEG_ABSENT, 0},
    {"/data/object/~2", PEG_KIND_ABSENT, PEG_ABSENT, 0, PEG_ABSENT, 0},
    {NULL, PEG_KIND_ABSENT, PEG_ABSENT, 0, PEG_ABSENT, 0},
};

static int32_t
check_kinds(const peg_event *ev)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint32_t length = UNTOUCHED;
        int32_t boolean = UNTOUCHED;
        int32_t kind = peg_get_kind(ev, kinds[i].path);
        int32_t length_status = peg_get_length(ev, kinds[i].path, &length);
        int32_t bool_status = peg_get_bool(ev, kinds[i].path, &boolean);
        uint32_t want_length =
            length_status == PEG_OK ? kinds[i].length : UNTOUCHED;
        int32_t want_boolean =
            bool_status == PEG_OK ? kinds[i].boolean : UNTOUCHED;
        if (kind != kinds[i].kind || length_status != kinds[i].length_status ||
            length != want_length || bool_status != kinds[i].bool_status ||
            boolean != want_boolean) {
            peg_reason(ev, "%s: kind %d length %d %u bool %d %d", kinds[i].path,
                       kind, length_status, length, bool_status, boolean);
            return PEG_FAIL;
        }
    }
    return PEG_DONE;
}

/* ---- Facts and options ---------------------------------------------- */

static const struct {
    int32_t field;
    int32_t status;
    const char *text;
    size_t len;
} facts[] = {
    {PEG_META_ID, PEG_OK, TEXT("evt_1PegGetters0001")},
    {PEG_META_TYPE, PEG_OK, TEXT("charge.updated")},
    {PEG_META_ACCOUNT, PEG_OK, TEXT("acct_1PegGetters")},
    {PEG_META_API_VERSION, PEG_OK, TEXT("2025-03-31.basil")},
    {PEG_META_KEY, PEG_OK, TEXT("evt_1PegGetters0001:getters")},
    {PEG_META_OBJECT_ID, PEG_OK, TEXT("ch_1PegGetters0001")},
    {PEG_META_SIGNATURE, PEG_ABSENT, NULL, 0},
    {PEG_META_CHANGE, PEG_OK, TEXT("charge.updated:ch_1PegGetters0001")},
    {PEG_META_SNAPSHOT_EVENT, PEG_ABSENT, NULL, 0},
    {PEG_META_REPLAY, PEG_TYPE, NULL, 0},
    {PEG_META_CREATED, PEG_TYPE, NULL, 0},
    {0, PEG_ABSENT, NULL, 0},
    {999, PEG_ABSENT, NULL, 0},
};

static int32_t
check_facts(const peg_event *ev)
{
    int32_t verdict = PEG_DONE;
    for (size_t i = 0; verdict == PEG_DONE && i < COUNT(facts); i++) {
        peg_str text = {NULL, UNTOUCHED};
        int32_t status = peg_meta_str(ev, facts[i].field, &text);
        verdict = check_text(ev, "meta", status, facts[i].status, &text,
                             facts[i].text, facts[i].len);
    }
    int64_t created, received, attempt, livemode, thin, replay;
    int64_t none = UNTOUCHED;
    if (peg_meta_i64(ev, PEG_META_CREATED, &created) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_RECEIVED, &received) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_LIVEMODE, &livemode) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_THIN, &thin) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_REPLAY, &replay) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_ID, &none) != PEG_TYPE ||
        peg_meta_i64(ev, PEG_META_CHANGE, &none) != PEG_TYPE ||
        peg_meta_i64(ev, PEG_META_SNAPSHOT_EVENT, &none) != PEG_TYPE ||
        peg_meta_i64(ev, 999, &none) != PEG_ABSENT || none != UNTOUCHED ||
        created != 1767225600 || received < created * 1000 || attempt < 1 ||
        livemode != 1 || thin != 0 || replay != 0) {
        peg_reason(ev, "meta: a number is wrong");
        return PEG_FAIL;
    }
    return verdict;
}

static const struct {
    const char *name;
    int32_t str_status;
    const char *text;
    size_t len;
    int32_t i64_status;
    int64_t value;
} values[] = {
    {"text", PEG_OK, TEXT("by default"), PEG_TYPE, 0},
    {"place", PEG_OK, TEXT("/etc/x"), PEG_TYPE, 0},
    {"number", PEG_TYPE, NULL, 0, PEG_OK, -5},
    {"flag", PEG_TYPE, NULL, 0, PEG_OK, 1},
    {"pause", PEG_TYPE, NULL, 0, PEG_OK, 300000},
    {"room", PEG_TYPE, NULL, 0, PEG_OK, 65536},
    {"given", PEG_TYPE, NULL, 0, PEG_OK, 7},
    {"names", PEG_TYPE, NULL, 0, PEG_TYPE, 0},
    {"unset", PEG_ABSENT, NULL, 0, PEG_ABSENT, 0},
    {"undeclared", PEG_ABSENT, NULL, 0, PEG_ABSENT, 0},
    {NULL, PEG_ABSENT, NULL, 0, PEG_ABSENT, 0},
};

static int32_t
check_options(peg_ctx *ctx, const peg_event *ev)
{
    static const char *const items[] = {"a", "b c", "d"};
    peg_str text;
    for (size_t i = 0; i < COUNT(values); i++) {
        int64_t value = UNTOUCHED;
        text = (peg_str){NULL, UNTOUCHED};
        int32_t status = peg_option_str(ctx, values[i].name, &text);
        if (check_text(ev, values[i].name, status, values[i].str_status, &text,
                       values[i].text, values[i].len) != PEG_DONE) {
            return PEG_FAIL;
        }
        status = peg_option_i64(ctx, values[i].name, &value);
        int64_t want = status == PEG_OK ? values[i].value : UNTOUCHED;
        if (status != values[i].i64_status || value != want) {
            peg_reason(ev, "option %s: %d", values[i].name, status);
            return PEG_FAIL;
        }
    }
    for (uint32_t i = 0; i < COUNT(items); i++) {
        if (peg_option_item(ctx, "names", i, &text) != PEG_OK ||
            strcmp(text.ptr, items[i]) != 0 || strlen(items[i]) != text.len) {
            peg_reason(ev, "item %u is wrong", i);
            return PEG_FAIL;
        }
    }
    if (peg_option_item(ctx, "names", 3, &text) != PEG_ABSENT ||
        peg_option_item(ctx, "text", 0, &text) != PEG_TYPE ||
        peg_option_item(ctx, "unset", 0, &text) != PEG_ABSENT) {
        peg_reason(ev, "an item where none is");
        return PEG_FAIL;
    }
    return PEG_DONE;
}

/* ---- The rest ------------------------------------------------------- */

static int32_t
check_scratch(const peg_event *ev)
{
    static const size_t sizes[] = {0, 1, 3, 4096, 100000, 7};
    char *before = NULL;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *memory = peg_scratch(ev, sizes[i]);
        if (memory == NULL || memory == before ||
            (uintptr_t)memory % _Alignof(max_align_t) != 0) {
            peg_reason(ev, "scratch of %zu bytes is wrong", sizes[i]);
            return PEG_FAIL;
        }
        memset(memory, 'x', sizes[i]);
        before = memory;
    }
    if (peg_scratch(ev, SIZE_MAX) != NULL ||
        peg_scratch(ev, ((size_t)1 << 30) + 1) != NULL) {
        peg_reason(ev, "scratch gives more than there is");
        return PEG_FAIL;
    }
    int64_t left_ms = peg_ms_left(ev);
    if (left_ms < 1 || left_ms > 30000) {
        peg_reason(ev, "%" PRId64 " ms left", left_ms);
        return PEG_FAIL;
    }
    return PEG_DONE;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int32_t verdict = check_numbers(ev);
    if (verdict == PEG_DONE) {
        verdict = check_strings(ev);
    }
    if (verdict == PEG_DONE) {
        verdict = check_whole(ev);
    }
    if (verdict == PEG_DONE) {
        verdict = check_kinds(ev);
    }
    if (verdict == PEG_DONE) {
        verdict = check_facts(ev);
    }
    if (verdict == PEG_DONE) {
        verdict = check_options(ctx, ev);
    }
    return verdict == PEG_DONE ? check_scratch(ev) : verdict;
}

PEG_PLUGIN(.name = "getters", .version = "1.0", PEG_EVENTS("charge.*"),
           PEG_OPTIONS(options), .handle = handle);
