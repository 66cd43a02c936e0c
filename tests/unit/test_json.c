/* tests/unit/test_json.c: which texts the scanner accepts.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json/json.h"

struct text {
    const char *ptr;
    size_t len;
};

/* With its length, as a text may hold NULs. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

/* Several rows a line: */
/* clang-format off */
static const struct text accepted[] = {
    T("null"), T("true"), T("false"), T("0"), T("-0"), T("7"), T("-12"),
    T("1099.50"), T("0.0"), T("1e3"), T("1E+3"), T("1.5e-30"), T("0e0"),
    T("1e400"), T("123456789012345678901234567890"), T("\"\""), T("\"a\""),
    T("\"eight by\""), T("\"seventeen bytes!!\""), T("\"\x7f\""),
    T("\" \\\" \\\\ \\/ \\b \\f \\n \\r \\t \""),
    T("\"\\u0041\\u00e9\\u20AC\""), T("\"\\u0000\""), T("\"\\ud834\\udd1e\""),
    T("\"\\ud834\""), /* lone halves, as most of Stripe's */
    T("\"\\udd1e\""), /* libraries accept them */
    T("\"\\ud834\\ud834\""), T("\"\xc2\x80\""), T("\"\xdf\xbf\""),
    T("\"\xe0\xa0\x80\""), T("\"\xed\x9f\xbf\""), T("\"\xee\x80\x80\""),
    T("\"\xef\xbb\xbf\""), /* U+FEFF inside a string is a character */
    T("\"\xef\xbf\xbf\""), T("\"\xf0\x90\x80\x80\""), T("\"\xf4\x8f\xbf\xbf\""),
    T("[]"), T("{}"), T("[ ]"), T("{\r\n\t}"), T("[1,2]"), T("[[],[[]],{}]"),
    T("{\"a\":1}"), T("{\"a\":{\"b\":[{}]},\"c\":null}"), T("{\"\":\"\"}"),
    T("{\"a\":1,\"a\":2}"), T(" \t\r\n1 \t\r\n"),
    T("{ \"a\" : [ 1 , 2 ] , \"b\" : 3 }"),
    T("{\n                    \"a\": 1\n}\n"),
};

static const struct text refused[] = {
    T(""), T(" "), T("\0"), T("nul"), T("nulL"), T("True"), T("truefalse"),
    T("none"), T("NaN"), T("Infinity"), T("-Infinity"), T("'a'"), T("a"),
    T("01"), T("-01"), T("00"), T("1."), T(".5"), T("-.5"), T("-"), T("--1"),
    T("+1"), T("1.e3"), T("1e"), T("1e+"), T("1e1.5"), T("0x10"), T("1_000"),
    T("1 2"), T("\""), T("\"a"), T("\"a\\"), T("\"a\\\""), T("\"\\x41\""),
    T("\"\\a\""), T("\"\\'\""), T("\"\\\0\""), T("\"\\u\""), T("\"\\u12\""),
    T("\"\\u123"), T("\"\\u12g4\""), T("\"\\U0041\""), T("\"\\u+041\""),
    T("\"a\nb\""), T("\"a\tb\""), T("\"\0\""), T("\"eight by\x1ftes\""),
    T("\"\x80\""), T("\"\xbf\""),
    T("\"\xc0\x80\""), /* overlong forms */
    T("\"\xc1\xbf\""), T("\"\xe0\x80\x80\""), T("\"\xe0\x9f\xbf\""),
    T("\"\xf0\x80\x80\x80\""), T("\"\xf0\x8f\xbf\xbf\""),
    T("\"\xed\xa0\x80\""), /* surrogates */
    T("\"\xed\xbf\xbf\""),
    T("\"\xf4\x90\x80\x80\""), /* beyond U+10FFFF */
    T("\"\xf5\x80\x80\x80\""), T("\"\xff\""),
    T("\"\xc2\""), /* cut short */
    T("\"\xe2\x82\""), T("\"\xf0\x9f\x98\""), T("\"\xe2\x82"),
    T("\"\xe9t\xe9\""), /* Latin-1 */
    T("["), T("]"), T("[1"), T("[1,"), T("[1,]"), T("[,1]"), T("[,]"),
    T("[1,,2]"), T("[1 2]"), T("[1;2]"), T("[1}"), T("[}"), T("[1:2]"),
    T("[\"a\":1]"), T("{"), T("}"), T("{]"), T("{\"a\""), T("{\"a\":"),
    T("{\"a\":}"), T("{\"a\"}"), T("{\"a\" 1}"), T("{\"a\",1}"), T("{\"a\":1"),
    T("{\"a\":1,"), T("{\"a\":1,}"), T("{,\"a\":1}"), T("{,}"),
    T("{\"a\":1 \"b\":2}"), T("{\"a\":1]"), T("{\"a\"::1}"), T("{a:1}"),
    T("{'a':1}"), T("{1:1}"), T("{null:1}"),
    T("{\"a\":1}["), /* what cJSON takes silently */
    T("{\"a\":1}{\"b\":2}"), T("{\"a\":1}\0junk"), T("{\"a\":1}\0"),
    T("{\"a\":1},"), T("[]]"), T("\xef\xbb\xbf{}"), T("\xfe\xff"), T("\x0b{}"),
    T("\f1"), T("1\x01"), T("\xc2\xa0" "1"), T("[1\0]"), T("// a\n1"),
    T("/* a */1"),
};
/* clang-format on */

