/* tests/unit/test_signature_time.c: the timestamp of a Stripe-Signature header
 * (R9 and R10 of core/stripe/README.md) and its age (R17 and R19).
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "signature_fixture.h"

/* ---- The timestamp -------------------------------------------------- */

static void
two_different_timestamps_are_malformed(void **state)
{
    (void)state;
    expect("t=" T ",t=1790000001,v1=" HEX, SIGNATURE_HEADER_MALFORMED);
    expect("t=1790000001,t=" T ",v1=" HEX, SIGNATURE_HEADER_MALFORMED);
    expect("t=" T ",v1=" HEX ",t=", SIGNATURE_HEADER_MALFORMED);
    expect("t=,v1=" HEX ",t=" T, SIGNATURE_HEADER_MALFORMED);
    expect("t=" T ",t=0" T ",v1=" HEX, SIGNATURE_HEADER_MALFORMED);
    expect("t=" T ",t=179000000,v1=" HEX, SIGNATURE_HEADER_MALFORMED);
    expect("t=" T ",t=" T ",v1=" HEX, SIGNATURE_OK);
}

static void
fresh_timestamp_appended_to_an_old_request_is_refused(void **state)
{
    (void)state;
    expect_at(GOOD ",t=1821536000", 1821536000, SIGNATURE_HEADER_MALFORMED);
}

static void
missing_timestamp_is_named(void **state)
{
    (void)state;
    expect("v1=" HEX, SIGNATURE_TIMESTAMP_MISSING);
    expect("v1=" HEX_NO_TIME, SIGNATURE_TIMESTAMP_MISSING);
    expect("v1=" HEX_EMPTY_T, SIGNATURE_TIMESTAMP_MISSING);
}

static void
timestamp_is_plain_digits(void **state)
{
    (void)state;
    /* Signed exactly as they stand: only the digits' rule refuses them. */
    expect("t=,v1=" HEX_EMPTY_T, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=+" T ",v1=" HEX_PLUS, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=-" T ",v1=" HEX_MINUS, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=0" T ",v1=" HEX_ZERO, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T ".0,v1=" HEX_FRACTION, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T "abc,v1=" HEX_LETTERS, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=0x6ab13b80,v1=" HEX_0X, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=1_790_000_000,v1=" HEX_SCORE, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=179e7,v1=" HEX_EXPONENT, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=abc,v1=" HEX_WORD, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=abc,v1=" HEX_NAN, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=\xd9\xa1,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    /* The number that a lenient reader would see, signed. */
    expect("t=+" T ",v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=0" T ",v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T ".0,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=" T "abc,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=0x6ab13b80,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=1_790_000_000,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
}

static void
timestamp_never_wraps(void **state)
{
    (void)state;
    expect("t=999999999999,v1=" HEX_12, SIGNATURE_AHEAD);
    expect("t=1790000000000,v1=" HEX_13, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=6084967296,v1=" HEX_2_32, SIGNATURE_AHEAD);
    expect("t=18446744075499551616,v1=" HEX_2_64, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=18446744075499551616,v1=" HEX, SIGNATURE_TIMESTAMP_INVALID);
    expect("t=0,v1=" HEX_EPOCH, SIGNATURE_TOO_OLD);
    expect("t=00,v1=" HEX_EPOCH, SIGNATURE_TIMESTAMP_INVALID);
}

/* ---- Age ------------------------------------------------------------ */

static void
tolerance_is_two_sided_and_inclusive(void **state)
{
    (void)state;
    expect_at(GOOD, NOW + 299, SIGNATURE_OK);
    expect_at(GOOD, NOW + 300, SIGNATURE_OK);
    expect_at(GOOD, NOW + 301, SIGNATURE_TOO_OLD);
    expect_at(GOOD, NOW - 299, SIGNATURE_OK);
    expect_at(GOOD, NOW - 300, SIGNATURE_OK);
    expect_at(GOOD, NOW - 301, SIGNATURE_AHEAD);
    expect("t=1790000400,v1=" HEX_400, SIGNATURE_AHEAD);
    expect("t=1821536000,v1=" HEX_YEAR, SIGNATURE_AHEAD);
}

static void
result_tells_the_age(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(ONE, NULL);
    for (int64_t age_s = -400; age_s <= 400; age_s += 100) {
        struct signature_result result;
        (void)check(keys, GOOD, NOW + age_s, &result);
        assert_int_equal(result.timestamp_s, NOW);
        assert_int_equal(result.age_s, age_s);
    }
    signature_keys_close(keys);
}

static void
tolerance_is_the_callers(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(ONE, NULL);
    struct signature_result result;
    assert_int_equal(signature_check(keys, GOOD, strlen(GOOD), 1, BODY,
                                     strlen(BODY), NOW + 1, 1, &result),
                     SIGNATURE_OK);
    assert_int_equal(signature_check(keys, GOOD, strlen(GOOD), 1, BODY,
                                     strlen(BODY), NOW + 2, 1, &result),
                     SIGNATURE_TOO_OLD);
    signature_keys_close(keys);
}

static void
signature_is_judged_before_age(void **state)
{
    (void)state;
    expect_at("t=" T ",v1=" HEX_STRANGER, NOW + 9999, SIGNATURE_MISMATCH);
}

static void
same_request_verifies_again_until_it_is_too_old(void **state)
{
    (void)state;
    struct signature_keys *keys = keys_of(ONE, NULL);
    for (int64_t age_s = 0; age_s <= 301; age_s++) {
        struct signature_result result;
        assert_int_equal(check(keys, GOOD, NOW + age_s, &result),
                         age_s <= 300 ? SIGNATURE_OK : SIGNATURE_TOO_OLD);
    }
    signature_keys_close(keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_different_timestamps_are_malformed),
        cmocka_unit_test(fresh_timestamp_appended_to_an_old_request_is_refused),
        cmocka_unit_test(missing_timestamp_is_named),
        cmocka_unit_test(timestamp_is_plain_digits),
        cmocka_unit_test(timestamp_never_wraps),
        cmocka_unit_test(tolerance_is_two_sided_and_inclusive),
        cmocka_unit_test(result_tells_the_age),
        cmocka_unit_test(tolerance_is_the_callers),
        cmocka_unit_test(signature_is_judged_before_age),
        cmocka_unit_test(same_request_verifies_again_until_it_is_too_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
