/* tests/abi/layout.c: the ABI of pegboard/plugin.h, written down a second time.
 * It is compiled as C11 and as C++17, and fails to compile once a member has
 * moved or changed its type, or a constant its value: then plugins that were
 * built before would misread what they get. Mend the header, not this file;
 * what a new minor version adds is added here too (README.md tells how).
 *
 * Offsets and sizes are those where pointers, size_t and long have 64 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR PEG_ABI_MINOR
#include <pegboard/plugin.h>

#include <assert.h>

#ifdef __cplusplus
#include <type_traits>
#define HAS_TYPE(type, member, ...)                                            \
    (std::is_same<decltype(type::member), __VA_ARGS__>::value)
#else
#define HAS_TYPE(type, member, ...)                                            \
    _Generic(((type *)0)->member, __VA_ARGS__ : 1, default : 0)
#endif

#define MEMBER(type, member, offset, ...)                                      \
    static_assert(offsetof(type, member) == (offset),                          \
                  "the ABI breaks: " #type "." #member " is no longer at "     \
                  "byte " #offset ". Within a major version members are only " \
                  "appended");                                                 \
    static_assert(HAS_TYPE(type, member, __VA_ARGS__),                         \
                  "the ABI breaks: " #type "." #member                         \
                  " is no longer " #__VA_ARGS__)

#define VALUE(name, value)                                                     \
    static_assert((name) == (value),                                           \
                  "the ABI breaks: " #name " is no longer " #value)

#define SIZE(type, bytes)                                                      \
    static_assert(sizeof(type) == (bytes), #type                               \
                  " no longer has " #bytes " bytes. If members were "          \
                  "appended: raise PEG_ABI_MINOR, tell it in the history of "  \
                  "pegboard/plugin.h, and add them to tests/abi/layout.c")

VALUE(PEG_ABI_MAJOR, 1);
static_assert(PEG_ABI_MINOR == 1,
              "a new minor version: add to tests/abi/layout.c what it brings, "
              "and freeze a plugin (tests/abi/README.md)");

/* ---- Handles -------------------------------------------------------- */

/* Plugins have these by value: for ever. */
MEMBER(peg_str, ptr, 0, const char *);
MEMBER(peg_str, len, 8, size_t);
static_assert(
    sizeof(peg_str) == 16,
    "the ABI breaks: plugins make peg_str themselves, it cannot grow");

MEMBER(peg_ctx, host, 0, const peg_host *);
MEMBER(peg_ctx, user, 8, void *);
SIZE(peg_ctx, 16);

MEMBER(peg_event, host, 0, const peg_host *);
SIZE(peg_event, 8);

MEMBER(peg_host, size, 0, uint32_t);
MEMBER(peg_host, abi_major, 4, uint16_t);
MEMBER(peg_host, abi_minor, 6, uint16_t);
MEMBER(peg_host, log, 8, void (*)(peg_ctx *, int32_t, const char *, size_t));
MEMBER(peg_host, option_str, 16,
       int32_t (*)(peg_ctx *, const char *, peg_str *));
MEMBER(peg_host, option_i64, 24,
       int32_t (*)(peg_ctx *, const char *, int64_t *));
MEMBER(peg_host, option_item, 32,
       int32_t (*)(peg_ctx *, const char *, uint32_t, peg_str *));
MEMBER(peg_host, meta_str, 40,
       int32_t (*)(const peg_event *, int32_t, peg_str *));
MEMBER(peg_host, meta_i64, 48,
       int32_t (*)(const peg_event *, int32_t, int64_t *));
MEMBER(peg_host, json_kind, 56, int32_t (*)(const peg_event *, const char *));
MEMBER(peg_host, json_length, 64,
       int32_t (*)(const peg_event *, const char *, uint32_t *));
MEMBER(peg_host, json_raw, 72,
       int32_t (*)(const peg_event *, const char *, peg_str *));
MEMBER(peg_host, json_str, 80,
       int32_t (*)(const peg_event *, const char *, peg_str *));
MEMBER(peg_host, json_i64, 88,
       int32_t (*)(const peg_event *, const char *, int64_t *));
MEMBER(peg_host, json_bool, 96,
       int32_t (*)(const peg_event *, const char *, int32_t *));
MEMBER(peg_host, reason, 104,
       void (*)(const peg_event *, const char *, size_t));
MEMBER(peg_host, retry_after, 112, void (*)(const peg_event *, int64_t));
MEMBER(peg_host, ms_left, 120, int64_t (*)(const peg_event *));
MEMBER(peg_host, scratch, 128, void *(*)(const peg_event *, size_t));
/* 1.1 */
MEMBER(peg_host, store_get, 136,
       int32_t (*)(const peg_event *, const char *, peg_str *));
