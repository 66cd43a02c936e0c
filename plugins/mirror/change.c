/* plugins/mirror: reads an event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "change.h"

#include "digest.h"
#include "stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* U+FFFD, "replacement character", is as long as the escape it stands for. */
#define REPLACEMENT "\\ufffd"
#define ESCAPE_LEN  6

static int
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The string at `path`, or `fallback` when nothing or null is there. NULL: it
 * is no string, or one with a NUL, and no key of anything. */
static const char *
text_at(const peg_event *ev, const char *path, const char *fallback)
{
    peg_str text;
    switch (peg_get_str(ev, path, &text)) {
    case PEG_OK:
        return strlen(text.ptr) == text.len ? text.ptr : NULL;
    case PEG_ABSENT:
    case PEG_NULL:
        return fallback;
    default:
        return NULL;
    }
}

static const char *
fact(const peg_event *ev, int32_t field, const char *fallback)
{
    peg_str text;
    return peg_meta_str(ev, field, &text) == PEG_OK ? text.ptr : fallback;
}

static const char *
flag(int64_t value)
{
    return value != 0 ? "1" : "0";
}

/* ---- The object's JSON ---------------------------------------------- */

/* The code of an escape like \u0041 at `at`; 0x10000 when there is none. */
static unsigned
escape_at(const char *at, const char *end)
{
    unsigned code = 0;
    if (end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u') {
        return 0x10000;
    }
    for (int i = 2; i < ESCAPE_LEN; i++) {
        char digit = at[i] > '9' ? (char)((at[i] | 0x20) - 'a' + 10)
                                 : (char)(at[i] - '0');
        code = code * 16 + (unsigned)digit;
    }
    return code;
}

static int
is_between(unsigned code, unsigned low, unsigned high)
{
    return code >= low && code <= high;
}

/* PostgreSQL takes neither \u0000 nor half a surrogate pair. Both are written
 * over, for both databases: one event must not be a dead letter for that. */
static void
replace_escapes(char *text, size_t len)
{
    char *end = text + len;
    for (char *at = text; at < end;) {
        unsigned code = escape_at(at, end);
        if (is_between(code, 0xd800, 0xdbff) &&
            is_between(escape_at(at + ESCAPE_LEN, end), 0xdc00, 0xdfff)) {
            at += 2 * ESCAPE_LEN;
        } else if (code == 0 || is_between(code, 0xd800, 0xdfff)) {
            memcpy(at, REPLACEMENT, ESCAPE_LEN);
            at += ESCAPE_LEN;
        } else {
            at += *at == '\\' ? 2 : 1; /* also over \\, so that \\u0000 stays */
        }
    }
}

/* NULL: out of memory. */
static const char *
readable_json(const peg_event *ev, peg_str raw)
{
    char *copy = peg_scratch(ev, raw.len + 1);
    if (copy != NULL) {
        memcpy(copy, raw.ptr, raw.len);
        copy[raw.len] = '\0';
        replace_escapes(copy, raw.len);
    }
    return copy;
}

/* ---- The two kinds of events ---------------------------------------- */

static void
take_state(struct change *c, const peg_event *ev, peg_str object)
{
    peg_str previous = {NULL, 0};
    uint64_t before;
    (void)peg_get_raw(ev, "data.previous_attributes", &previous);
    snprintf(c->after, sizeof(c->after), "%" PRId64,
             (int64_t)digest_after(object));
    c->column[COLUMN_AFTER] = c->after;
    if (digest_before(&before, object, previous)) {
        snprintf(c->before, sizeof(c->before), "%" PRId64, (int64_t)before);
        c->column[COLUMN_BEFORE] = c->before;
    }
    const char *status = text_at(ev, "data.object.status", "");
    snprintf(c->stage, sizeof(c->stage), "%d",
             stage_of(status != NULL ? status : ""));
}

static int32_t
read_snapshot(struct change *c, const peg_event *ev)
{
    peg_str object;
    const char *type = c->column[COLUMN_EVENT_TYPE];
    if (strcmp(type, "invoice.upcoming") == 0) {
        peg_reason(ev, "a preview, not an object");
        return PEG_SKIP;
    }
    /* What has no id there is one of: per customer, or per account. */
    const char *customer = text_at(ev, "data.object.customer", "");
    c->column[COLUMN_OBJECT] = text_at(ev, "data.object.object", NULL);
    c->column[COLUMN_ID] = text_at(ev, "data.object.id", customer);
    if (peg_get_raw(ev, "data.object", &object) != PEG_OK ||
        c->column[COLUMN_OBJECT] == NULL || c->column[COLUMN_ID] == NULL) {
        peg_reason(ev, "data.object does not say which object it is");
        return PEG_FAIL;
    }
    c->column[COLUMN_DATA] = readable_json(ev, object);
    if (c->column[COLUMN_DATA] == NULL) {
        peg_reason(ev, "out of memory");
        return PEG_RETRY;
    }
    int32_t gone = 0;
    (void)peg_get_bool(ev, "data.object.deleted", &gone);
    c->column[COLUMN_DELETED] =
        flag(gone || c->column[COLUMN_DELETED][0] == '1');
    take_state(c, ev, object);
    return PEG_DONE;
}

static int32_t
read_thin(struct change *c, const peg_event *ev)
{
    c->column[COLUMN_OBJECT] = text_at(ev, "related_object.type", NULL);
    c->column[COLUMN_ID] = text_at(ev, "related_object.id", "");
    c->column[COLUMN_SNAPSHOT_EVENT] = fact(ev, PEG_META_SNAPSHOT_EVENT, "");
    if (c->column[COLUMN_OBJECT] == NULL || c->column[COLUMN_ID] == NULL) {
        peg_reason(ev, "a thin event that names no object");
        return PEG_SKIP;
    }
    return PEG_DONE;
}

/* A subscription that is "deleted" has ended, and still is there. */
static int
is_deletion(const char *type)
{
    return ends_with(type, ".deleted") &&
           !ends_with(type, "customer.subscription.deleted");
}

int32_t
change_read(struct change *c, const peg_event *ev)
{
    int64_t livemode = 0, thin = 0, created;
    const char *id = fact(ev, PEG_META_ID, NULL);
    const char *type = fact(ev, PEG_META_TYPE, NULL);
    if (id == NULL || type == NULL ||
        peg_meta_i64(ev, PEG_META_CREATED, &created) != PEG_OK) {
        peg_reason(ev, "the event has no id, type or time");
        return PEG_FAIL;
    }
    (void)peg_meta_i64(ev, PEG_META_LIVEMODE, &livemode);
    (void)peg_meta_i64(ev, PEG_META_THIN, &thin);
    *c = (struct change){
        .column = {
            [COLUMN_ACCOUNT] = fact(ev, PEG_META_ACCOUNT, ""),
            [COLUMN_LIVEMODE] = flag(livemode),
            [COLUMN_THIN] = flag(thin),
            [COLUMN_CREATED] = c->created,
            [COLUMN_EVENT_ID] = id,
            [COLUMN_EVENT_TYPE] = type,
            [COLUMN_API_VERSION] = fact(ev, PEG_META_API_VERSION, NULL),
            [COLUMN_SNAPSHOT_EVENT] = "",
            [COLUMN_DELETED] = flag(is_deletion(type)),
            [COLUMN_STAGE] = c->stage,
        }};
    snprintf(c->created, sizeof(c->created), "%" PRId64, created);
    snprintf(c->stage, sizeof(c->stage), "-1");
    return thin != 0 ? read_thin(c, ev) : read_snapshot(c, ev);
}
