/* pegboard/plugin.h: all that a Pegboard plugin needs.
 *
 * A plugin is a shared object that exports one data symbol, pegboard_plugin_v1,
 * made by PEG_PLUGIN(). It imports nothing from the host: every function it
 * may call travels in the handles it is given. C11 and C++17.
 *
 * It is longer than our files are, on purpose: this one header is the whole of
 * the contract, and half of it is the words that go with it.
 *
 * ABI rules
 *   1. The major version is in the symbol's name. Within a major version
 *      members are only appended: never moved, retyped, removed or reused. The
 *      same holds for the values of constants. A peg_str, of which plugins make
 *      their own, does not even grow.
 *   2. The host copies min(size, its own size) bytes of the descriptor into a
 *      zeroed one and judges it before it calls anything. It steps through the
 *      options by option_stride, so that peg_option may grow.
 *   3. A plugin that calls a function added in minor version N sets
 *      PEG_TARGET_MINOR to N before it includes this header; an older host
 *      refuses it with both numbers. Without that the function is not declared,
 *      and the plugin runs on hosts from 1.0 on.
 *   4. What one side does not know of the other is no error: an unknown fact is
 *      PEG_ABSENT, an unknown verdict counts as PEG_RETRY. So new facts need no
 *      target.
 *   5. No memory changes hands: what the host returns stays the host's, and the
 *      host never frees what is the plugin's.
 *   6. Only integers of a stated width, size_t and pointers cross: no enum, bit
 *      field, long, time_t, FILE, variable argument or C++ object.
 *   7. These are kept by tests/abi/: layout.c does not compile once a member
 *      moves, and a plugin built with the header of each minor version is kept
 *      as it was, and loaded on every run.
 *
 * ABI history
 *   1.0  first version
 *   1.1  peg_store_get(), peg_store_put(), peg_store_delete() with their
 *        limits; PEG_FAILED; PEG_META_CHANGE, PEG_META_SNAPSHOT_EVENT and
 *        PEG_META_REPLAY (absent with a host of 1.0: no target needed)
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
#define PEG_ABI_MINOR 1

/** The lowest host minor version this plugin can live with. */
#ifndef PEG_TARGET_MINOR
#define PEG_TARGET_MINOR 0
#endif
#if PEG_TARGET_MINOR > PEG_ABI_MINOR
#error "PEG_TARGET_MINOR is beyond this pegboard/plugin.h: take a newer one"
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
    PEG_RANGE = 4,  /* a number that does not fit the asked type; of the store:
                       beyond one of its limits */
    PEG_FAILED = 5, /* of the store: the host cannot tell: return PEG_RETRY */
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

    /* s: "TYPE:OBJECT_ID", e.g. "invoice.paid:in_1Q"; absent without an object
     * id. Stripe sometimes makes two events, with two ids, for one change; they
     * have this in common. So do two changes of one kind to one object, such as
     * two "customer.updated": use it where a type can happen once per object.
     * Source: Stripe docs, "Webhooks", "Handle duplicate events": use the ID of
     * the object in data.object along with event.type. */
    PEG_META_CHANGE = 13,

    /* s: of a thin event, the id of the snapshot event that tells of the same
     * change: equal to that one's PEG_META_ID. May be absent.
     * Source: Stripe docs, "Migrate from snapshot to thin events", field
     * snapshot_event. */
    PEG_META_SNAPSHOT_EVENT = 14,

    PEG_META_REPLAY = 15, /* i: 1 when an operator asked to deliver this event
                             again, else 0 */
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
    /* 1.1 */
    int32_t (*store_get)(const peg_event *ev, const char *key, peg_str *out);
    int32_t (*store_put)(const peg_event *ev, const char *key,
                         const void *bytes, size_t len);
    int32_t (*store_delete)(const peg_event *ev, const char *key);
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
 * more than once, so the effect must be idempotent: key it on PEG_META_KEY, or
 * keep it in the store: peg_store_put().
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
    PEG_PLUGIN_BEGIN const struct peg_plugin pegboard_plugin_v1 = {            \
        .size = (uint32_t)sizeof(struct peg_plugin),                           \
        .abi_major = PEG_ABI_MAJOR,                                            \
        .needs_minor = PEG_TARGET_MINOR,                                       \
        __VA_ARGS__} PEG_PLUGIN_END

