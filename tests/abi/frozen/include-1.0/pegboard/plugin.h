/* pegboard/plugin.h: all that a Pegboard plugin needs.
 *
 * A plugin is a shared object that exports one data symbol, pegboard_plugin_v1,
 * made by PEG_PLUGIN(). It imports nothing from the host: every function it
 * may call travels in the handles it is given. C11 and C++17.
 *
 * ABI rules
 *   1. The major version is in the symbol's name. Within a major version
 *      members are only appended: never moved, retyped, removed or reused.
 *   2. The host copies min(size, its own size) bytes of the descriptor into a
 *      zeroed one and judges it before it calls anything.
 *   3. A plugin that calls a function added in minor version N sets
 *      PEG_TARGET_MINOR to N before it includes this header; an older host
 *      refuses it with both numbers.
 *   4. No memory changes hands: what the host returns stays the host's, and the
 *      host never frees what is the plugin's.
 *
 * ABI history
 *   1.0  first version
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEGBOARD_PLUGIN_H
#define PEGBOARD_PLUGIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PEG_ABI_MAJOR 1
#define PEG_ABI_MINOR 0

/** The lowest host minor version this plugin can live with. */
#ifndef PEG_TARGET_MINOR
#define PEG_TARGET_MINOR 0
#endif

#if defined(__GNUC__)
#define PEG_EXPORT            __attribute__((visibility("default")))
#define PEG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args), unused))
#else
#define PEG_EXPORT
#define PEG_PRINTF(fmt, args)
#endif

/* ---- Words ---------------------------------------------------------- */

/** What handle() returns. Anything else counts as PEG_RETRY, with a warning. */
enum {
    PEG_DONE = 0,  /* handled: the delivery is closed */
    PEG_SKIP = 1,  /* looked inside, not for me: closed, counted apart */
    PEG_RETRY = 2, /* try again later; see peg_retry_after() */
    PEG_FAIL = 3,  /* will never work: dead letter now; see peg_reason() */
};

/** What a getter returns. Its output is written only with PEG_OK. */
enum {
    PEG_OK = 0,
    PEG_ABSENT = 1, /* no such member, element, option or field */
    PEG_NULL = 2,   /* it is there, and null */
    PEG_TYPE = 3,   /* it is there, and of another kind */
    PEG_RANGE = 4,  /* a number that does not fit the asked type */
};

/** Kinds of JSON values; PEG_KIND_ABSENT when there is none at a path. */
enum {
    PEG_KIND_ABSENT = 0,
    PEG_KIND_NULL = 1,
    PEG_KIND_BOOL = 2,
    PEG_KIND_NUMBER = 3,
    PEG_KIND_STRING = 4,
    PEG_KIND_ARRAY = 5,
    PEG_KIND_OBJECT = 6,
};

/** Log levels: an error needs a person, a warning may. */
enum {
    PEG_LOG_ERROR = 0,
    PEG_LOG_WARN = 1,
    PEG_LOG_INFO = 2,
    PEG_LOG_DEBUG = 3,
};

/** Facts about an event and this delivery of it. s: string, i: integer. */
enum {
    PEG_META_ID = 1,      /* s: "evt_..." */
    PEG_META_TYPE = 2,    /* s: "charge.dispute.created" */
    PEG_META_ACCOUNT = 3, /* s: connected account or context; may be absent */
    PEG_META_API_VERSION = 4, /* s: may be absent (thin events have none) */
    PEG_META_KEY = 5,         /* s: idempotency key: event id + plugin name; the
                                 same on every attempt */
    PEG_META_OBJECT_ID = 6,   /* s: data.object.id or related_object.id; may be
                                 absent */
    PEG_META_LIVEMODE = 7,    /* i: 1 live, 0 test */
    PEG_META_CREATED = 8,     /* i: seconds since 1970 UTC, by Stripe */
    PEG_META_RECEIVED = 9,    /* i: milliseconds since 1970 UTC, by pegboard */
    PEG_META_ATTEMPT = 10,    /* i: 1 for the first call with this delivery */
    PEG_META_THIN = 11,       /* i: 1 for thin events, 0 for snapshot events */
    PEG_META_SIGNATURE = 12,  /* s: the Stripe-Signature header as received; may
                                 be absent */
};

