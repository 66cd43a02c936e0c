/* core/runner/host.c: the host's side of pegboard/plugin.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/host.h"

#include "clock.h"
#include "error.h"
#include "json/json.h"
#include "plugin/wire.h"
#include "runner/facts.h"
#include "runner/scratch.h"

#include <string.h>

/* What belongs to one call of handle(). */
struct call {
    const struct wire_event *facts;
    struct scratch scratch;
    struct host_verdict *verdict;
    struct host *host;
};

/* What the plugin sees as its peg_event: constant, the call is not. */
struct delivery {
    peg_event ev; /* first: a pointer to it is a pointer to the delivery */
    struct call *call;
};

static struct host *
host_of(peg_ctx *ctx)
{
    return (struct host *)ctx;
}

static struct call *
call_of(const peg_event *ev)
{
    return ((const struct delivery *)ev)->call;
}

/* Text for people ends at a NUL, and is not cut inside a character. */
static size_t
text_len(const char *text, size_t len, size_t max)
{
    len = text == NULL ? 0 : strnlen(text, len);
    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    return len;
}

/* ---- The context ---------------------------------------------------- */

static void
host_log(peg_ctx *ctx, int32_t level, const char *text, size_t len)
{
    struct host *host = host_of(ctx);
    if (level < PEG_LOG_ERROR) {
        level = PEG_LOG_ERROR;
    }
    if (level > PEG_LOG_DEBUG) {
        level = PEG_LOG_DEBUG;
    }
    text = text == NULL ? "" : text;
    host->log(host->log_arg, level, text, text_len(text, len, PEG_TEXT_MAX));
}

static int32_t
host_option_str(peg_ctx *ctx, const char *name, peg_str *out)
{
    return settings_str(&host_of(ctx)->settings, name, out);
}

static int32_t
host_option_i64(peg_ctx *ctx, const char *name, int64_t *out)
{
    return settings_i64(&host_of(ctx)->settings, name, out);
}

static int32_t
host_option_item(peg_ctx *ctx, const char *name, uint32_t index, peg_str *out)
{
    return settings_item(&host_of(ctx)->settings, name, index, out);
}

/* ---- The event ------------------------------------------------------ */

static int32_t
host_meta_str(const peg_event *ev, int32_t field, peg_str *out)
{
    struct call *call = call_of(ev);
    return facts_str(call->facts, field, &call->scratch, out);
}

static int32_t
host_meta_i64(const peg_event *ev, int32_t field, int64_t *out)
{
    return facts_i64(call_of(ev)->facts, field, out);
}

static int
find(const peg_event *ev, const char *path, struct json_value *value)
{
    const struct wire_event *facts = call_of(ev)->facts;
    if (path == NULL) {
        return RC_NOT_FOUND;
    }
    return json_find(facts->body, facts->body_len, path, value);
}

/* What a getter answers for a value that is not of the kind it wants. */
static int32_t
other_kind(const struct json_value *value)
{
    return value->kind == JSON_NULL ? PEG_NULL : PEG_TYPE;
}

static int32_t
host_json_kind(const peg_event *ev, const char *path)
{
    struct json_value value;
    if (find(ev, path, &value) != RC_OK) {
        return PEG_KIND_ABSENT;
    }
    switch (value.kind) {
    case JSON_NULL:
        return PEG_KIND_NULL;
    case JSON_FALSE:
    case JSON_TRUE:
        return PEG_KIND_BOOL;
    case JSON_NUMBER:
        return PEG_KIND_NUMBER;
    case JSON_STRING:
        return PEG_KIND_STRING;
    case JSON_ARRAY:
        return PEG_KIND_ARRAY;
    case JSON_OBJECT:
        return PEG_KIND_OBJECT;
    }
    return PEG_KIND_ABSENT;
}

static int32_t
host_json_length(const peg_event *ev, const char *path, uint32_t *out)
{
    struct json_value value;
    if (find(ev, path, &value) != RC_OK) {
        return PEG_ABSENT;
    }
    if (value.kind != JSON_ARRAY && value.kind != JSON_OBJECT) {
        return other_kind(&value);
    }
    *out = (uint32_t)json_count(&value); /* a frame bounds it */
    return PEG_OK;
}

/* The whole event is handed out as it lies in the frame; a part of it as a
 * copy, since every peg_str has a NUL behind it. */
static int32_t
host_json_raw(const peg_event *ev, const char *path, peg_str *out)
{
    struct call *call = call_of(ev);
    if (path != NULL && path[0] == '\0') {
        *out = (peg_str){call->facts->body, call->facts->body_len};
        return PEG_OK;
    }
    struct json_value value;
    if (find(ev, path, &value) != RC_OK) {
        return PEG_ABSENT;
    }
    char *text = scratch_need(&call->scratch, value.len + 1);
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    *out = (peg_str){text, value.len};
    return PEG_OK;
}

static int32_t
host_json_str(const peg_event *ev, const char *path, peg_str *out)
{
    struct json_value value;
    if (find(ev, path, &value) != RC_OK) {
        return PEG_ABSENT;
    }
    if (value.kind != JSON_STRING) {
        return other_kind(&value);
    }
    char *text = scratch_need(&call_of(ev)->scratch, value.len);
    size_t len = json_unescape(&value, text);
    *out = (peg_str){text, len};
    return PEG_OK;
}

