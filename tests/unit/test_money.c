/* tests/unit/test_money.c: amounts as people write them (pegboard/money.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pegboard/money.h>

static void
expect(int64_t amount, const char *currency, const char *want)
{
    char text[PEG_MONEY_MAX];
    assert_string_equal(peg_money(text, sizeof(text), amount, currency), want);
}

static void
most_currencies_have_two_decimals(void **state)
{
    (void)state;
    expect(1099, "usd", "10.99");
    expect(109900, "eur", "1099.00");
    expect(5, "usd", "0.05");
    expect(0, "usd", "0.00");
    expect(-5, "usd", "-0.05");
    expect(-1099, "gbp", "-10.99");
}

static void
some_have_none(void **state)
{
    (void)state;
    static const char *const without[] = {"bif", "clp", "djf", "gnf", "jpy",
                                          "kmf", "krw", "mga", "pyg", "rwf",
                                          "vnd", "vuv", "xaf", "xof", "xpf"};
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        expect(1099, without[i], "1099");
        expect(-1, without[i], "-1");
    }
}

static void
some_have_three(void **state)
{
    (void)state;
    static const char *const three[] = {"bhd", "jod", "kwd", "omr", "tnd"};
    for (size_t i = 0; i < sizeof(three) / sizeof(three[0]); i++) {
        expect(1099, three[i], "1.099");
        expect(-5, three[i], "-0.005");
    }
}

static void
stripe_writes_isk_and_ugx_with_two(void **state)
{
    (void)state;
    expect(500, "isk", "5.00");
    expect(500, "ugx", "5.00");
}

static void
case_does_not_matter(void **state)
{
    (void)state;
    expect(1099, "JPY", "1099");
    expect(1099, "Kwd", "1.099");
    expect(1099, "USD", "10.99");
}

static void
unknown_currencies_have_two(void **state)
{
    (void)state;
    expect(1099, "xyz", "10.99");
    expect(1099, "", "10.99");
    expect(1099, "j", "10.99");
    expect(1099, "jp", "10.99");
    expect(1099, "jpyy", "10.99");
    expect(1099, "jpy kmf", "10.99");
    expect(1099, "py ", "10.99");
}

static void
whole_range_of_amounts_fits(void **state)
{
    (void)state;
    expect(INT64_MAX, "usd", "92233720368547758.07");
    expect(INT64_MIN, "usd", "-92233720368547758.08");
    expect(INT64_MIN, "jpy", "-9223372036854775808");
    expect(INT64_MIN, "kwd", "-9223372036854775.808");
}

static void
small_room_cuts_the_text(void **state)
{
    (void)state;
    char text[4] = "abc";
    assert_string_equal(peg_money(text, sizeof(text), 1099, "usd"), "10.");
    assert_string_equal(peg_money(text, 1, 1099, "usd"), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_currencies_have_two_decimals),
        cmocka_unit_test(some_have_none),
        cmocka_unit_test(some_have_three),
        cmocka_unit_test(stripe_writes_isk_and_ugx_with_two),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(unknown_currencies_have_two),
        cmocka_unit_test(whole_range_of_amounts_fits),
        cmocka_unit_test(small_room_cuts_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