/** Text: `len` bytes at `ptr`, with a NUL behind them that is not counted. */
typedef struct peg_str {
    const char *ptr;
    size_t len;
} peg_str;

/* ---- Handles -------------------------------------------------------- */

typedef struct peg_host peg_host;

/** The runner, for as long as it lives. `user` is the plugin's own. */
typedef struct peg_ctx {
    const peg_host *host;
    void *user;
} peg_ctx;

/** One delivery, until handle() returns. */
typedef struct peg_event {
    const peg_host *host;
} peg_event;

/**
 * The host's functions. Plugins use the peg_*() wrappers below. Append only.
 *
 * Paths are dotted, with numbers as indexes ("data.object.amount",
 * "data.object.lines.data.0.id"); with a leading '/' a path is a JSON Pointer
 * (RFC 6901), for keys that hold dots; "" is the whole event.
 */
struct peg_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    void (*log)(peg_ctx *ctx, int32_t level, const char *text, size_t len);
    int32_t (*option_str)(peg_ctx *ctx, const char *name, peg_str *out);
    int32_t (*option_i64)(peg_ctx *ctx, const char *name, int64_t *out);
    int32_t (*option_item)(peg_ctx *ctx, const char *name, uint32_t index,
                           peg_str *out);
    int32_t (*meta_str)(const peg_event *ev, int32_t field, peg_str *out);
    int32_t (*meta_i64)(const peg_event *ev, int32_t field, int64_t *out);
    int32_t (*json_kind)(const peg_event *ev, const char *path);
    int32_t (*json_length)(const peg_event *ev, const char *path,
                           uint32_t *out);
    int32_t (*json_raw)(const peg_event *ev, const char *path, peg_str *out);
    int32_t (*json_str)(const peg_event *ev, const char *path, peg_str *out);
    int32_t (*json_i64)(const peg_event *ev, const char *path, int64_t *out);
    int32_t (*json_bool)(const peg_event *ev, const char *path, int32_t *out);
    void (*reason)(const peg_event *ev, const char *text, size_t len);
    void (*retry_after)(const peg_event *ev, int64_t delay_ms);
    int64_t (*ms_left)(const peg_event *ev);
    void *(*scratch)(const peg_event *ev, size_t size);
};

/* ---- The descriptor ------------------------------------------------- */

/** Types of options. Numbers come out of peg_option_i64(). */
enum {
    PEG_OPTION_STRING = 1,
    PEG_OPTION_INT = 2,
    PEG_OPTION_BOOL = 3,     /* yes/no: 1/0 */
    PEG_OPTION_DURATION = 4, /* "30s": milliseconds */
    PEG_OPTION_SIZE = 5,     /* "1M": bytes */
    PEG_OPTION_LIST = 6,     /* "a, b": peg_option_item() */
    PEG_OPTION_PATH = 7,     /* made absolute: relative to the ini file */
};

enum {
    PEG_OPTION_REQUIRED = 1, /* no start without it */
    PEG_OPTION_SECRET = 2,   /* shown masked; may be file:PATH or env:NAME */
};

/** One option that the plugin understands. Others are refused at load. */
typedef struct peg_option {
    const char *name; /* 1 to 48 of a-z 0-9 _ - */
    int32_t type;     /* PEG_OPTION_STRING ... */
    uint32_t flags;
    const char *fallback; /* the default, as it would stand in the ini file;
                             NULL for none */
    const char *help;     /* one line */
} peg_option;

