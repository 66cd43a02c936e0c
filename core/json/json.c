/* core/json/json.c: the reader: tokens in order, whole values, whole texts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json/json.h"

#include "error.h"
#include "json/scan.h"

static enum json_kind
kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 'n':
        return JSON_NULL;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    default:
        return JSON_NUMBER;
    }
}

void
json_reader_init(struct json_reader *reader, const char *text, size_t len)
{
    /* An empty text may come as NULL, to which nothing can be added. */
    const char *start = text == NULL ? "" : text;
    *reader = (struct json_reader){
        .start = start,
        .at = start,
        .end = start + len,
        .expect = EXPECT_VALUE,
    };
}

static enum json_token
next_key(struct json_reader *reader, const char *at)
{
    const char *end = scan_key(reader, at);
    const char *next = end != NULL ? scan_colon(reader, end) : NULL;
    if (next == NULL) {
        return JSON_TOKEN_FAULT;
    }
    reader->value = (struct json_value){JSON_STRING, at, (size_t)(end - at)};
    reader->at = next;
    reader->expect = EXPECT_VALUE;
    return JSON_TOKEN_KEY;
}

static enum json_token
next_value(struct json_reader *reader, const char *at)
{
    bool open = at < reader->end && (*at == '{' || *at == '[');
    const char *next =
        open ? scan_open(reader, at, reader->depth) : scan_scalar(reader, at);
    if (next == NULL) {
        return JSON_TOKEN_FAULT;
    }
    size_t len = open ? 1 : (size_t)(next - at);
    reader->value = (struct json_value){kind_of(*at), at, len};
    reader->at = next;
    reader->depth += open;
    reader->expect = open ? EXPECT_FIRST : EXPECT_MORE;
    return open ? JSON_TOKEN_OPEN : JSON_TOKEN_VALUE;
}

static enum json_token
next_member(struct json_reader *reader, const char *at)
{
    bool object = scan_in_object(reader, reader->depth);
    if (at < reader->end && *at == (object ? '}' : ']')) {
        reader->at = at + 1;
        reader->depth--;
        reader->expect = EXPECT_MORE;
        return JSON_TOKEN_CLOSE;
    }
    if (reader->expect == EXPECT_MORE) {
        at = scan_comma(reader, at);
        if (at == NULL) {
            return JSON_TOKEN_FAULT;
        }
    }
    return object ? next_key(reader, at) : next_value(reader, at);
}

enum json_token
json_next(struct json_reader *reader)
{
    if (reader->expect == EXPECT_FAULT) {
        return JSON_TOKEN_FAULT;
    }
    const char *at = scan_blanks(reader->at, reader->end);
    if (reader->expect == EXPECT_VALUE) {
        return next_value(reader, at);
    }
    if (reader->depth > 0) {
        return next_member(reader, at);
    }
    if (at < reader->end) {
        scan_fail(reader, at, "text behind the value");
        return JSON_TOKEN_FAULT;
    }
    return JSON_TOKEN_END;
}

/* The start of the value that is due, or NULL after a fault. */
static const char *
due_value(struct json_reader *reader)
{
    const char *at = scan_blanks(reader->at, reader->end);
    if (reader->expect == EXPECT_VALUE) {
        return at;
    }
    if (reader->depth == 0 || scan_in_object(reader, reader->depth)) {
        return scan_fail(reader, at, "no value is due");
    }
    return reader->expect == EXPECT_MORE ? scan_comma(reader, at) : at;
}

int
json_take(struct json_reader *reader, struct json_value *value)
{
    if (reader->expect == EXPECT_FAULT) {
        return RC_INVALID;
    }
    const char *at = due_value(reader);
    const char *next = at != NULL ? scan_value(reader, at) : NULL;
    if (next == NULL) {
        return RC_INVALID;
    }
    *value = (struct json_value){kind_of(*at), at, (size_t)(next - at)};
    reader->at = next;
    reader->expect = EXPECT_MORE;
    return RC_OK;
}

int
json_rest(struct json_reader *reader, struct json_value *value)
{
    if (reader->expect == EXPECT_FAULT) {
        return RC_INVALID;
    }
    if (reader->expect != EXPECT_FIRST) {
        scan_fail(reader, reader->at, "no container was opened");
        return RC_INVALID;
    }

    /* Nothing behind the bracket was read yet: go back and take it whole. */
    reader->depth--;
    reader->at = reader->value.ptr;
    reader->expect = EXPECT_VALUE;
    return json_take(reader, value);
}

int
json_check(const char *text, size_t len, struct json_fault *fault)
{
    struct json_reader reader;
    struct json_value value;
    json_reader_init(&reader, text, len);
    if (json_take(&reader, &value) == RC_OK &&
        json_next(&reader) == JSON_TOKEN_END) {
        return RC_OK;
    }
    if (fault != NULL) {
        *fault = reader.fault;
    }
    return RC_INVALID;
}
