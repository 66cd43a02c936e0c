/* core/admin/query.c: what stands behind the '?', decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/query.h"

#include "admin/problem.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int
query_decode(const char *from, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)from[i];
        if (byte == '%') {
            if (i + 2 >= len) {
                return RC_INVALID;
            }
            int high = hex_value(from[i + 1]), low = hex_value(from[i + 2]);
            if (high < 0 || low < 0) {
                return RC_INVALID;
            }
            byte = high * 16 + low;
            i += 2;
        }
        if (byte < 0x20 || byte > 0x7e) {
            return RC_INVALID;
        }
        *out++ = (char)byte;
    }
    *out = '\0';
    return RC_OK;
}

/* "name=value" of `len` bytes, decoded into *room, which moves behind it. */
static int
take_pair(struct query_pair *pair, const char *text, size_t len, char **room)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
    size_t value_len = equals != NULL ? len - name_len - 1 : 0;
    char *name = *room, *value = name + name_len + 1;
    *room = value + value_len + 1;
    pair->name = name;
    pair->value = value;
    int rc = query_decode(text, name_len, name);
    return rc != RC_OK ? rc
                       : query_decode(equals != NULL ? equals + 1 : "",
                                      value_len, value);
}

static int
split(struct query *query, const char *text, struct problem *problem)
{
    char *room = query->room;
    while (*text != '\0') {
        size_t len = strcspn(text, "&");
        if (len > 0) {
            if (query->count == QUERY_PAIRS_MAX) {
                return problem_set(problem, PROBLEM_PARAMETER,
                                   "more than %d parameters", QUERY_PAIRS_MAX);
            }
            if (take_pair(&query->pairs[query->count++], text, len, &room) !=
                RC_OK) {
                return problem_set(problem, PROBLEM_PARAMETER,
                                   "the query has a broken %% escape, or a "
                                   "byte that is not printable ASCII");
            }
        }
        text += len;
        text += *text == '&';
    }
    return RC_OK;
}

int
query_read(struct query *query, const char *text, struct problem *problem)
{
    query->count = 0;
    query->room = NULL;
    if (text == NULL || *text == '\0') {
        return RC_OK;
    }
    size_t len = strlen(text);
    if (len > QUERY_BYTES_MAX) {
        return problem_set(problem, PROBLEM_PARAMETER,
                           "the query is longer than %d bytes",
                           QUERY_BYTES_MAX);
    }
    query->room = malloc(2 * len + 2); /* two NULs for "=" or "&" alone */
    if (query->room == NULL) {
        return RC_NOMEM;
    }
    int rc = split(query, text, problem);
    if (rc != RC_OK) {
        query_fini(query);
    }
    return rc;
}

void
query_fini(struct query *query)
{
    free(query->room);
    query->room = NULL;
    query->count = 0;
}

int
query_word_in(const char *words, const char *word)
{
    size_t len = strlen(word);
    while (*words != '\0') {
        size_t words_len = strcspn(words, " ");
        if (words_len == len && memcmp(words, word, len) == 0) {
            return 1;
        }
        words += words_len;
        words += strspn(words, " ");
    }
    return 0;
}

int
query_allow(const struct query *query, const char *names,
            struct problem *problem)
{
    for (size_t i = 0; i < query->count; i++) {
        const char *name = query->pairs[i].name;
        if (!query_word_in(names, name)) {
            problem_set(problem, PROBLEM_PARAMETER,
                        "there is no parameter \"%.64s\" here", name);
            problem_blame(problem, NULL, name, NULL);
            return RC_INVALID;
        }
    }
    return RC_OK;
}

const char *
query_value(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->pairs[i].name, name) == 0) {
            return query->pairs[i].value;
        }
    }
    return NULL;
}

int
query_bool(const struct query *query, const char *name, int *out,
           struct problem *problem)
{
    const char *value = query_value(query, name);
    if (value == NULL) {
        return RC_OK;
    }
    *out = strcmp(value, "true") == 0;
    if (!*out && strcmp(value, "false") != 0) {
        problem_set(problem, PROBLEM_PARAMETER,
                    "\"%s\" is true or false, not \"%.100s\"", name, value);
        problem_blame(problem, NULL, name, "true false");
        return RC_INVALID;
    }
    return RC_OK;
}