/**
 * Get ready. Optional. Called once, before any event, on the runner's main
 * thread, with all options in place. The plugin may start threads here; only
 * peg_log() may be called from them.
 *
 * @return 0 when ready. Anything else keeps this version from being used: say
 *         why with peg_error()
 */
typedef int32_t peg_init_fn(peg_ctx *ctx);

/**
 * Handle one event. Required.
 *
 * Called on the runner's main thread, never twice at once. An event can arrive
 * more than once, so the effect must be idempotent: key it on PEG_META_KEY.
 *
 * @param ctx  the runner's context; owned by the host
 * @param ev   borrowed until this call returns; copy what must live longer
 * @return PEG_DONE, PEG_SKIP, PEG_RETRY (try again later) or PEG_FAIL (dead)
 */
typedef int32_t peg_handle_fn(peg_ctx *ctx, const peg_event *ev);

/** Say goodbye. Optional, and not promised: a process can die at any time. */
typedef void peg_shutdown_fn(peg_ctx *ctx);

/** Check, without side effects, that handle() could work. Optional.
 * @return 0 when all is well */
typedef int32_t peg_self_test_fn(peg_ctx *ctx);

/** The one thing a plugin exports. Append only. */
typedef struct peg_plugin {
    uint32_t size; /* the first three are filled by PEG_PLUGIN() */
    uint16_t abi_major, needs_minor;
    const char *name;          /* 1 to 32 of a-z 0-9 - _ */
    const char *version;       /* for people */
    const char *summary;       /* one line; may be NULL */
    const char *const *events; /* ends with NULL: names, "prefix.*" or "*" */
    const peg_option *options;
    uint32_t option_count, option_stride; /* see PEG_OPTIONS() */
    peg_init_fn *init;
    peg_handle_fn *handle;
    peg_shutdown_fn *shutdown;
    peg_self_test_fn *self_test;
} peg_plugin;

extern PEG_EXPORT const struct peg_plugin pegboard_plugin_v1;

/**
 * Define the plugin:
 *   PEG_PLUGIN(.name = "hello", .version = "1.0",
 *              PEG_EVENTS("payment_intent.succeeded"), .handle = handle);
 */
#define PEG_PLUGIN(...)                                                        \
    const struct peg_plugin pegboard_plugin_v1 = {                             \
        .size = (uint32_t)sizeof(struct peg_plugin),                           \
        .abi_major = PEG_ABI_MAJOR,                                            \
        .needs_minor = PEG_TARGET_MINOR,                                       \
        __VA_ARGS__}

/** For PEG_PLUGIN(): the event types, e.g. PEG_EVENTS("charge.*"). */
#define PEG_EVENTS(...)                                                        \
    .events = (const char *const[])                                            \
    {                                                                          \
        __VA_ARGS__, NULL                                                      \
    }

/** For PEG_PLUGIN(): a static array of peg_option. */
#define PEG_OPTIONS(table)                                                     \
    .options = (table),                                                        \
    .option_count = (uint32_t)(sizeof(table) / sizeof((table)[0])),            \
    .option_stride = (uint32_t)sizeof((table)[0])

/* ---- Reading the event ---------------------------------------------- */

/** A fact about the event; PEG_META_* marked s. Borrowed until handle() ends.
 */
static inline int32_t
peg_meta_str(const peg_event *ev, int32_t field, peg_str *out)
{
    return ev->host->meta_str(ev, field, out);
}

/** A fact about the event; PEG_META_* marked i. */
static inline int32_t
peg_meta_i64(const peg_event *ev, int32_t field, int64_t *out)
{
    return ev->host->meta_i64(ev, field, out);
}

/** The kind of the value at `path`: PEG_KIND_*. */
static inline int32_t
peg_get_kind(const peg_event *ev, const char *path)
{
    return ev->host->json_kind(ev, path);
}

/** Elements of the array, or members of the object, at `path`. */
static inline int32_t
peg_get_length(const peg_event *ev, const char *path, uint32_t *out)
{
    return ev->host->json_length(ev, path, out);
}

