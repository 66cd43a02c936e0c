/* core/json/value.c: values of a checked text: by path, as text, as integer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"

#include "error.h"

#include <stdbool.h>
#include <string.h>

/* ---- Strings -------------------------------------------------------- */

static uint32_t
hex4(const char *at)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t byte = (unsigned char)at[i];
        uint32_t digit = byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10;
        code = code << 4 | digit;
    }
    return code;
}

static size_t
utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The code point of the \u escape at `*at`, or of a pair of them. */
static uint32_t
unicode_escape(const char **at, const char *end)
{
    uint32_t code = hex4(*at + 2);
    *at += 6;
    if (code < 0xd800 || code > 0xdfff) {
        return code;
    }
    if (code < 0xdc00 && end - *at >= 6 && memcmp(*at, "\\u", 2) == 0) {
        uint32_t low = hex4(*at + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *at += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd; /* half a pair: the replacement character */
}

/* Decode what stands at `*at`, an escape or a plain byte, into at most four
 * bytes, never more than it took up itself. */
static size_t
decode_one(const char **at, const char *end, char *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";

    const char *from = *at;
    if (*from != '\\') {
        *at = from + 1;
        *out = *from;
        return 1;
    }
    if (from[1] == 'u') {
        return utf8_put(out, unicode_escape(at, end));
    }
    *at = from + 2;
    *out = bytes[strchr(names, from[1]) - names];
    return 1;
}

size_t
json_unescape(const struct json_value *value, char *out)
{
    const char *at = value->ptr + 1;
    const char *end = value->ptr + value->len - 1;
    size_t len = 0;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((escape != NULL ? escape : end) - at);
        memcpy(out + len, at, run);
        len += run;
        at += run;
        if (escape != NULL) {
            len += decode_one(&at, end, out + len);
        }
    }
    out[len] = '\0';
    return len;
}

/* Whether a string slice, decoded, equals `text`, which has escapes of RFC 6901
 * ("~0", "~1") when `escaped` is set. */
static bool
string_equals(const struct json_value *value, const char *text, size_t len,
              bool escaped)
{
    const char *at = value->ptr + 1;
    const char *end = value->ptr + value->len - 1;
    size_t raw_len = (size_t)(end - at);
    const char *text_end = text + len;
    if (memchr(at, '\\', raw_len) == NULL && !escaped) {
        return raw_len == len && memcmp(at, text, len) == 0;
    }
    while (at < end) {
        char unit[4];
        size_t unit_len = decode_one(&at, end, unit);
        for (size_t i = 0; i < unit_len; i++) {
            if (text == text_end) {
                return false;
            }
            char want = *text++;
            if (escaped && want == '~') {
                want = *text++ == '0' ? '~' : '/';
            }
            if (unit[i] != want) {
                return false;
            }
        }
    }
    return text == text_end;
}

int
json_equals(const struct json_value *value, const char *text)
{
    return value->kind == JSON_STRING &&
           string_equals(value, text, strlen(text), false);
}

/* ---- Members and paths ---------------------------------------------- */

/* One name of a path. */
struct step {
    const char *name;
    size_t len;
    bool escaped; /* holds a '~' of RFC 6901 */
    size_t index; /* SIZE_MAX when the name cannot be one */
};

static size_t
index_parse(const char *name, size_t len)
{
    size_t index = 0;
    if (len == 0 || (name[0] == '0' && len > 1)) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9' || index > SIZE_MAX / 10 - 1) {
            return SIZE_MAX;
        }
        index = index * 10 + (size_t)(name[i] - '0');
    }
    return index;
}

static bool
pointer_valid(const char *path)
{
    const char *at = path;
    while ((at = strchr(at, '~')) != NULL) {
        at++;
        if (*at != '0' && *at != '1') {
            return false;
        }
    }
    return true;
}

/* Take the next member or element of the container that was opened last.
 * @return 1, 0 at its end, or RC_INVALID; `key` is set in an object only */
static int
item_next(struct json_reader *reader, struct json_value *key,
          struct json_value *item)
{
    int rc = RC_INVALID;
    switch (json_next(reader)) {
    case JSON_TOKEN_KEY:
        *key = reader->value;
        rc = json_take(reader, item);
        break;
    case JSON_TOKEN_VALUE:
        *item = reader->value;
        rc = RC_OK;
        break;
    case JSON_TOKEN_OPEN:
        rc = json_rest(reader, item);
        break;
    case JSON_TOKEN_CLOSE:
        return 0;
    case JSON_TOKEN_END:
    case JSON_TOKEN_FAULT:
        break;
    }
    return rc == RC_OK ? 1 : rc;
}

/* Find one step inside `text`. It is read to its end in every case: the last
 * of repeated members counts, and a malformed text is always noticed. */
