/* tests/unit/test_json_random.c: random texts; cJSON and decimal arithmetic on
 * strings are the references.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json/json.h"

#define SEED UINT64_C(20261123)

static uint64_t random_state;

/* xorshift64*: the same sequence on every machine. */
static unsigned
below(unsigned bound)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) %
           bound;
}

static int
set_seed(void **state)
{
    (void)state;
    random_state = SEED;
    print_message("seed %llu\n", (unsigned long long)SEED);
    return 0;
}

/* A text under construction; rows of it never come near the bound. */
struct text {
    char ptr[1 << 16];
    size_t len;
};

static void
put(struct text *text, const char *bytes)
{
    size_t len = strlen(bytes);
    assert_in_range(text->len + len, 0, sizeof(text->ptr) - 1);
    memcpy(text->ptr + text->len, bytes, len + 1);
    text->len += len;
}

static void
put_byte(struct text *text, char byte)
{
    put(text, (char[]){byte, '\0'});
}

#define PICK(list) ((list)[below(sizeof(list) / sizeof((list)[0]))])

/* ---- Integers ------------------------------------------------------- */

/* What `token` means, by moving digits about as text: no arithmetic that
 * could overflow. Its exponent stays within four digits. */
static int
reference_i64(const char *token, int64_t *out)
{
    int negative = token[0] == '-';
    char digits[512];
    long len = 0;
    long point = -1; /* how many digits stand before the point */
    const char *at = token + negative;
    for (; *at != '\0' && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = len;
        } else {
            digits[len++] = *at;
        }
    }
    point = (point < 0 ? len : point) + (*at != '\0' ? atol(at + 1) : 0);

    char whole[8192];
    size_t whole_len = 0;
    for (long i = 0; i < len; i++) {
        if (i >= point && digits[i] != '0') {
            return RC_INVALID;
        }
    }
    for (long i = 0; i < point; i++) {
        char digit = i < len ? digits[i] : '0';
        if (whole_len > 0 || digit != '0') {
            whole[whole_len++] = digit;
            /* "0" with a large exponent must not get here */
            assert_true(whole_len < sizeof(whole));
        }
    }
    whole[whole_len] = '\0';
    const char *most = negative ? "9223372036854775808" : "9223372036854775807";
    if (whole_len > 19 || (whole_len == 19 && strcmp(whole, most) > 0)) {
        return RC_FULL;
    }
    uint64_t sum = strtoull(whole, NULL, 10);
    *out = (int64_t)(negative ? 0 - sum : sum);
    return RC_OK;
}

static void
put_number(struct text *text)
{
    static const char *const edges[] = {
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775806",
        "9223372036854775807",
        "9223372036854775808",
        "9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "922337203685477580",
        "2147483648",
        "4294967296",
        "10000000000000000000",
        "999999999999",
        "1",
        "0",
    };
    char digits[64];
    if (below(2) == 0) {
        strcpy(digits, PICK(edges));
    } else {
        unsigned len = 1 + below(24);
        for (unsigned i = 0; i < len; i++) {
            digits[i] = (char)('0' + below(below(2) == 0 ? 2 : 10));
        }
        digits[len] = '\0';
    }

    /* Move the point `shift` places to the left and the exponent back. */
    unsigned len = (unsigned)strlen(digits);
    unsigned shift = below(3) == 0 ? below(len + 1) : 0;
    const char *lead = digits;
    while (len > shift + 1 && *lead == '0') {
        lead++;
        len--;
    }
    put(text, below(3) == 0 ? "-" : "");
    if (shift == 0) {
        put(text, lead);
    } else {
        for (unsigned i = 0; i < len - shift; i++) {
            put_byte(text, lead[i]);
        }
        put(text, len == shift ? "0." : ".");
        put(text, lead + len - shift);
    }
    static const char *const zeros[] = {"0", "00", "000000000000000000000000"};
    if (shift > 0 && below(3) == 0) {
        put(text, PICK(zeros));
    }
    if (below(2) == 0) {
        int exponent = (int)shift + (int)below(5) - 2;
        exponent = below(8) == 0 ? (int)below(1000) - 500 : exponent;
        char tail[16];
        snprintf(tail, sizeof(tail), below(2) == 0 ? "e%d" : "E%+03d",
                 exponent);
        put(text, tail);
    }
}

