/* tests/unit/test_signature.c: the Stripe-Signature header, rule by rule (R1 to
 * R20 of core/stripe/README.md), each kept and broken.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signature_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* Check exactly these bytes with the secret ONE. */
static enum signature_verdict
check_bytes(const char *header, size_t header_len, const char *body,
            size_t body_len, struct signature_result *result)
{
    struct signature_keys *keys = keys_of(ONE, NULL);
    enum signature_verdict verdict = signature_check(
        keys, header, header_len, 1, body, body_len, NOW, 300, result);
    signature_keys_close(keys);
    return verdict;
}

/* Check BODY with the first `len` bytes of a header. */
static void
expect_cut(const char *header, size_t len, enum signature_verdict want)
{
    struct signature_result result;
    assert_int_equal(check_bytes(header, len, BODY, strlen(BODY), &result),
                     want);
}

/* The verdict over another body; the header is "t=T,v1=" and `hex`. */
static enum signature_verdict
check_body(const char *hex, const char *body, size_t body_len)
{
    char header[256];
    int len = snprintf(header, sizeof(header), "t=%s,v1=%s", T, hex);
    struct signature_result result;
    return check_bytes(header, (size_t)len, body, body_len, &result);
}

/* ---- The body ------------------------------------------------------- */

static void
body_is_the_exact_bytes(void **state)
{
    (void)state;
    static const char utf8[] = "{\"name\":\"Zo\xc3\xab \xf0\x9f\x98\x80\"}";
    static const char crlf[] = "{\r\n}\r\n";
    assert_int_equal(check_body(HEX_UTF8, utf8, strlen(utf8)), SIGNATURE_OK);
    assert_int_equal(check_body(HEX_CRLF, crlf, strlen(crlf)), SIGNATURE_OK);
    assert_int_equal(check_body(HEX_CRLF, crlf, strlen(crlf) - 2),
                     SIGNATURE_MISMATCH);
    assert_int_equal(check_body(HEX_CRLF, "{\n}\n", 4), SIGNATURE_MISMATCH);
    assert_int_equal(check_body(HEX_NO_BODY, "", 0), SIGNATURE_OK);
    assert_int_equal(check_body(HEX_NO_BODY, NULL, 0), SIGNATURE_OK);
    assert_int_equal(check_body(HEX, BODY " ", strlen(BODY) + 1),
                     SIGNATURE_MISMATCH);
}

static void
body_is_not_cut_at_a_nul(void **state)
{
    (void)state;
    assert_int_equal(check_body(HEX_NUL, "{}\0tail", 7), SIGNATURE_OK);
    assert_int_equal(check_body(HEX_NUL, "{}\0liar", 7), SIGNATURE_MISMATCH);
    assert_int_equal(check_body(HEX_NUL_CUT, "{}", 2), SIGNATURE_OK);
    assert_int_equal(check_body(HEX_NUL_CUT, "{}\0tail", 7),
                     SIGNATURE_MISMATCH);
}

static void
body_is_not_decoded(void **state)
{
    (void)state;
    static const char byte_ff[] = "{\"name\":\"\xff\"}";
    static const char bom[] = "\xef\xbb\xbf" BODY;
    assert_int_equal(check_body(HEX_FF, byte_ff, strlen(byte_ff)),
                     SIGNATURE_OK);
    assert_int_equal(check_body(HEX_FFFD, byte_ff, strlen(byte_ff)),
                     SIGNATURE_MISMATCH);
    assert_int_equal(check_body(HEX, bom, strlen(bom)), SIGNATURE_MISMATCH);
}

static void
body_is_not_looked_at_as_json(void **state)
{
    (void)state;
    /* R18 and R20: whatever is signed verifies, of either family. */
    static const char thin[] = "{\"object\":\"v2.core.event\"}";
    assert_int_equal(check_body(HEX_THIN, thin, strlen(thin)), SIGNATURE_OK);
    assert_int_equal(check_body(HEX_NUL, "{}\0tail", 7), SIGNATURE_OK);
}

/* ---- The field ------------------------------------------------------ */

static void
absent_field_is_missing(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(ONE, NULL);
    struct signature_result result;
    assert_int_equal(signature_check(keys, NULL, 0, 0, BODY, strlen(BODY), NOW,
                                     300, &result),
                     SIGNATURE_HEADER_MISSING);
    assert_int_equal(signature_check(keys, GOOD, strlen(GOOD), 0, BODY,
                                     strlen(BODY), NOW, 300, &result),
                     SIGNATURE_HEADER_MISSING);
    signature_keys_close(keys);
    expect("", SIGNATURE_HEADER_MISSING);
    expect(" \t ", SIGNATURE_HEADER_MISSING);
}

static void
repeated_field_is_malformed(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(ONE, NULL);
    struct signature_result result;
    assert_int_equal(signature_check(keys, GOOD, strlen(GOOD), 2, BODY,
                                     strlen(BODY), NOW, 300, &result),
                     SIGNATURE_HEADER_MALFORMED);
    assert_int_equal(signature_check(keys, GOOD, strlen(GOOD), 1, BODY,
                                     strlen(BODY), NOW, 300, &result),
                     SIGNATURE_OK);
    signature_keys_close(keys);
}

