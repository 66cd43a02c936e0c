/* tests/plugins/keys.c: does what data.object.ops asks for, one after the
 * other, and logs what came of each: "STATUS" or "STATUS VALUE".
 *
 *   ["get", KEY]  ["put", KEY, VALUE]  ["delete", KEY]
 *   ["fill", KEY, N]   put N bytes
 *   ["hold", KEY]      get, put, get: what was got first must not change
 *   ["odd"]            keys and bytes that are NULL, and empty ones
 *   ["str", FIELD]  ["int", FIELD]   facts
 *   ["end", VERDICT]
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR 1
#include <pegboard/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPS "data.object.ops"

static const char *
text_at(const peg_event *ev, uint32_t op, int item)
{
    char path[64];
    peg_str text;
    snprintf(path, sizeof(path), OPS ".%" PRIu32 ".%d", op, item);
    return peg_get_str(ev, path, &text) == PEG_OK ? text.ptr : "";
}

static int64_t
number_at(const peg_event *ev, uint32_t op, int item)
{
    char path[64];
    int64_t number = 0;
    snprintf(path, sizeof(path), OPS ".%" PRIu32 ".%d", op, item);
    (void)peg_get_i64(ev, path, &number); /* or it stays 0 */
    return number;
}

static void
say(peg_ctx *ctx, int32_t status, const peg_str *value)
{
    if (status == PEG_OK) {
        peg_info(ctx, "%d %s", status, value->ptr);
    } else {
        peg_info(ctx, "%d", status);
    }
}

static void
hold(peg_ctx *ctx, const peg_event *ev, const char *key)
{
    peg_str before, after;
    char copy[64];
    if (peg_store_get(ev, key, &before) != PEG_OK ||
        before.len >= sizeof(copy)) {
        peg_info(ctx, "nothing to hold");
        return;
    }
    memcpy(copy, before.ptr, before.len + 1);
    int32_t put = peg_store_put(ev, key, "changed", 7);
    int32_t again = peg_store_put(ev, key, "twice", 5);
    int32_t get = peg_store_get(ev, key, &after);
    peg_info(ctx, "%d %d %d %s %s", put, again, get,
             strcmp(before.ptr, copy) == 0 ? "held" : "lost", after.ptr);
}

static void
odd(peg_ctx *ctx, const peg_event *ev)
{
    peg_str value = {NULL, 77};
    int32_t status[] = {
        peg_store_get(ev, NULL, &value),   peg_store_get(ev, "", &value),
        peg_store_put(ev, NULL, "x", 1),   peg_store_put(ev, "", "x", 1),
        peg_store_put(ev, "n", NULL, 1),   peg_store_delete(ev, NULL),
        peg_store_delete(ev, ""),          peg_store_put(ev, "n", NULL, 0),
        peg_store_put(ev, "z", "a\0b", 3),
    };
    char text[64];
    size_t len = 0;
    for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%d", status[i]);
    }
    peg_info(ctx, "%s %s", text, value.len == 77 ? "untouched" : "written");
}

static void
fact(peg_ctx *ctx, const peg_event *ev, int text, int32_t field)
{
    peg_str value;
    int64_t number;
    if (text) {
        int32_t status = peg_meta_str(ev, field, &value);
        say(ctx, status, &value);
    } else if (peg_meta_i64(ev, field, &number) == PEG_OK) {
        peg_info(ctx, "%" PRId64, number);
    } else {
        peg_info(ctx, "none");
    }
}

static void
fill(peg_ctx *ctx, const peg_event *ev, const char *key, int64_t bytes)
{
    char *memory = peg_scratch(ev, (size_t)bytes);
    if (memory != NULL) {
        memset(memory, 'x', (size_t)bytes);
        peg_info(ctx, "%d", peg_store_put(ev, key, memory, (size_t)bytes));
    }
}

static void
do_op(peg_ctx *ctx, const peg_event *ev, uint32_t i)
{
    const char *op = text_at(ev, i, 0);
    const char *key = text_at(ev, i, 1);
    if (strcmp(op, "get") == 0) {
        peg_str value;
        int32_t status = peg_store_get(ev, key, &value);
        say(ctx, status, &value);
    } else if (strcmp(op, "put") == 0) {
        const char *value = text_at(ev, i, 2);
        peg_info(ctx, "%d", peg_store_put(ev, key, value, strlen(value)));
    } else if (strcmp(op, "delete") == 0) {
        peg_info(ctx, "%d", peg_store_delete(ev, key));
    } else if (strcmp(op, "fill") == 0) {
        fill(ctx, ev, key, number_at(ev, i, 2));
    } else if (strcmp(op, "hold") == 0) {
        hold(ctx, ev, key);
    } else if (strcmp(op, "odd") == 0) {
        odd(ctx, ev);
    } else {
        fact(ctx, ev, strcmp(op, "str") == 0, (int32_t)number_at(ev, i, 1));
    }
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    uint32_t count = 0;
    if (peg_get_length(ev, OPS, &count) != PEG_OK) {
        return PEG_FAIL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(text_at(ev, i, 0), "end") == 0) {
            return (int32_t)number_at(ev, i, 1);
        }
        do_op(ctx, ev, i);
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "keys", .version = "1.0", PEG_EVENTS("*"), .handle = handle);