/** The value's own bytes; with path "" the whole event exactly as signed. */
static inline int32_t
peg_get_raw(const peg_event *ev, const char *path, peg_str *out)
{
    return ev->host->json_raw(ev, path, out);
}

/** The string at `path`, unescaped. Borrowed until handle() ends. */
static inline int32_t
peg_get_str(const peg_event *ev, const char *path, peg_str *out)
{
    return ev->host->json_str(ev, path, out);
}

/** The integer at `path`, exact over all of int64_t or an error. */
static inline int32_t
peg_get_i64(const peg_event *ev, const char *path, int64_t *out)
{
    return ev->host->json_i64(ev, path, out);
}

/** The boolean at `path`: 1 or 0. */
static inline int32_t
peg_get_bool(const peg_event *ev, const char *path, int32_t *out)
{
    return ev->host->json_bool(ev, path, out);
}

/* ---- Options -------------------------------------------------------- */

/** A string or path option. Borrowed until shutdown() ends. */
static inline int32_t
peg_option_str(peg_ctx *ctx, const char *name, peg_str *out)
{
    return ctx->host->option_str(ctx, name, out);
}

/** An int, bool (1/0), duration (milliseconds) or size (bytes) option. */
static inline int32_t
peg_option_i64(peg_ctx *ctx, const char *name, int64_t *out)
{
    return ctx->host->option_i64(ctx, name, out);
}

/** Item `index` of a list option; PEG_ABSENT behind the last. */
static inline int32_t
peg_option_item(peg_ctx *ctx, const char *name, uint32_t index, peg_str *out)
{
    return ctx->host->option_item(ctx, name, index, out);
}

/* ---- Answering ------------------------------------------------------ */

/** With PEG_RETRY: not before `delay_ms` from now, within the host's bounds. */
static inline void
peg_retry_after(const peg_event *ev, int64_t delay_ms)
{
    ev->host->retry_after(ev, delay_ms);
}

/** Milliseconds until this runner is killed for taking too long. */
static inline int64_t
peg_ms_left(const peg_event *ev)
{
    return ev->host->ms_left(ev);
}

/** Memory that the host frees when handle() has returned; NULL if there is
 * none. Aligned for any type. */
static inline void *
peg_scratch(const peg_event *ev, size_t size)
{
    return ev->host->scratch(ev, size);
}

/** Longest text that peg_reason() and the log functions pass on. */
#define PEG_TEXT_MAX 1024

/** Say, for the operator, why the verdict is what it will be. */
PEG_PRINTF(2, 3)
static inline void
peg_reason(const peg_event *ev, const char *fmt, ...)
{
    char text[PEG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len > 0) {
        size_t size =
            (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
        ev->host->reason(ev, text, size);
    }
}

/** Write a log line; `args` as for vprintf(). */
PEG_PRINTF(3, 0)
static inline void
peg_vlog(peg_ctx *ctx, int32_t level, const char *fmt, va_list args)
{
    char text[PEG_TEXT_MAX];
    int len = vsnprintf(text, sizeof(text), fmt, args);
    if (len > 0) {
        size_t size =
            (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
        ctx->host->log(ctx, level, text, size);
    }
}

/** Write a log line of a PEG_LOG_* level. Safe from any thread. */
PEG_PRINTF(3, 4)
static inline void
peg_log(peg_ctx *ctx, int32_t level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    peg_vlog(ctx, level, fmt, args);
    va_end(args);
}

#define peg_error(ctx, ...) peg_log((ctx), PEG_LOG_ERROR, __VA_ARGS__)
#define peg_warn(ctx, ...)  peg_log((ctx), PEG_LOG_WARN, __VA_ARGS__)
#define peg_info(ctx, ...)  peg_log((ctx), PEG_LOG_INFO, __VA_ARGS__)
#define peg_debug(ctx, ...) peg_log((ctx), PEG_LOG_DEBUG, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