MEMBER(peg_host, store_put, 144,
       int32_t (*)(const peg_event *, const char *, const void *, size_t));
MEMBER(peg_host, store_delete, 152,
       int32_t (*)(const peg_event *, const char *));
SIZE(peg_host, 160);

/* ---- The descriptor ------------------------------------------------- */

MEMBER(peg_option, name, 0, const char *);
MEMBER(peg_option, type, 8, int32_t);
MEMBER(peg_option, flags, 12, uint32_t);
MEMBER(peg_option, fallback, 16, const char *);
MEMBER(peg_option, help, 24, const char *);
SIZE(peg_option, 32);

MEMBER(peg_plugin, size, 0, uint32_t);
MEMBER(peg_plugin, abi_major, 4, uint16_t);
MEMBER(peg_plugin, needs_minor, 6, uint16_t);
MEMBER(peg_plugin, name, 8, const char *);
MEMBER(peg_plugin, version, 16, const char *);
MEMBER(peg_plugin, summary, 24, const char *);
MEMBER(peg_plugin, events, 32, const char *const *);
MEMBER(peg_plugin, options, 40, const peg_option *);
MEMBER(peg_plugin, option_count, 48, uint32_t);
MEMBER(peg_plugin, option_stride, 52, uint32_t);
MEMBER(peg_plugin, init, 56, int32_t (*)(peg_ctx *));
MEMBER(peg_plugin, handle, 64, int32_t (*)(peg_ctx *, const peg_event *));
MEMBER(peg_plugin, shutdown, 72, void (*)(peg_ctx *));
MEMBER(peg_plugin, self_test, 80, int32_t (*)(peg_ctx *));
SIZE(peg_plugin, 88);

/* ---- Constants ------------------------------------------------------ */

VALUE(PEG_DONE, 0);
VALUE(PEG_SKIP, 1);
VALUE(PEG_RETRY, 2);
VALUE(PEG_FAIL, 3);

VALUE(PEG_OK, 0);
VALUE(PEG_ABSENT, 1);
VALUE(PEG_NULL, 2);
VALUE(PEG_TYPE, 3);
VALUE(PEG_RANGE, 4);
VALUE(PEG_FAILED, 5);

VALUE(PEG_KIND_ABSENT, 0);
VALUE(PEG_KIND_NULL, 1);
VALUE(PEG_KIND_BOOL, 2);
VALUE(PEG_KIND_NUMBER, 3);
VALUE(PEG_KIND_STRING, 4);
VALUE(PEG_KIND_ARRAY, 5);
VALUE(PEG_KIND_OBJECT, 6);

VALUE(PEG_LOG_ERROR, 0);
VALUE(PEG_LOG_WARN, 1);
VALUE(PEG_LOG_INFO, 2);
VALUE(PEG_LOG_DEBUG, 3);

VALUE(PEG_META_ID, 1);
VALUE(PEG_META_TYPE, 2);
VALUE(PEG_META_ACCOUNT, 3);
VALUE(PEG_META_API_VERSION, 4);
VALUE(PEG_META_KEY, 5);
VALUE(PEG_META_OBJECT_ID, 6);
VALUE(PEG_META_LIVEMODE, 7);
VALUE(PEG_META_CREATED, 8);
VALUE(PEG_META_RECEIVED, 9);
VALUE(PEG_META_ATTEMPT, 10);
VALUE(PEG_META_THIN, 11);
VALUE(PEG_META_SIGNATURE, 12);
VALUE(PEG_META_CHANGE, 13);
VALUE(PEG_META_SNAPSHOT_EVENT, 14);
VALUE(PEG_META_REPLAY, 15);

VALUE(PEG_OPTION_STRING, 1);
VALUE(PEG_OPTION_INT, 2);
VALUE(PEG_OPTION_BOOL, 3);
VALUE(PEG_OPTION_DURATION, 4);
VALUE(PEG_OPTION_SIZE, 5);
VALUE(PEG_OPTION_LIST, 6);
VALUE(PEG_OPTION_PATH, 7);

VALUE(PEG_OPTION_REQUIRED, 1);
VALUE(PEG_OPTION_SECRET, 2);

/* Limits may be raised in a minor version, never lowered. */
VALUE(PEG_TEXT_MAX, 1024);
VALUE(PEG_STORE_KEY_MAX, 255);
VALUE(PEG_STORE_VALUE_MAX, 65536);
VALUE(PEG_STORE_KEYS_MAX, 64);
VALUE(PEG_STORE_WRITE_MAX, 196608);
VALUE(PEG_STORE_PLUGIN_MAX, 67108864);