static void
header_is_read_to_its_length_only(void **state)
{
    (void)state;
    static const char longer[] = GOOD "0";
    static const char nul_inside[] = "t=" T "\0,v1=" HEX;
    static const char nul_behind[] = GOOD "\0";
    expect_cut(longer, strlen(GOOD), SIGNATURE_OK);
    expect_cut(nul_inside, sizeof(nul_inside) - 1, SIGNATURE_TIMESTAMP_INVALID);
    expect_cut(nul_behind, sizeof(nul_behind) - 1, SIGNATURE_MISMATCH);
}

/* ---- Items ---------------------------------------------------------- */

static void
blanks_around_items_are_trimmed(void **state)
{
    (void)state;
    expect("  " GOOD "\t ", SIGNATURE_OK);
    expect("t=" T ", v1=" HEX, SIGNATURE_OK);
    expect("v1=" HEX ", t=" T, SIGNATURE_OK);
    expect("t=" T " ,v1=" HEX, SIGNATURE_OK);
    expect("v1=" HEX " ,t=" T, SIGNATURE_OK);
    expect("t=" T "\t,\tv1=" HEX, SIGNATURE_OK);
    /* Other white space is not HTTP's. */
    expect(GOOD "\n", SIGNATURE_MISMATCH);
    expect("t=" T "\r,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
}

static void
blanks_around_the_equals_sign_are_not_trimmed(void **state)
{
    (void)state;
    expect("t =" T ",v1=" HEX, SIGNATURE_TIMESTAMP_MISSING);
    expect("t= " T ",v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t= " T ",v1=" HEX_BLANK, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T ",v1 =" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",v1= " HEX, SIGNATURE_MISMATCH);
    expect("t = " T ", v1 = " HEX, SIGNATURE_TIMESTAMP_MISSING);
}

static void
empty_items_and_items_without_equals_are_skipped(void **state)
{
    (void)state;
    expect(GOOD ",", SIGNATURE_OK);
    expect("," GOOD, SIGNATURE_OK);
    expect("t=" T ",,v1=" HEX, SIGNATURE_OK);
    expect("t=" T ", ,v1=" HEX, SIGNATURE_OK);
    expect("word," GOOD, SIGNATURE_OK);
    expect(GOOD ",v1", SIGNATURE_OK);
    expect(GOOD ",t", SIGNATURE_OK);
    expect(",", SIGNATURE_TIMESTAMP_MISSING);
    expect("word", SIGNATURE_TIMESTAMP_MISSING);
    expect("t=" T ",v1", SIGNATURE_NO_V1);
}

static void
an_item_is_split_at_its_first_equals_sign(void **state)
{
    (void)state;
    expect("v9=a=b==," GOOD, SIGNATURE_OK);
    expect("=" T "," GOOD, SIGNATURE_OK);
    expect("t=" T ",v1=" HEX "=", SIGNATURE_MISMATCH);
    expect("t=" T ",v1==" HEX, SIGNATURE_MISMATCH);
    expect("t==" T ",v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
}

static void
other_separators_are_not_the_comma(void **state)
{
    (void)state;
    expect("t=" T ";v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T " v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T ",v1:" HEX, SIGNATURE_NO_V1);
}

static void
keys_match_whole_and_with_case(void **state)
{
    (void)state;
    expect("T=" T ",v1=" HEX, SIGNATURE_TIMESTAMP_MISSING);
    expect("ts=" T ",v1=" HEX, SIGNATURE_TIMESTAMP_MISSING);
    expect("t=" T ",V1=" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",v=" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",v10=" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",v1x=" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",xv1=" HEX, SIGNATURE_NO_V1);
}

static void
other_schemes_never_count(void **state)
{
    (void)state;
    expect("t=" T ",v0=" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",v2=" HEX, SIGNATURE_NO_V1);
    expect("t=" T ",v0=" HEX ",v1=" HEX_STRANGER, SIGNATURE_MISMATCH);
    expect("t=" T ",v0=,v1=" HEX ",v2=" HEX_TWO HEX_TWO "==", SIGNATURE_OK);
}

static void
order_means_nothing(void **state)
{
    (void)state;
    expect("v1=" HEX ",t=" T, SIGNATURE_OK);
    expect("v0=x,v1=" HEX ",v1=y,t=" T, SIGNATURE_OK);
}

/* ---- The signature -------------------------------------------------- */

static void
header_without_v1_is_named(void **state)
{
    (void)state;
    expect("t=" T, SIGNATURE_NO_V1);
    expect("t=" T ",", SIGNATURE_NO_V1);
    expect("t=" T ",v1=", SIGNATURE_MISMATCH);
}

static void
only_64_lower_case_hex_digits_match(void **state)
{
    (void)state;
    char header[256];
    for (size_t len = 0; len < SIGNATURE_HEX_LEN; len++) {
        snprintf(header, sizeof(header), "t=%s,v1=%.*s", T, (int)len, HEX);
        expect(header, SIGNATURE_MISMATCH);
    }
    for (size_t i = 0; i < SIGNATURE_HEX_LEN; i++) {
        snprintf(header, sizeof(header), "t=%s,v1=%s", T, HEX);
        char *digit = header + strlen("t=" T ",v1=") + i;
        *digit = *digit == '0' ? '1' : '0';
        expect(header, SIGNATURE_MISMATCH);
    }
    snprintf(header, sizeof(header), "t=%s,v1=%s", T, HEX);
    for (char *at = header + strlen("t=" T ",v1="); *at != '\0'; at++) {
        *at = (char)(*at >= 'a' ? *at - 32 : *at);
    }
    expect(header, SIGNATURE_MISMATCH);

    expect("t=" T ",v1=" HEX "0", SIGNATURE_MISMATCH);
    expect("t=" T ",v1=" HEX HEX, SIGNATURE_MISMATCH);
    expect("t=" T ",v1=0x" HEX, SIGNATURE_MISMATCH);
    expect("t=" T ",v1=\"" HEX "\"", SIGNATURE_MISMATCH);
    memset(header + strlen("t=" T ",v1="), 'z', SIGNATURE_HEX_LEN);
    expect(header, SIGNATURE_MISMATCH);
    memset(header + strlen("t=" T ",v1="), 0xe9, SIGNATURE_HEX_LEN);
    expect(header, SIGNATURE_MISMATCH);
}

static void
unusable_v1_does_not_spoil_a_good_one(void **state)
{
    (void)state;
    expect("t=" T ",v1=,v1=" HEX, SIGNATURE_OK);
    expect(GOOD ",v1=", SIGNATURE_OK);
    expect("t=" T ",v1=\xc3\xa9,v1=" HEX, SIGNATURE_OK);
    expect("t=" T ",v1=zz,v1=" HEX_STRANGER ",v1=" HEX ",v1=" HEX_TWO,
           SIGNATURE_OK);
    expect("t=" T ",v1=" HEX "0,v1=" HEX, SIGNATURE_OK);
    expect(GOOD ",v1=" HEX_STRANGER, SIGNATURE_OK);
}

static void
number_of_signatures_is_not_bounded(void **state)
{
    (void)state;
    enum { WRONG = 1000 };
    size_t item_len = strlen(",v1=" HEX_STRANGER);
    char *header = malloc(64 + (WRONG + 1) * item_len);
    assert_non_null(header);
    strcpy(header, "t=" T);
    char *at = header + strlen(header);
    for (int i = 0; i < WRONG; i++) {
        memcpy(at, ",v1=" HEX_STRANGER, item_len);
        at += item_len;
    }
    memcpy(at, ",v1=" HEX, item_len);
    at += item_len;

    size_t len = (size_t)(at - header);
    struct signature_result result;
    assert_int_equal(check_bytes(header, len, BODY, strlen(BODY), &result),
                     SIGNATURE_OK);
    assert_int_equal(result.v1_count, WRONG + 1);
    expect_cut(header, len - item_len, SIGNATURE_MISMATCH);
    free(header);
}

static void
message_is_time_dot_body_and_key_is_the_whole_secret(void **state)
{
    (void)state;
    expect("t=" T ",v1=" HEX_NO_TIME, SIGNATURE_MISMATCH);
    expect("t=" T ",v1=" HEX_NO_DOT, SIGNATURE_MISMATCH);
    expect("t=" T ",v1=" HEX_BARE_KEY, SIGNATURE_MISMATCH);
    expect("t=1790000001,v1=" HEX, SIGNATURE_MISMATCH);
    expect(GOOD, SIGNATURE_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_the_exact_bytes),
        cmocka_unit_test(body_is_not_cut_at_a_nul),
        cmocka_unit_test(body_is_not_decoded),
        cmocka_unit_test(body_is_not_looked_at_as_json),
        cmocka_unit_test(absent_field_is_missing),
        cmocka_unit_test(repeated_field_is_malformed),
        cmocka_unit_test(header_is_read_to_its_length_only),
        cmocka_unit_test(blanks_around_items_are_trimmed),
        cmocka_unit_test(blanks_around_the_equals_sign_are_not_trimmed),
        cmocka_unit_test(empty_items_and_items_without_equals_are_skipped),
        cmocka_unit_test(an_item_is_split_at_its_first_equals_sign),
        cmocka_unit_test(other_separators_are_not_the_comma),
        cmocka_unit_test(keys_match_whole_and_with_case),
        cmocka_unit_test(other_schemes_never_count),
        cmocka_unit_test(order_means_nothing),
        cmocka_unit_test(header_without_v1_is_named),
        cmocka_unit_test(only_64_lower_case_hex_digits_match),
        cmocka_unit_test(unusable_v1_does_not_spoil_a_good_one),
        cmocka_unit_test(number_of_signatures_is_not_bounded),
        cmocka_unit_test(message_is_time_dot_body_and_key_is_the_whole_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