static void
integers_match_decimal_arithmetic(void **state)
{
    (void)state;
    static struct text text;
    unsigned seen[3] = {0, 0, 0};
    for (int round = 0; round < 200000; round++) {
        text.len = 0;
        put_number(&text);
        int64_t want = 0;
        int64_t got = 0;
        int want_rc = reference_i64(text.ptr, &want);
        assert_int_equal(json_check(text.ptr, text.len, NULL), RC_OK);
        struct json_value value = {JSON_NUMBER, text.ptr, text.len};
        int got_rc = json_i64(&value, &got);
        if (got_rc != want_rc || got != want) {
            fail_msg("%s: %s %lld, not %s %lld", text.ptr, rc_name(got_rc),
                     (long long)got, rc_name(want_rc), (long long)want);
        }
        seen[want_rc == RC_OK ? 0 : want_rc == RC_INVALID ? 1 : 2]++;
    }
    assert_true(seen[0] > 10000 && seen[1] > 10000 && seen[2] > 10000);
}

/* ---- Documents ------------------------------------------------------ */

static void
put_blanks(struct text *text)
{
    static const char *const blanks[] = {
        "", "", "", " ", "\n", "\n  ", "\n            ", "\t", "\r\n\t",
    };
    put(text, PICK(blanks));
}

/* Left out on purpose: U+0000 and lone surrogates, where cJSON differs. */
static void
put_characters(struct text *text)
{
    static const char *const parts[] = {
        "a",
        "id",
        "amount",
        "payment_intent",
        " ",
        ".",
        "/",
        "~",
        "0",
        "#",
        "!",
        "\x7f",
        "\\n",
        "\\t",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\u00e9",
        "\\u20ac",
        "\\ud83d\\ude00",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    };
    for (unsigned i = below(6); i > 0; i--) {
        put(text, PICK(parts));
    }
}

/* One container around the next; the depth is what the stack of brackets
 * says, so that generating needs no recursion either. */
static void
put_document(struct text *text)
{
    char stack[16];
    unsigned depth = 0;
    unsigned serial = 0;
    text->len = 0;
    put_blanks(text);
    do {
        static const char *const words[] = {"null", "true", "false"};
        unsigned kind = below(depth < sizeof(stack) ? 8 : 5);
        kind = depth == 0 ? 6 + below(2) : kind;
        if (kind < 2) {
            put_number(text);
        } else if (kind < 4) {
            put_byte(text, '"');
            put_characters(text);
            put_byte(text, '"');
        } else if (kind < 5) {
            put(text, PICK(words));
        } else {
            stack[depth++] = kind == 5 || kind == 6 ? '{' : '[';
            put_byte(text, stack[depth - 1]);
        }
        put_blanks(text);
        int fresh = kind >= 5;
        while (depth > 0 && (below(3) == 0 || text->len > 4000)) {
            put_byte(text, stack[--depth] == '{' ? '}' : ']');
            put_blanks(text);
            fresh = 0;
        }
        if (depth > 0) {
            put(text, fresh ? "" : ",");
            put_blanks(text);
            if (stack[depth - 1] == '{') {
                char name[16]; /* the number keeps keys apart */
                snprintf(name, sizeof(name), "%u", serial++);
                put_byte(text, '"');
                put(text, name);
                put_characters(text);
                put_byte(text, '"');
                put_blanks(text);
                put_byte(text, ':');
                put_blanks(text);
            }
        }
    } while (depth > 0);
}

/* Go down from `node` at random and write the way as a JSON Pointer. NULL when
 * a key on the way is repeated: there cJSON and we differ by design. */
static const cJSON *
random_way(const cJSON *node, struct text *path)
{
    path->len = 0;
    path->ptr[0] = '\0';
    while (node->child != NULL && below(6) != 0) {
        unsigned index = below((unsigned)cJSON_GetArraySize(node));
        const cJSON *child = cJSON_GetArrayItem(node, (int)index);
        put_byte(path, '/');
        if (cJSON_IsArray(node)) {
            char number[16];
            snprintf(number, sizeof(number), "%u", index);
            put(path, number);
        } else {
            for (const cJSON *other = node->child; other != NULL;
                 other = other->next) {
                if (other != child &&
                    strcmp(other->string, child->string) == 0) {
                    return NULL;
                }
            }
            for (const char *at = child->string; *at != '\0'; at++) {
                char byte[] = {*at, '\0'};
                put(path, *at == '~' ? "~0" : *at == '/' ? "~1" : byte);
            }
        }
        node = child;
    }
    return node;
}

