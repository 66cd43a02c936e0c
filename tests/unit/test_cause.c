/* tests/unit/test_cause.c: what dead letters are grouped by.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox/cause.h"

#include <stdlib.h>
#include <string.h>

struct example {
    const char *message, *cause;
};

#define CHECK(examples)                                                        \
    check((examples), sizeof(examples) / sizeof((examples)[0]))

static void
check(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char out[CAUSE_MAX + 1];
        cause_of(out, examples[i].message);
        assert_string_equal(out, examples[i].cause);
    }
}

static void
what_differs_is_replaced(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"no order \"A-17\" for pi_3QfX2e in 250 ms",
         "no order <text> for <id> in <n> ms"},
        {"no such customer: cus_NffrFeUfNV2Hib", "no such customer: <id>"},
        {"cs_test_a1B2c3 and sub_sched_1MtX", "<id> and <id>"},
        {"cus_NffrFeUfNVHibX (all letters)", "<id> (all letters)"},
        {"took 12.50 EUR, 250ms", "took <n>.<n> EUR, <n>ms"},
        {"commit 8f3a91c2 at 0x7ffd1c", "commit <hex> at <hex>"},
        {"key 123e4567-e89b-12d3-a456-426614174000.", "key <hex>."},
        {"row 'x y' of 'z'", "row <text> of <text>"},
        {"signal 11", "signal <n>"},
        {"1234567890", "<n>"},
    };
    CHECK(examples);
}

static void
what_is_the_same_stays(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", ""},
        {"card_declined", "card_declined"},
        {"err_TIMEOUT in payment_intent", "err_TIMEOUT in payment_intent"},
        {"_3Qf a_ __ a_b", "_<n>Qf a_ __ a_b"},
        {"can't and won't", "can't and won't"},
        {"the plugins' store", "the plugins' store"},
        {"l\xc3\xa9't'", "l\xc3\xa9't'"},
        {"deadbeefs facade decade", "deadbeefs facade decade"},
        {"a \"quote that never ends", "a \"quote that never ends"},
        {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f "
                                                "\xf0\x9f\x98\x80"},
    };
    CHECK(examples);
}

static void
blanks_are_single_and_none_stands_at_an_end(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"  a \t\n b  ", "a b"}, {" \r\n ", ""}, {"\x01x\x7fy", "x y"}};
    CHECK(examples);
}

static void
bytes_that_are_no_text_are_marked(void **state)
{
    (void)state;
    static const struct example examples[] = {{"a\xff"
                                               "b",
                                               "a?b"},
                                              {"\xc3", "?"},
                                              {"\xe2\x82", "??"},
                                              {"\xc3 x", "? x"},
                                              {"\x80\xbf", "??"}};
    CHECK(examples);
}

static void
long_message_is_cut_at_the_limit(void **state)
{
    (void)state;
    char message[CAUSE_MAX + 2], out[CAUSE_MAX + 1];
    memset(message, 'x', sizeof(message));
    message[CAUSE_MAX] = '\0';
    cause_of(out, message);
    assert_string_equal(out, message);
    message[CAUSE_MAX] = 'x';
    message[CAUSE_MAX + 1] = '\0';
    cause_of(out, message);
    assert_int_equal(strlen(out), CAUSE_MAX);
}

/* Wherever the cut falls, no character and no token is left in part. */
static void
cut_leaves_nothing_in_half(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"abc\"", "pi_3QfX2e", " b", "17"};
    static const size_t lens[] = {3, 4, 6, 4, 2, 3}; /* as written */
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        for (size_t head = CAUSE_MAX - 8; head <= CAUSE_MAX; head++) {
            char message[2 * CAUSE_MAX] = {0}, out[CAUSE_MAX + 1];
            memset(message, '.', head);
            strcat(message, tails[i]);
            cause_of(out, message);
            if (head + lens[i] <= CAUSE_MAX) {
                assert_int_equal(strlen(out), head + lens[i]);
            } else {
                assert_int_equal(strlen(out), head);
            }
        }
    }
}

/* A minute if each open quote were searched to the end. */
static void
large_message_costs_no_more_than_its_length(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "'", "\"'", " ' ", "1", "\xc3"};
    const size_t len = 4 << 20;
    char *message = malloc(len + 1);
    assert_non_null(message);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char out[CAUSE_MAX + 1];
        for (size_t at = 0; at < len; at++) {
            message[at] = parts[i][at % strlen(parts[i])];
        }
        message[len] = '\0';
        cause_of(out, message);
        assert_true(strlen(out) <= CAUSE_MAX);
    }
    free(message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_differs_is_replaced),
        cmocka_unit_test(what_is_the_same_stays),
        cmocka_unit_test(blanks_are_single_and_none_stands_at_an_end),
        cmocka_unit_test(bytes_that_are_no_text_are_marked),
        cmocka_unit_test(long_message_is_cut_at_the_limit),
        cmocka_unit_test(cut_leaves_nothing_in_half),
        cmocka_unit_test(large_message_costs_no_more_than_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
