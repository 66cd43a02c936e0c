/* core/json/scan.c: the grammar of RFC 8259, byte by byte or word by word.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json/scan.h"

#include <endian.h>
#include <string.h>

static const char unexpected[] = "unexpected character";
static const char too_short[] = "unexpected end of text";

const char *
scan_fail(struct json_reader *reader, const char *at, const char *reason)
{
    reader->fault.offset = (size_t)(at - reader->start);
    reader->fault.reason = at == reader->end ? too_short : reason;
    reader->expect = EXPECT_FAULT;
    return NULL;
}

/* ---- Eight bytes at a time ---------------------------------------------
 * A word holds eight bytes of the text, the first one lowest. Most of an event
 * is the insides of strings and the blanks of indentation. */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define WORD       ((ptrdiff_t)sizeof(uint64_t))

static uint64_t
word_at(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

/* Marks the top bit of each byte that is not plain inside a string: a quote, a
 * backslash, a control character, or part of a longer UTF-8 sequence. The
 * subtractions may borrow from the byte above, so that only the lowest mark is
 * certain; no other is used. */
static uint64_t
word_odd(uint64_t word)
{
    uint64_t quote = (word ^ EACH('"')) - EACH(1);
    uint64_t escape = (word ^ EACH('\\')) - EACH(1);
    uint64_t control = word - EACH(0x20);
    return (quote | escape | control | word) & EACH(0x80);
}

/* The index of the lowest mark: the multiplication moves the byte of the
 * constant that holds this index to the top. */
static size_t
mark_index(uint64_t marks)
{
    uint64_t lowest = (marks & (~marks + 1)) >> 7;
    return (size_t)((lowest * UINT64_C(0x0001020304050607)) >> 56);
}

static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* A line break is taken to be followed by indentation. Short runs are left to
 * single steps: the branch predictor learns the depth of the lines before, and
 * then the next token need not wait for the word to be examined. */
static inline const char *
blanks_end(const char *at, const char *end)
{
    for (;;) {
        if (at < end && *at == '\n') {
            at++;
            while (end - at >= WORD && word_at(at) == EACH(' ')) {
                at += WORD;
            }
        }
        if (at == end || !is_blank(*at)) {
            return at;
        }
        at++;
    }
}

const char *
scan_blanks(const char *at, const char *end)
{
    return blanks_end(at, end);
}

static inline const char *
plain_end(const char *at, const char *end)
{
    while (end - at >= WORD) {
        uint64_t marks = word_odd(word_at(at));
        if (marks != 0) {
            return at + mark_index(marks);
        }
        at += WORD;
    }
    while (at < end && (unsigned char)*at >= 0x20 &&
           (unsigned char)*at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

/* ---- Scalars -------------------------------------------------------- */

/* Only the shortest form of a code point, and no surrogates: these rules sit
 * in the bounds of the second byte (Unicode, table 3-7). */
static const char *
utf8_end(struct json_reader *reader, const char *at)
{
    static const char reason[] = "invalid UTF-8";
    unsigned lead = (unsigned char)*at;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    int more; /* bytes behind the lead */
    if (lead < 0xc2 || lead > 0xf4) {
        return scan_fail(reader, at, reason);
    }
    if (lead < 0xe0) {
        more = 1;
    } else if (lead < 0xf0) {
        more = 2;
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
    } else {
        more = 3;
        low = lead == 0xf0 ? 0x90 : low;
        high = lead == 0xf4 ? 0x8f : high;
    }
    for (at++; more > 0; at++, more--) {
        if (at == reader->end || (unsigned char)*at < low ||
            (unsigned char)*at > high) {
            return scan_fail(reader, at, reason);
        }
        low = 0x80;
        high = 0xbf;
    }
    return at;
}

static const char *
utf8_run_end(struct json_reader *reader, const char *at)
{
    while (at != NULL && at < reader->end && (unsigned char)*at >= 0x80) {
        at = utf8_end(reader, at);
    }
    return at;
}

static bool
is_hex(char byte)
{
    char lower = (char)(byte | 0x20);
    return (byte >= '0' && byte <= '9') || (lower >= 'a' && lower <= 'f');
}

static const char *
escape_end(struct json_reader *reader, const char *at)
{
    static const char reason[] = "invalid escape";
    at++;
    if (at == reader->end || *at == '\0' ||
        strchr("\"\\/bfnrtu", *at) == NULL) {
        return scan_fail(reader, at, reason);
    }
    int digits = *at == 'u' ? 4 : 0;
    for (at++; digits > 0; at++, digits--) {
        if (at == reader->end || !is_hex(*at)) {
            return scan_fail(reader, at, reason);
        }
    }
    return at;
}

/* From the first byte that is not plain. */
static const char *
odd_end(struct json_reader *reader, const char *at)
{
    while (at < reader->end && *at != '"') {
        if (*at == '\\') {
            at = escape_end(reader, at);
        } else if ((unsigned char)*at >= 0x80) {
            at = utf8_run_end(reader, at);
        } else {
            return scan_fail(reader, at, "control character in a string");
        }
        if (at == NULL) {
            return NULL;
        }
        at = plain_end(at, reader->end);
    }
    return at < reader->end ? at + 1 : scan_fail(reader, at, too_short);
}

static inline const char *
string_end(struct json_reader *reader, const char *at)
{
    at = plain_end(at + 1, reader->end);
    return at < reader->end && *at == '"' ? at + 1 : odd_end(reader, at);
}

static const char *
digits_end(struct json_reader *reader, const char *at)
{
    const char *first = at;
    while (at < reader->end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at > first ? at : scan_fail(reader, at, "digit expected");
}

static const char *
number_end(struct json_reader *reader, const char *at)
{
    const char *end = reader->end;
    at += *at == '-';
    if (at < end && *at == '0') {
        at++; /* a digit behind it is not part of the number */
    } else {
        at = digits_end(reader, at);
    }
    if (at != NULL && at < end && *at == '.') {
        at = digits_end(reader, at + 1);
    }
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        at = digits_end(reader, at);
    }
    return at;
}

static const char *
word_end(struct json_reader *reader, const char *at, const char *word,
         size_t len)
{
    if ((size_t)(reader->end - at) >= len && memcmp(at, word, len) == 0) {
        return at + len;
    }
    while (at < reader->end && *at == *word) {
        at++;
        word++;
    }
    return scan_fail(reader, at, unexpected);
}

const char *
scan_scalar(struct json_reader *reader, const char *at)
{
    if (at == reader->end) {
        return scan_fail(reader, at, too_short);
    }
    switch (*at) {
    case '"':
        return string_end(reader, at);
    case 'n':
        return word_end(reader, at, "null", 4);
    case 't':
        return word_end(reader, at, "true", 4);
    case 'f':
        return word_end(reader, at, "false", 5);
    default:
        if (*at == '-' || (*at >= '0' && *at <= '9')) {
            return number_end(reader, at);
        }
        return scan_fail(reader, at, "value expected");
    }
}

/* ---- Containers ----------------------------------------------------- */

bool
scan_in_object(const struct json_reader *reader, unsigned depth)
{
    unsigned level = depth - 1;
    return (reader->objects[level / 64] >> (level % 64)) & 1;
}

const char *
scan_open(struct json_reader *reader, const char *at, unsigned level)
{
    if (level == JSON_DEPTH_MAX) {
        return scan_fail(reader, at, "nested too deeply");
    }
    uint64_t bit = UINT64_C(1) << (level % 64);
    uint64_t *objects = &reader->objects[level / 64];
    *objects = *at == '{' ? *objects | bit : *objects & ~bit;
    return blanks_end(at + 1, reader->end);
}

const char *
scan_key(struct json_reader *reader, const char *at)
{
    if (at == reader->end || *at != '"') {
        return scan_fail(reader, at, "key expected");
    }
    return string_end(reader, at);
}

const char *
scan_colon(struct json_reader *reader, const char *at)
{
    at = blanks_end(at, reader->end);
    if (at == reader->end || *at != ':') {
        return scan_fail(reader, at, "colon expected");
    }
    return blanks_end(at + 1, reader->end);
}

const char *
scan_comma(struct json_reader *reader, const char *at)
{
    if (at == reader->end || *at != ',') {
        return scan_fail(reader, at, unexpected);
    }
    return blanks_end(at + 1, reader->end);
}

/* One turn reads one scalar or opening bracket, closes what ends behind it, and
 * goes on to the next value: behind a comma, unless it is the first one of its
 * container. */
const char *
scan_value(struct json_reader *reader, const char *at)
{
    const char *end = reader->end;
    unsigned depth = reader->depth;
    bool object = false; /* whether the innermost container is one */
    for (;;) {
        bool first = at < end && (*at == '{' || *at == '[');
        if (first) {
            object = *at == '{';
            at = scan_open(reader, at, depth);
            depth++;
        } else {
            at = scan_scalar(reader, at);
        }
        if (at == NULL || depth == reader->depth) {
            return at;
        }
        at = blanks_end(at, end);
        while (at < end && *at == (object ? '}' : ']')) {
            at++;
            depth--;
            if (depth == reader->depth) {
                return at;
            }
            object = scan_in_object(reader, depth);
            at = blanks_end(at, end);
            first = false;
        }
        if (!first) {
            at = scan_comma(reader, at);
        }
        if (object && at != NULL) {
            at = scan_key(reader, at);
            at = at != NULL ? scan_colon(reader, at) : NULL;
        }
        if (at == NULL) {
            return NULL;
        }
    }
}