static void
expect_same(const struct json_value *value, const cJSON *node)
{
    static char text[1 << 16];
    size_t len;
    switch (value->kind) {
    case JSON_STRING:
        assert_true(cJSON_IsString(node));
        len = json_unescape(value, text);
        assert_int_equal(len, strlen(text));
        assert_string_equal(text, node->valuestring);
        assert_true(json_equals(value, node->valuestring));
        break;
    case JSON_NUMBER:
        assert_true(cJSON_IsNumber(node));
        memcpy(text, value->ptr, value->len);
        text[value->len] = '\0';
        assert_true(strtod(text, NULL) == node->valuedouble);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        assert_int_equal(cJSON_IsArray(node), value->kind == JSON_ARRAY);
        assert_int_equal(cJSON_IsObject(node), value->kind == JSON_OBJECT);
        assert_int_equal(cJSON_GetArraySize(node), json_count(value));
        break;
    case JSON_NULL:
        assert_true(cJSON_IsNull(node));
        break;
    case JSON_TRUE:
        assert_true(cJSON_IsTrue(node));
        break;
    case JSON_FALSE:
        assert_true(cJSON_IsFalse(node));
        break;
    }
}

/* Compare values at random places of a text that our scanner accepted.
 * @return how many */
static unsigned
compare(const struct text *text)
{
    static struct text path;
    cJSON *root = cJSON_ParseWithLengthOpts(text->ptr, text->len, NULL, 0);
    if (root == NULL) {
        fail_msg("cJSON refuses: %.*s", (int)text->len, text->ptr);
    }
    unsigned compared = 0;
    for (int i = 0; i < 8; i++) {
        const cJSON *node = random_way(root, &path);
        if (node == NULL) {
            continue;
        }
        struct json_value value;
        int rc = json_find(text->ptr, text->len, path.ptr, &value);
        if (rc != RC_OK) {
            fail_msg("%s at %s in %.*s", rc_name(rc), path.ptr, (int)text->len,
                     text->ptr);
        }
        expect_same(&value, node);
        compared++;
    }
    cJSON_Delete(root);
    return compared;
}

static void
random_documents_read_as_cjson_reads_them(void **state)
{
    (void)state;
    static struct text text;
    unsigned compared = 0;
    for (int round = 0; round < 4000; round++) {
        put_document(&text);
        struct json_fault fault;
        if (json_check(text.ptr, text.len, &fault) != RC_OK) {
            fail_msg("%s at %zu: %.*s", fault.reason, fault.offset,
                     (int)text.len, text.ptr);
        }
        compared += compare(&text);
    }
    assert_int_equal(compared, 4000 * 8);
}

/* Whether a mutation made what cJSON cannot read as we do: escaped NULs, half
 * surrogate pairs, numbers beyond its buffer of 64 bytes. */
static int
beyond_cjson(const struct text *text)
{
    size_t digits = 0;
    for (size_t i = 0; i + 3 < text->len; i++) {
        const char *at = text->ptr + i;
        digits = strchr("0123456789+-.eE", *at) != NULL ? digits + 1 : 0;
        if (digits > 60 || memcmp(at, "u000", 4) == 0 ||
            (*at == 'u' && (at[1] | 0x20) == 'd')) {
            return 1;
        }
    }
    return 0;
}

static void
mutate(struct text *text)
{
    static const char bytes[] = "{}[]\",:\\/0123456789.-+eEtfnu \n\x80\xff";
    for (unsigned i = 1 + below(3); i > 0; i--) {
        size_t at = below((unsigned)text->len);
        switch (below(4)) {
        case 0:
            text->ptr[at] = (char)below(256);
            break;
        case 1:
            text->ptr[at] = bytes[below(sizeof(bytes) - 1)];
            break;
        case 2:
            text->len--;
            memmove(text->ptr + at, text->ptr + at + 1, text->len - at);
            text->len += text->len == 0;
            break;
        default:
            text->ptr[at] = text->ptr[below((unsigned)text->len)];
            break;
        }
    }
}

static void
mutated_documents_are_refused_or_read_as_cjson_reads_them(void **state)
{
    (void)state;
    static struct text text;
    unsigned compared = 0;
    unsigned refused = 0;
    for (int round = 0; round < 20000; round++) {
        put_document(&text);
        mutate(&text);
        if (json_check(text.ptr, text.len, NULL) != RC_OK) {
            refused++;
        } else if (!beyond_cjson(&text)) {
            compared += compare(&text);
        }
    }
    print_message("%u refused, %u values compared\n", refused, compared);
    assert_true(refused > 5000 && compared > 5000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_match_decimal_arithmetic),
        cmocka_unit_test(random_documents_read_as_cjson_reads_them),
        cmocka_unit_test(
            mutated_documents_are_refused_or_read_as_cjson_reads_them),
    };
    return cmocka_run_group_tests(tests, set_seed, NULL);
}
