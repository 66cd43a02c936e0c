/* tests/unit/test_json_reader.c: walking a text token by token.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "error.h"
#include "json/json.h"

static void
tokens_come_in_order_with_their_slices(void **state)
{
    (void)state;
    static const char text[] = " {\"a\" : [1, \"x\\n\", {}], \"b\": true} ";
    static const struct {
        enum json_token token;
        enum json_kind kind;
        const char *slice;
    } rows[] = {
        {JSON_TOKEN_OPEN, JSON_OBJECT, "{"},
        {JSON_TOKEN_KEY, JSON_STRING, "\"a\""},
        {JSON_TOKEN_OPEN, JSON_ARRAY, "["},
        {JSON_TOKEN_VALUE, JSON_NUMBER, "1"},
        {JSON_TOKEN_VALUE, JSON_STRING, "\"x\\n\""},
        {JSON_TOKEN_OPEN, JSON_OBJECT, "{"},
        {JSON_TOKEN_CLOSE, JSON_NULL, NULL},
        {JSON_TOKEN_CLOSE, JSON_NULL, NULL},
        {JSON_TOKEN_KEY, JSON_STRING, "\"b\""},
        {JSON_TOKEN_VALUE, JSON_TRUE, "true"},
        {JSON_TOKEN_CLOSE, JSON_NULL, NULL},
        {JSON_TOKEN_END, JSON_NULL, NULL},
        {JSON_TOKEN_END, JSON_NULL, NULL},
    };
    struct json_reader reader;
    json_reader_init(&reader, text, sizeof(text) - 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(json_next(&reader), rows[i].token);
        if (rows[i].slice != NULL) {
            assert_int_equal(reader.value.kind, rows[i].kind);
            assert_int_equal(reader.value.len, strlen(rows[i].slice));
            assert_memory_equal(reader.value.ptr, rows[i].slice,
                                reader.value.len);
        }
    }
}

static void
expect_slice(const struct json_value *value, enum json_kind kind,
             const char *text)
{
    assert_int_equal(value->kind, kind);
    assert_int_equal(value->len, strlen(text));
    assert_memory_equal(value->ptr, text, value->len);
}

static void
values_are_taken_whole(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":{\"x\":[1,{}]},\"b\":[2, [3] ,\"4\"],\"c\":-5}";
    struct json_reader reader;
    struct json_value value;
    json_reader_init(&reader, text, sizeof(text) - 1);
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_next(&reader), JSON_TOKEN_KEY);
    assert_int_equal(json_take(&reader, &value), RC_OK);
    expect_slice(&value, JSON_OBJECT, "{\"x\":[1,{}]}");

    assert_int_equal(json_next(&reader), JSON_TOKEN_KEY);
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_take(&reader, &value), RC_OK);
    expect_slice(&value, JSON_NUMBER, "2");
    assert_int_equal(json_take(&reader, &value), RC_OK);
    expect_slice(&value, JSON_ARRAY, "[3]");
    assert_int_equal(json_next(&reader), JSON_TOKEN_VALUE);
    assert_int_equal(json_next(&reader), JSON_TOKEN_CLOSE);

    assert_int_equal(json_next(&reader), JSON_TOKEN_KEY);
    assert_int_equal(json_take(&reader, &value), RC_OK);
    expect_slice(&value, JSON_NUMBER, "-5");
    assert_int_equal(json_next(&reader), JSON_TOKEN_CLOSE);
    assert_int_equal(json_next(&reader), JSON_TOKEN_END);
}

static void
the_rest_of_an_opened_container_is_skipped(void **state)
{
    (void)state;
    static const char text[] = "[[1,{\"a\":[]}],{ },{\"b\":[ ]}]";
    struct json_reader reader;
    struct json_value value;
    json_reader_init(&reader, text, sizeof(text) - 1);
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_rest(&reader, &value), RC_OK);
    expect_slice(&value, JSON_ARRAY, "[1,{\"a\":[]}]");
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_rest(&reader, &value), RC_OK);
    expect_slice(&value, JSON_OBJECT, "{ }");
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_next(&reader), JSON_TOKEN_KEY);
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_rest(&reader, &value), RC_OK);
    assert_int_equal(json_next(&reader), JSON_TOKEN_CLOSE);
    assert_int_equal(json_next(&reader), JSON_TOKEN_CLOSE);
    assert_int_equal(json_next(&reader), JSON_TOKEN_END);
}

static void
taking_checks_what_it_skips(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":[1,{\"b\":01}]}",
        "{\"a\":[1}]}",
        "{\"a\":\"\\q\"}",
        "{\"a\":",
        "{\"a\":}",
        "{\"a\":[1,2",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_reader reader;
        struct json_value value;
        json_reader_init(&reader, texts[i], strlen(texts[i]));
        assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
        assert_int_equal(json_next(&reader), JSON_TOKEN_KEY);
        assert_int_equal(json_take(&reader, &value), RC_INVALID);
        struct json_fault fault = reader.fault;
        assert_int_equal(json_next(&reader), JSON_TOKEN_FAULT);
        assert_int_equal(json_take(&reader, &value), RC_INVALID);
        assert_int_equal(json_rest(&reader, &value), RC_INVALID);
        assert_ptr_equal(reader.fault.reason, fault.reason);
        assert_int_equal(reader.fault.offset, fault.offset);
    }
}

static void
taking_out_of_turn_is_a_fault(void **state)
{
    (void)state;
    struct json_reader reader;
    struct json_value value;
    json_reader_init(&reader, "{\"a\":1}", 7);
    assert_int_equal(json_rest(&reader, &value), RC_INVALID);

    json_reader_init(&reader, "{\"a\":1}", 7);
    assert_int_equal(json_next(&reader), JSON_TOKEN_OPEN);
    assert_int_equal(json_take(&reader, &value), RC_INVALID);

    json_reader_init(&reader, "1", 1);
    assert_int_equal(json_take(&reader, &value), RC_OK);
    assert_int_equal(json_take(&reader, &value), RC_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_come_in_order_with_their_slices),
        cmocka_unit_test(values_are_taken_whole),
        cmocka_unit_test(the_rest_of_an_opened_container_is_skipped),
        cmocka_unit_test(taking_checks_what_it_skips),
        cmocka_unit_test(taking_out_of_turn_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