static int32_t
host_json_i64(const peg_event *ev, const char *path, int64_t *out)
{
    struct json_value value;
    if (find(ev, path, &value) != RC_OK) {
        return PEG_ABSENT;
    }
    if (value.kind != JSON_NUMBER) {
        return other_kind(&value);
    }
    int64_t number;
    int rc = json_i64(&value, &number);
    if (rc != RC_OK) {
        return rc == RC_FULL ? PEG_RANGE : PEG_TYPE;
    }
    *out = number;
    return PEG_OK;
}

static int32_t
host_json_bool(const peg_event *ev, const char *path, int32_t *out)
{
    struct json_value value;
    if (find(ev, path, &value) != RC_OK) {
        return PEG_ABSENT;
    }
    if (value.kind != JSON_TRUE && value.kind != JSON_FALSE) {
        return other_kind(&value);
    }
    *out = value.kind == JSON_TRUE;
    return PEG_OK;
}

/* ---- Answering ------------------------------------------------------ */

static void
host_reason(const peg_event *ev, const char *text, size_t len)
{
    struct host_verdict *verdict = call_of(ev)->verdict;
    verdict->reason_len = text_len(text, len, HOST_REASON_MAX);
    if (verdict->reason_len > 0) {
        memcpy(verdict->reason, text, verdict->reason_len);
    }
    verdict->reason[verdict->reason_len] = '\0';
}

static void
host_retry_after(const peg_event *ev, int64_t delay_ms)
{
    if (delay_ms >= 0) {
        call_of(ev)->verdict->delay_ms = delay_ms;
    }
}

static int64_t
host_ms_left(const peg_event *ev)
{
    int64_t left_ms = call_of(ev)->host->deadline_ms - clock_mono_ms();
    return left_ms > 0 ? left_ms : 0;
}

static void *
host_scratch(const peg_event *ev, size_t size)
{
    return scratch_take(&call_of(ev)->scratch, size);
}

/* ---- The store ------------------------------------------------------ */

static int32_t
host_store_get(const peg_event *ev, const char *key, peg_str *out)
{
    return store_get(&call_of(ev)->host->store, key, out);
}

static int32_t
host_store_put(const peg_event *ev, const char *key, const void *bytes,
               size_t len)
{
    return store_put(&call_of(ev)->host->store, key, bytes, len);
}

static int32_t
host_store_delete(const peg_event *ev, const char *key)
{
    return store_delete(&call_of(ev)->host->store, key);
}

static const peg_host table = {
    .size = (uint32_t)sizeof(peg_host),
    .abi_major = PEG_ABI_MAJOR,
    .abi_minor = PEG_ABI_MINOR,
    .log = host_log,
    .option_str = host_option_str,
    .option_i64 = host_option_i64,
    .option_item = host_option_item,
    .meta_str = host_meta_str,
    .meta_i64 = host_meta_i64,
    .json_kind = host_json_kind,
    .json_length = host_json_length,
    .json_raw = host_json_raw,
    .json_str = host_json_str,
    .json_i64 = host_json_i64,
    .json_bool = host_json_bool,
    .reason = host_reason,
    .retry_after = host_retry_after,
    .ms_left = host_ms_left,
    .scratch = host_scratch,
    .store_get = host_store_get,
    .store_put = host_store_put,
    .store_delete = host_store_delete,
};

/* ---- Calling the plugin --------------------------------------------- */

void
host_init(struct host *host, host_log_fn *log, store_ask_fn *ask, void *arg)
{
    *host = (struct host){
        .ctx = {.host = &table},
        .log = log,
        .log_arg = arg,
    };
    store_init(&host->store, ask, arg);
}

void
host_fini(struct host *host)
{
    settings_fini(&host->settings);
    store_clear(&host->store);
}

/* A handler that took "cannot tell" for "no such key" would write over what is
 * there. */
static void
forbid_done(const peg_event *ev, struct host_verdict *verdict)
{
    static const char why[] = "the store could not be read";
    verdict->code = PEG_RETRY;
    if (verdict->reason_len == 0) {
        host_reason(ev, why, sizeof(why) - 1);
    }
}

void
host_handle(struct host *host, peg_handle_fn *handle,
            const struct wire_event *facts, struct host_verdict *out)
{
    out->delay_ms = -1;
    out->reason_len = 0;
    out->reason[0] = '\0';
    int64_t start_us = clock_mono_us();
    struct call call = {.facts = facts, .verdict = out, .host = host};
    if (__builtin_add_overflow(start_us / 1000, facts->timeout_ms,
                               &host->deadline_ms)) {
        host->deadline_ms = INT64_MAX;
    }
    store_clear(&host->store);
    const struct delivery delivery = {.ev = {.host = &table}, .call = &call};

    out->code = handle(&host->ctx, &delivery.ev);
    out->took_us = clock_mono_us() - start_us;
    if (out->code == PEG_DONE && host->store.failed) {
        forbid_done(&delivery.ev, out);
    }
    scratch_fini(&call.scratch);
}