/* C++ before C++20 takes designated initialisers as an extension, which GCC and
 * Clang have; what it says about them with -Wextra -Wpedantic is not for the
 * author. The repeated name of the struct takes the caller's semicolon. */
#if defined(__cplusplus) && defined(__GNUC__)
#define PEG_PRAGMA(text) _Pragma(#text)
#define PEG_PLUGIN_BEGIN                                                       \
    PEG_PRAGMA(GCC diagnostic push)                                            \
    PEG_PRAGMA(GCC diagnostic ignored "-Wpedantic")                            \
    PEG_PRAGMA(GCC diagnostic ignored "-Wmissing-field-initializers")          \
    __extension__
#define PEG_PLUGIN_END                                                         \
    ;                                                                          \
    PEG_PRAGMA(GCC diagnostic pop)                                             \
    struct peg_plugin
#else
#define PEG_PLUGIN_BEGIN
#define PEG_PLUGIN_END
#endif

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

/* ---- The store: since 1.1 ------------------------------------------- */

/* Limits. Lengths in bytes, without a NUL. Of a key that one event writes twice
 * the last write counts. */
#define PEG_STORE_KEY_MAX    255          /* of a key; at least 1 */
#define PEG_STORE_VALUE_MAX  (64U << 10)  /* of a value */
#define PEG_STORE_KEYS_MAX   64           /* keys that one event may touch */
#define PEG_STORE_WRITE_MAX  (192U << 10) /* keys and values that it writes */
#define PEG_STORE_PLUGIN_MAX (64U << 20)  /* that one plugin may keep in all */

/* Say PEG_TARGET_MINOR 1 to have these: a host of 1.0 has them not, and refuses
 * the plugin instead of being called where it has nothing. */
#if PEG_TARGET_MINOR >= 1

/**
 * Read a key of this plugin's small durable store, which all its processes
 * share. Only in handle(), on its thread.
 *
 * Writes are committed in one transaction with the verdict PEG_DONE. With any
 * other verdict, after a crash or a timeout, they never happened. The handler
 * sees its own writes at once. If a key that it read was changed by another
 * event before the commit, nothing of the verdict holds: the event runs again,
 * and this attempt does not count. So "read, add one, write" is exact, however
 * many processes do it. An effect outside the store can repeat by that, as by
 * every other repeat.
 *
 * @param key  1 to PEG_STORE_KEY_MAX bytes
 * @param out  any bytes; borrowed until handle() returns
 * @return PEG_OK; PEG_ABSENT; PEG_RANGE (length of the key; more than
 *         PEG_STORE_KEYS_MAX keys); PEG_FAILED: the host cannot tell now.
 *         Return PEG_RETRY then: PEG_DONE would count as PEG_RETRY
 */
static inline int32_t
peg_store_get(const peg_event *ev, const char *key, peg_str *out)
{
    return ev->host->store_get(ev, key, out);
}

/**
 * Write a key. See peg_store_get().
 *
 * @param bytes  copied; may be NULL when `len` is 0
 * @return PEG_OK; PEG_RANGE: beyond one of the PEG_STORE_* limits, and nothing
 *         is changed
 */
static inline int32_t
peg_store_put(const peg_event *ev, const char *key, const void *bytes,
              size_t len)
{
    return ev->host->store_put(ev, key, bytes, len);
}

/** Delete a key, which need not exist. See peg_store_put(). */
static inline int32_t
peg_store_delete(const peg_event *ev, const char *key)
{
    return ev->host->store_delete(ev, key);
}

#endif

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