/* Whether json_check() accepts; a full walk must agree. The text is copied to
 * memory of its exact size, so that a sanitizer sees a byte read too far. */
static int
accepts(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    struct json_fault fault = {.reason = NULL};
    int rc = json_check(copy, len, &fault);

    struct json_reader reader;
    json_reader_init(&reader, copy, len);
    enum json_token token;
    do {
        token = json_next(&reader);
    } while (token > JSON_TOKEN_END);
    assert_int_equal(token, json_next(&reader));
    assert_int_equal(token == JSON_TOKEN_END, rc == RC_OK);
    if (rc != RC_OK) {
        assert_int_equal(rc, RC_INVALID);
        assert_non_null(fault.reason);
        assert_in_range(fault.offset, 0, len);
        assert_int_equal(fault.offset, reader.fault.offset);
        assert_string_equal(fault.reason, reader.fault.reason);
    }
    free(copy);
    return rc == RC_OK;
}

static void
valid_texts_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        if (!accepts(accepted[i].ptr, accepted[i].len)) {
            fail_msg("refused: %s", accepted[i].ptr);
        }
    }
}

static void
invalid_texts_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (accepts(refused[i].ptr, refused[i].len)) {
            fail_msg("accepted row %zu: %s", i, refused[i].ptr);
        }
    }
}

static void
no_proper_prefix_of_an_object_is_accepted(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\": \"evt_\\u00e91\", \"n\": [-1.5e3, true, null], "
        "\"o\": {\"name\": \"\xe6\x97\xa5\xe6\x9c\xac\", \"x\": {}}}";
    assert_true(accepts(text, sizeof(text) - 1));
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        assert_false(accepts(text, len));
    }
}

static void
the_fault_tells_the_offset_of_the_bad_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
        const char *reason;
    } rows[] = {
        {"{\"a\": nulx}", 9, "unexpected character"},
        {"[1, 2", 5, "unexpected end of text"},
        {"[1 2]", 3, "unexpected character"},
        {"{} x", 3, "text behind the value"},
        {"{1:2}", 1, "key expected"},
        {"{\"a\" 2}", 5, "colon expected"},
        {"[1,]", 3, "value expected"},
        {"[1.x]", 3, "digit expected"},
        {"\"ab\\x\"", 4, "invalid escape"},
        {"\"\\u00zz\"", 5, "invalid escape"},
        {"\"0123456789\x01\"", 11, "control character in a string"},
        {"\"ab\xe2\x82x\"", 5, "invalid UTF-8"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_fault fault;
        size_t len = strlen(rows[i].text);
        assert_int_equal(json_check(rows[i].text, len, &fault), RC_INVALID);
        assert_int_equal(fault.offset, rows[i].offset);
        assert_string_equal(fault.reason, rows[i].reason);
    }
}

/* Each byte value at each place of strings around the size of a word, among
 * neighbours that come close to the marks of the word test. */
static void
a_byte_is_judged_alike_at_every_place_of_a_string(void **state)
{
    (void)state;
    static const char fills[] = "n#!]\x7f ";
    char text[32];
    for (size_t f = 0; f < sizeof(fills) - 1; f++) {
        for (size_t len = 1; len <= 18; len++) {
            for (size_t at = 1; at <= len; at++) {
                for (int byte = 0; byte < 256; byte++) {
                    memset(text, fills[f], sizeof(text));
                    text[0] = '"';
                    text[len + 1] = '"';
                    text[at] = (char)byte;
                    int good = byte >= 0x20 && byte < 0x80 && byte != '"';
                    if (byte == '\\') {
                        good = fills[f] == 'n' && at < len;
                    }
                    assert_int_equal(json_check(text, len + 2, NULL) == RC_OK,
                                     good);
                }
            }
        }
    }
}

static void
only_four_bytes_are_blank(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[] = "[1,\n      \0        2]";
        text[10] = (char)byte;
        int blank = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
        int good = json_check(text, sizeof(text) - 1, NULL) == RC_OK;
        assert_int_equal(good, blank);
    }
}

/* The definition by arithmetic, against the bounds in scan.c. */
static int
utf8_reference(const unsigned char *b)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = b[0] >= 0xf8 ? 0 : b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    unsigned code = b[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (b[i] & 0x3fu);
    }
    int good = len > 0 && b[0] >= 0xc0 && code >= least[len] &&
               code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return good ? (int)len : 0;
}

