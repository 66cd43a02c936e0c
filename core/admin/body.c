/* core/admin/body.c: the JSON object of a POST, and its members.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/body.h"

#include "admin/problem.h"
#include "admin/query.h"
#include "error.h"
#include "json/json.h"

#include <cjson/cJSON.h>

#include <string.h>

/* Our own scanner first: it is strict, and cJSON recurses. */
static int
check(const char *text, size_t len, struct problem *problem)
{
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, len);
    do {
        token = json_next(&reader);
        if (reader.depth > BODY_DEPTH_MAX) {
            return problem_set(problem, PROBLEM_BODY,
                               "more than %d levels of nesting",
                               BODY_DEPTH_MAX);
        }
    } while (token != JSON_TOKEN_END && token != JSON_TOKEN_FAULT);
    if (token == JSON_TOKEN_FAULT) {
        return problem_set(problem, PROBLEM_BODY, "not JSON: %s at byte %zu",
                           reader.fault.reason, reader.fault.offset);
    }
    return RC_OK;
}

/* Whether a text of valid JSON has a NUL in a string. cJSON would end the
 * string there, so that it names something else. */
static int
has_nul(const char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] != '\\') {
            continue;
        }
        i++; /* what is escaped; it may be a backslash too */
        if (text[i] == 'u' && strncmp(text + i + 1, "0000", 4) == 0) {
            return 1;
        }
    }
    return 0;
}

int
body_read(cJSON **out, const char *text, size_t len, struct problem *problem)
{
    cJSON *made;
    if (text == NULL || len == 0) {
        made = cJSON_CreateObject();
        if (made == NULL) {
            return RC_NOMEM;
        }
        *out = made;
        return RC_OK;
    }
    int rc = check(text, len, problem);
    if (rc != RC_OK) {
        return rc;
    }
    if (has_nul(text, len)) {
        return problem_set(problem, PROBLEM_BODY, "a NUL within a text");
    }
    made = cJSON_ParseWithLength(text, len);
    if (!cJSON_IsObject(made)) {
        cJSON_Delete(made);
        return problem_set(problem, PROBLEM_BODY,
                           "the body must be a JSON object");
    }
    *out = made;
    return RC_OK;
}

static int
blame(struct problem *problem, const char *name)
{
    problem_blame(problem, "", name, NULL);
    return RC_INVALID;
}

int
body_allow(const cJSON *body, const char *names, struct problem *problem)
{
    for (const cJSON *item = body->child; item != NULL; item = item->next) {
        if (!query_word_in(names, item->string)) {
            problem_set(problem, PROBLEM_BODY,
                        "there is no member \"%.64s\" here", item->string);
            return blame(problem, item->string);
        }
        if (cJSON_GetObjectItemCaseSensitive(body, item->string) != item) {
            problem_set(problem, PROBLEM_BODY, "\"%.64s\" is there twice",
                        item->string);
            return blame(problem, item->string);
        }
    }
    return RC_OK;
}

static int
has_controls(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return 1;
        }
    }
    return 0;
}

int
body_text(const cJSON *body, const char *name, size_t max, int required,
          const char **out, struct problem *problem)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, name);
    if (item == NULL && !required) {
        return RC_OK;
    }
    const char *text = cJSON_GetStringValue(item);
    if (text == NULL || *text == '\0' || strlen(text) > max ||
        has_controls(text)) {
        problem_set(problem, PROBLEM_BODY,
                    "%s \"%s\": text of 1 to %zu bytes, in one line and "
                    "without control characters",
                    item == NULL ? "there must be a" : "wrong", name, max);
        return blame(problem, name);
    }
    *out = text;
    return RC_OK;
}

int
body_bool(const cJSON *body, const char *name, int *out,
          struct problem *problem)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, name);
    if (item == NULL) {
        return RC_OK;
    }
    if (!cJSON_IsBool(item)) {
        problem_set(problem, PROBLEM_BODY, "\"%s\" is true or false", name);
        return blame(problem, name);
    }
    *out = cJSON_IsTrue(item);
    return RC_OK;
}

int
body_number(const cJSON *body, const char *name, int64_t min, int64_t max,
            int64_t *out, struct problem *problem)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, name);
    if (item == NULL) {
        return RC_OK;
    }
    double value = item->valuedouble;
    if (!cJSON_IsNumber(item) ||
        !(value >= (double)min && value <= (double)max) ||
        (double)(int64_t)value < value) {
        problem_set(problem, PROBLEM_BODY,
                    "\"%s\" is a whole number of %lld to %lld", name,
                    (long long)min, (long long)max);
        return blame(problem, name);
    }
    *out = (int64_t)value;
    return RC_OK;
}
