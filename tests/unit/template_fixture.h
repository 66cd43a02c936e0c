/* tests/unit/template_fixture.h: helpers of the tests that make events. To be
 * included after <cmocka.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TEMPLATE_FIXTURE_H
#define TESTS_TEMPLATE_FIXTURE_H

#include "template/template.h"

#include "error.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* Build what must be buildable; the caller frees it. */
static inline char *
build_body(const struct template_request *req)
{
    char *body;
    size_t len;
    struct error err = {0};
    if (template_build(req, &body, &len, &err) != RC_OK) {
        fail_msg("%s: %s", req->type, err.text);
    }
    assert_int_equal(strlen(body), len);
    return body;
}

/* The same as a tree. */
static inline cJSON *
build_tree(const struct template_request *req)
{
    char *body = build_body(req);
    cJSON *tree = cJSON_Parse(body);
    assert_non_null(tree);
    free(body);
    return tree;
}

/* What must not be buildable, and why. */
static inline void
assert_build_fails(const struct template_request *req, int rc, const char *text)
{
    char *body = NULL;
    size_t len = 7;
    struct error err = {0};
    assert_int_equal(template_build(req, &body, &len, &err), rc);
    assert_string_equal(err.text, text);
    assert_null(body);
    assert_int_equal(len, 7);
}

/* The member at a dotted path of object keys and indexes, or NULL. */
static inline const cJSON *
at(const cJSON *tree, const char *path)
{
    char copy[128];
    assert_true(strlen(path) < sizeof(copy));
    strcpy(copy, path);
    char *rest = NULL;
    for (char *key = strtok_r(copy, ".", &rest); key != NULL && tree != NULL;
         key = strtok_r(NULL, ".", &rest)) {
        tree = cJSON_IsArray(tree)
                   ? cJSON_GetArrayItem(tree, atoi(key))
                   : cJSON_GetObjectItemCaseSensitive(tree, key);
    }
    return tree;
}

static inline const char *
text_at(const cJSON *tree, const char *path)
{
    const char *text = cJSON_GetStringValue(at(tree, path));
    if (text == NULL) {
        fail_msg("no text at %s", path);
    }
    return text;
}

#endif