static void
utf8_is_judged_by_its_definition(void **state)
{
    (void)state;
    static const unsigned char tails[] = {0x7f, 0x80, 0xbf, 0xc0};
    for (unsigned i = 0; i < 128u * 256 * 16; i++) {
        unsigned char b[6] = {'"',
                              (unsigned char)(0x80 + (i >> 12)),
                              (unsigned char)(i >> 4),
                              tails[i >> 2 & 3],
                              tails[i & 3],
                              '"'};
        int len = utf8_reference(b + 1);
        size_t text_len = len > 0 ? (size_t)len + 2 : sizeof(b);
        b[text_len - 1] = '"';
        assert_int_equal(json_check((const char *)b, text_len, NULL) == RC_OK,
                         len > 0);
    }
}

/* ---- Depth ---------------------------------------------------------- */

/* `depth` arrays and objects in turn, all closed again. */
static size_t
nested(char *out, size_t depth)
{
    size_t len = 0;
    for (size_t i = 0; i < depth; i++) {
        const char *open = i % 2 == 0 ? "[" : "{\"k\":";
        memcpy(out + len, open, strlen(open));
        len += strlen(open);
    }
    out[len++] = '0';
    for (size_t i = depth; i > 0; i--) {
        out[len++] = i % 2 == 1 ? ']' : '}';
    }
    return len;
}

static void
depth_is_bounded(void **state)
{
    (void)state;
    static char text[8 * JSON_DEPTH_MAX];
    assert_true(accepts(text, nested(text, JSON_DEPTH_MAX - 1)));
    assert_true(accepts(text, nested(text, JSON_DEPTH_MAX)));
    assert_false(accepts(text, nested(text, JSON_DEPTH_MAX + 1)));

    struct json_fault fault;
    size_t len = nested(text, JSON_DEPTH_MAX + 1);
    assert_int_equal(json_check(text, len, &fault), RC_INVALID);
    assert_string_equal(fault.reason, "nested too deeply");
}

static void
a_wrong_bracket_is_noticed_at_every_depth(void **state)
{
    (void)state;
    static char text[8 * JSON_DEPTH_MAX];
    for (size_t depth = 1; depth <= 140; depth++) {
        size_t len = nested(text, depth);
        for (size_t i = len - depth; i < len; i++) {
            char right = text[i];
            text[i] = right == ']' ? '}' : ']';
            assert_false(accepts(text, len));
            text[i] = right;
        }
    }
}

static void
a_flood_of_brackets_is_refused(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, '[', sizeof(text));
    assert_false(accepts(text, sizeof(text)));
    for (size_t i = 0; i + 5 <= sizeof(text); i += 5) {
        memcpy(text + i, "{\"\":[", 5);
    }
    assert_false(accepts(text, sizeof(text)));
}

static void
many_siblings_are_not_depth(void **state)
{
    (void)state;
    static char text[3 * 10000 + 1];
    for (size_t i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i, i % 2 == 0 ? ",[]" : ",{}", 3);
    }
    text[0] = '[';
    text[sizeof(text) - 1] = ']';
    assert_false(accepts(text, sizeof(text) - 1));
    assert_true(accepts(text, sizeof(text)));
}

/* ---- Stripe's own --------------------------------------------------- */

static char *
file_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_in_range(size, 1, 1 << 24);
    rewind(file);
    char *text = malloc((size_t)size);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    *len = (size_t)size;
    return text;
}

static void
events_of_stripe_are_accepted(void **state)
{
    (void)state;
    const char *shared = getenv("PEGBOARD_SHARED");
    char pattern[512];
    snprintf(pattern, sizeof(pattern), "%s/events/*.json",
             shared != NULL ? shared : "../../../shared");
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0) {
        print_message("skipped: no sample events at %s\n", pattern);
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t len = 0;
        char *text = file_read(found.gl_pathv[i], &len);
        struct json_value value;
        if (!accepts(text, len) ||
            json_find(text, len, "id", &value) != RC_OK ||
            json_find(text, len, "/type", &value) != RC_OK) {
            fail_msg("refused: %s", found.gl_pathv[i]);
        }
        free(text);
    }
    print_message("%zu events accepted\n", found.gl_pathc);
    globfree(&found);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_accepted),
        cmocka_unit_test(invalid_texts_are_refused),
        cmocka_unit_test(no_proper_prefix_of_an_object_is_accepted),
        cmocka_unit_test(the_fault_tells_the_offset_of_the_bad_byte),
        cmocka_unit_test(a_byte_is_judged_alike_at_every_place_of_a_string),
        cmocka_unit_test(only_four_bytes_are_blank),
        cmocka_unit_test(utf8_is_judged_by_its_definition),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_wrong_bracket_is_noticed_at_every_depth),
        cmocka_unit_test(a_flood_of_brackets_is_refused),
        cmocka_unit_test(many_siblings_are_not_depth),
        cmocka_unit_test(events_of_stripe_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