static int
step_into(const char *text, size_t len, const struct step *step,
          struct json_value *value)
{
    struct json_reader reader;
    json_reader_init(&reader, text, len);
    int rc = RC_NOT_FOUND;
    if (json_next(&reader) == JSON_TOKEN_OPEN) {
        bool object = reader.value.kind == JSON_OBJECT;
        struct json_value key = {.len = 0};
        struct json_value item;
        for (size_t i = 0; item_next(&reader, &key, &item) == 1; i++) {
            if (object
                    ? string_equals(&key, step->name, step->len, step->escaped)
                    : i == step->index) {
                *value = item;
                rc = RC_OK;
            }
        }
    }
    return json_next(&reader) == JSON_TOKEN_END ? rc : RC_INVALID;
}

static int
whole_text(const char *text, size_t len, struct json_value *value)
{
    struct json_reader reader;
    json_reader_init(&reader, text, len);
    int rc = json_take(&reader, value);
    return json_next(&reader) == JSON_TOKEN_END ? rc : RC_INVALID;
}

int
json_find(const char *text, size_t len, const char *path,
          struct json_value *value)
{
    struct json_value found = {JSON_NULL, text, len};
    bool pointer = path[0] == '/';
    if (path[0] == '\0') {
        int rc = whole_text(text, len, &found);
        if (rc == RC_OK) {
            *value = found;
        }
        return rc;
    }
    if (pointer && !pointer_valid(path)) {
        return RC_INVALID;
    }

    const char *name = path + pointer;
    for (;;) {
        size_t name_len = strcspn(name, pointer ? "/" : ".");
        struct step step = {
            .name = name,
            .len = name_len,
            .escaped = pointer && memchr(name, '~', name_len) != NULL,
            .index = index_parse(name, name_len),
        };
        int rc = step_into(found.ptr, found.len, &step, &found);
        if (rc != RC_OK) {
            return rc;
        }
        if (name[name_len] == '\0') {
            *value = found;
            return RC_OK;
        }
        name += name_len + 1;
    }
}

size_t
json_count(const struct json_value *value)
{
    struct json_reader reader;
    struct json_value key;
    struct json_value item;
    size_t count = 0;
    json_reader_init(&reader, value->ptr, value->len);
    if (json_next(&reader) == JSON_TOKEN_OPEN) {
        while (item_next(&reader, &key, &item) == 1) {
            count++;
        }
    }
    return count;
}

/* ---- Integers ------------------------------------------------------- */

/* Far above any number of digits that memory holds: a larger exponent cannot
 * be made up for by them, and sums with it do not overflow. */
#define EXPONENT_MAX INT64_C(100000000000000000)

/* times ten to the power of `zeros`; false when that leaves uint64_t */
static bool
append_zeros(uint64_t *number, int64_t zeros)
{
    while (zeros > 0) {
        if (*number > UINT64_MAX / 10) {
            return false;
        }
        *number *= 10;
        zeros--;
    }
    return true;
}

/* The exponent behind 'e', cut to EXPONENT_MAX and a bit. */
static int64_t
exponent_parse(const char *at, const char *end)
{
    bool negative = *at == '-';
    int64_t exponent = 0;
    for (at += negative || *at == '+'; at < end; at++) {
        if (exponent < EXPONENT_MAX) {
            exponent = exponent * 10 + (*at - '0');
        }
    }
    return negative ? -exponent : exponent;
}

int
json_i64(const struct json_value *value, int64_t *out)
{
    if (value->kind != JSON_NUMBER) {
        return RC_INVALID;
    }
    const char *end = value->ptr + value->len;
    const char *at = value->ptr;
    bool negative = *at == '-';
    bool fraction = false;
    bool fits = true;
    uint64_t number = 0; /* the digits up to the last one that is not 0 */
    int64_t zeros = 0;   /* digits 0 since then */
    int64_t scale = 0;   /* power of ten that all digits seen are times of */
    for (at += negative; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        scale -= fraction;
        if (*at == '0') {
            zeros++;
            continue;
        }
        uint64_t digit = (uint64_t)(*at - '0');
        fits = fits && append_zeros(&number, zeros + 1) &&
               number <= UINT64_MAX - digit;
        number += fits ? digit : 0;
        zeros = 0;
    }
    if (number == 0) {
        *out = 0;
        return RC_OK;
    }

    scale += zeros + (at < end ? exponent_parse(at + 1, end) : 0);
    if (scale < 0) {
        return RC_INVALID;
    }
    uint64_t max = (uint64_t)INT64_MAX + negative;
    if (!fits || !append_zeros(&number, scale) || number > max) {
        return RC_FULL;
    }
    *out = negative ? -(int64_t)(number - 1) - 1 : (int64_t)number;
    return RC_OK;
}
