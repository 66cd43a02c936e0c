/* tests/fuzz/fuzz_json.c: the JSON scanner. An input is a path, a line break,
 * and a text. The two ways through the scanner must agree on every text, and
 * what they accept cJSON must accept.
 * SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json/json.h"

#define PATH_MAX_BYTES 64

/* cJSON copies a number into 64 bytes and fails on a longer one. */
#define CJSON_NUMBER_MAX 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
    if (!truth) {
        abort();
    }
}

/* Use a value in every way there is. @return whether cJSON can read it too */
static int
try_value(const struct json_value *value)
{
    int64_t number = 0;
    int rc = json_i64(value, &number);
    if (value->kind == JSON_NUMBER) {
        require(rc == RC_OK || rc == RC_INVALID || rc == RC_FULL);
        return value->len <= CJSON_NUMBER_MAX;
    }
    require(rc == RC_INVALID);
    if (value->kind != JSON_STRING) {
        return 1;
    }

    char *out = malloc(value->len);
    require(out != NULL);
    size_t len = json_unescape(value, out);
    require(len < value->len && out[len] == '\0');
    require(json_equals(value, out) == (strlen(out) == len));
    /* U+FFFD may be half of a surrogate pair, which cJSON refuses. */
    int shared = memmem(out, len, "\xef\xbf\xbd", 3) == NULL;
    free(out);
    return shared;
}

/* @return whether the walk ends well; `shared` as try_value(), for all */
static int
walk(const char *text, size_t len, int *shared)
{
    struct json_reader reader;
    json_reader_init(&reader, text, len);
    size_t open = 0;
    *shared = 1;
    for (;;) {
        enum json_token token = json_next(&reader);
        switch (token) {
        case JSON_TOKEN_KEY:
        case JSON_TOKEN_VALUE:
            require(reader.value.ptr >= text && reader.value.len > 0);
            require(reader.value.ptr + reader.value.len <= text + len);
            *shared &= try_value(&reader.value);
            break;
        case JSON_TOKEN_OPEN:
            open++;
            break;
        case JSON_TOKEN_CLOSE:
            require(open > 0);
            open--;
            break;
        case JSON_TOKEN_END:
        case JSON_TOKEN_FAULT:
            require(token == JSON_TOKEN_FAULT || open == 0);
            require(json_next(&reader) == token);
            return token == JSON_TOKEN_END;
        }
        require(reader.depth == open && open <= JSON_DEPTH_MAX);
    }
}

/* Walk again, but take or leave what comes as the bits of `choice` say: the
 * verdict must be the same. */
static int
walk_in_leaps(const char *text, size_t len, unsigned choice)
{
    struct json_reader reader;
    struct json_value value;
    json_reader_init(&reader, text, len);
    enum json_token token;
    do {
        int rc = RC_OK;
        token = json_next(&reader);
        choice = choice >> 1 | choice << 31;
        if (token == JSON_TOKEN_KEY && (choice & 1) != 0) {
            rc = json_take(&reader, &value);
        } else if (token == JSON_TOKEN_OPEN && (choice & 1) != 0) {
            rc = json_rest(&reader, &value);
        }
        if (rc != RC_OK) {
            require(json_next(&reader) == JSON_TOKEN_FAULT);
            return 0;
        }
    } while (token > JSON_TOKEN_END);
    return token == JSON_TOKEN_END;
}

static void
compare(const char *text, size_t len)
{
    struct json_value whole;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
    require(root != NULL);
    require(json_find(text, len, "", &whole) == RC_OK);
    require((size_t)cJSON_GetArraySize(root) == json_count(&whole));
    require(cJSON_IsObject(root) == (whole.kind == JSON_OBJECT));
    require(cJSON_IsString(root) == (whole.kind == JSON_STRING));
    cJSON_Delete(root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    size_t path_len = line != NULL ? (size_t)(line - data) : 0;
    if (line == NULL || path_len > PATH_MAX_BYTES) {
        return 0;
    }
    char path[PATH_MAX_BYTES + 1];
    memcpy(path, data, path_len);
    path[path_len] = '\0';

    /* Of its exact size, so that a byte read too far or too early is seen. */
    size_t len = size - path_len - 1;
    char *text = malloc(len > 0 ? len : 1);
    require(text != NULL);
    memcpy(text, line + 1, len);

    struct json_fault fault = {.offset = SIZE_MAX};
    int good = json_check(text, len, &fault) == RC_OK;
    require(good || (fault.offset <= len && fault.reason != NULL));
    int shared = 1;
    require(walk(text, len, &shared) == good);
    require(walk_in_leaps(text, len, 0x5bd1e995u + (unsigned)len) == good);

    struct json_value value;
    int rc = json_find(text, len, path, &value);
    require(good || rc == RC_INVALID);
    if (rc == RC_OK) {
        require(value.ptr >= text && value.ptr + value.len <= text + len);
        require(json_check(value.ptr, value.len, NULL) == RC_OK);
        try_value(&value);
        json_count(&value);
    }
    if (good && shared) {
        compare(text, len);
    }
    free(text);
    return 0;
}
