/* tests/unit/test_document.c: documents keep what they were read from.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "template/document.h"

#include "error.h"
#include "json/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static char *
reprint(const char *text)
{
    cJSON *root;
    struct error err = {0};
    if (document_parse(&root, text, strlen(text), &err) != RC_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    char *printed;
    size_t len;
    assert_int_equal(document_print(root, &printed, &len), RC_OK);
    assert_int_equal(strlen(printed), len);
    cJSON_Delete(root);
    return printed;
}

static void
assert_reprints(const char *text, const char *expected)
{
    char *printed = reprint(text);
    assert_string_equal(printed, expected);
    free(printed);
}

static void
indentation_is_two_spaces(void **state)
{
    (void)state;
    assert_reprints("{\"a\":[1,{\"b\":null}],\"c\":{},\"d\":[],\"e\":false}",
                    "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n"
                    "  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": false\n}");
}

static void
numbers_stay_as_they_were_written(void **state)
{
    (void)state;
    assert_reprints("12345678901234567890", "12345678901234567890");
    assert_reprints("1.50", "1.50");
    assert_reprints("-0", "-0");
    assert_reprints("1E+2", "1E+2");
}

static void
text_is_escaped_only_where_it_must_be(void **state)
{
    (void)state;
    assert_reprints("\"\\u0041\\/\\u00e9\\n\\u0001\\\"\\\\\\b\\f\\r\\t\"",
                    "\"A/\xc3\xa9\\n\\u0001\\\"\\\\\\b\\f\\r\\t\"");
    /* A C string could not hold it: */
    assert_reprints("\"a\\u0000b\"", "\"a\\u0000b\"");
}

static void
last_of_repeated_members_counts(void **state)
{
    (void)state;
    assert_reprints("{\"a\":1,\"b\":2,\"a\":3}",
                    "{\n  \"a\": 3,\n  \"b\": 2\n}");
    assert_reprints("{\"a\":{\"x\":1},\"a\":[]}", "{\n  \"a\": []\n}");
}

static void
what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",        "{",      "[1,]", "{}{}",
                                        "{\"a\"}", "[\"a\"", "01",   "nul"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cJSON *root = NULL;
        struct error err = {0};
        assert_int_equal(
            document_parse(&root, texts[i], strlen(texts[i]), &err),
            RC_INVALID);
        assert_null(root);
        assert_memory_equal(err.text, "not JSON: ", 10);
    }
    cJSON *root;
    const char *nul_key = "{\"a\\u0000\":1}";
    assert_int_equal(document_parse(&root, nul_key, strlen(nul_key), NULL),
                     RC_INVALID);
}

static void
nesting_is_bounded(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1)];
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    cJSON *root;
    assert_int_equal(
        document_parse(&root, text, (size_t)2 * JSON_DEPTH_MAX, NULL), RC_OK);
    cJSON_Delete(root);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(document_parse(&root, text, sizeof(text), NULL),
                     RC_INVALID);
}

static void
merging_goes_into_objects_and_replaces_the_rest(void **state)
{
    (void)state;
    const char *into = "{\"a\":{\"x\":1,\"y\":2},\"b\":[1,2],\"c\":3}";
    const char *from = "{\"a\":{\"y\":null,\"z\":4},\"b\":[9],\"c\":{\"d\":5}}";
    cJSON *one;
    cJSON *two;
    assert_int_equal(document_parse(&one, into, strlen(into), NULL), RC_OK);
    assert_int_equal(document_parse(&two, from, strlen(from), NULL), RC_OK);
    assert_int_equal(document_merge(one, two), RC_OK);
    cJSON_Delete(two);
    char *text = cJSON_PrintUnformatted(one);
    assert_string_equal(text, "{\"a\":{\"x\":1,\"y\":null,\"z\":4},\"b\":[9],"
                              "\"c\":{\"d\":5}}");
    free(text);
    cJSON_Delete(one);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indentation_is_two_spaces),
        cmocka_unit_test(numbers_stay_as_they_were_written),
        cmocka_unit_test(text_is_escaped_only_where_it_must_be),
        cmocka_unit_test(last_of_repeated_members_counts),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(merging_goes_into_objects_and_replaces_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
