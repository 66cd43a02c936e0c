/* core/json/json.h: one strict JSON scanner for intake and for plugins.
 *
 * RFC 8259, over the original bytes: nothing is copied, nothing is recursive,
 * depth is bounded. Refused: invalid UTF-8, a BOM, raw control characters,
 * numbers like 01 or 1., anything after the value. Accepted: lone surrogate
 * escapes (decoded as U+FFFD), as five of Stripe's seven libraries do. When a
 * member is repeated the last one counts, as in all of them.
 *
 * Used by the daemon and by pegboard-runner: libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <stddef.h>
#include <stdint.h>

/** Deepest nesting accepted. Stripe's own events stay under 20. */
#define JSON_DEPTH_MAX 512

enum json_kind {
    JSON_NULL = 0,
    JSON_FALSE = 1,
    JSON_TRUE = 2,
    JSON_NUMBER = 3,
    JSON_STRING = 4,
    JSON_ARRAY = 5,
    JSON_OBJECT = 6,
};

/** A value as a slice of the original bytes; a string's slice has its quotes.*/
struct json_value {
    enum json_kind kind;
    const char *ptr; /* borrowed from the text */
    size_t len;
};

/** Why and where a text was refused. */
struct json_fault {
    size_t offset;      /* of the byte that breaks the rule */
    const char *reason; /* constant text: "unexpected character" */
};

/* ---- Reading in order ----------------------------------------------- */

enum json_token {
    JSON_TOKEN_END = 0,    /* the text is complete and valid */
    JSON_TOKEN_FAULT = -1, /* it is not: see reader->fault */
    JSON_TOKEN_KEY = 1,    /* an object's key; its value follows */
    JSON_TOKEN_VALUE = 2,  /* a scalar */
    JSON_TOKEN_OPEN = 3,   /* { or [ */
    JSON_TOKEN_CLOSE = 4,  /* } or ] */
};

/** Walks a text token by token and checks it on the way. */
struct json_reader {
    const char *start, *at, *end;
    struct json_value value; /* of the last KEY, VALUE or OPEN (kind only) */
    struct json_fault fault; /* set with JSON_TOKEN_FAULT */
    unsigned depth;          /* open containers */
    unsigned expect;         /* what may come next; private */
    uint64_t objects[JSON_DEPTH_MAX / 64]; /* one bit a level: 1 is object */
};

void json_reader_init(struct json_reader *reader, const char *text, size_t len);

/** The next token. After END or FAULT it returns the same again. */
enum json_token json_next(struct json_reader *reader);

/**
 * Take the value that is next, whole, checking it; `value` gets its slice.
 * To be called where a value is due: at the start, after a KEY, or inside an
 * array when the next token is not CLOSE (in an array use json_next() and
 * json_rest() instead).
 *
 * @return RC_OK or RC_INVALID (reader->fault)
 */
int json_take(struct json_reader *reader, struct json_value *value);

/**
 * After OPEN: skip to the end of that container, checking it. `value` gets
 * its slice from bracket to bracket.
 */
int json_rest(struct json_reader *reader, struct json_value *value);

/**
 * Check a whole text.
 *
 * @param fault  filled on failure; may be NULL
 * @return RC_OK or RC_INVALID
 */
int json_check(const char *text, size_t len, struct json_fault *fault);

/* ---- Finding by path ------------------------------------------------ */

/**
 * Find the value at `path` inside `text`, a text that json_check() accepted.
 *
 * A path is dotted, with numbers as array indexes ("data.object.amount",
 * "lines.data.0.id"); with a leading '/' it is a JSON Pointer (RFC 6901), for
 * keys that hold dots; "" is the whole value. Keys are compared after
 * unescaping, with case.
 *
 * @return RC_OK, RC_NOT_FOUND (absent: no such member or index, or the way
 *         leads through a scalar), or RC_INVALID (malformed path or text)
 */
int json_find(const char *text, size_t len, const char *path,
              struct json_value *value);

/** Number of elements of an array, or of members of an object, where a
 * repeated key counts each time it stands in the text. Other kinds: 0. */
size_t json_count(const struct json_value *value);

/* ---- Scalars -------------------------------------------------------- */

/**
 * Decode a string (or key) slice.
 *
 * @param out   room for value->len bytes; always enough. A NUL is put behind
 *              the text and not counted.
 * @return length in bytes. The text may hold NULs.
 */
size_t json_unescape(const struct json_value *value, char *out);

/** Whether a string slice, decoded, equals the C string `text`. */
int json_equals(const struct json_value *value, const char *text);

/**
 * The exact integer a number token means: "1099", and also "1099.0" or "1e3",
 * never through a double.
 *
 * @return RC_OK; RC_INVALID when not a number or not integral; RC_FULL when it
 *         does not fit into int64_t
 */
int json_i64(const struct json_value *value, int64_t *out);

#endif
