/* tests/unit/test_suggest.c: "did you mean".
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "suggest.h"

#include <string.h>

/* Whether `known` is near `word`; `distance` is checked if it is. */
static int
near(const char *word, const char *known, size_t distance)
{
    struct suggest suggest;
    suggest_init(&suggest, word);
    suggest_offer(&suggest, known);
    if (suggest.best == NULL) {
        return 0;
    }
    assert_ptr_equal(suggest.best, known);
    assert_int_equal(suggest.distance, distance);
    return 1;
}

static void
each_edit_counts_one(void **state)
{
    (void)state;
    assert_true(near("timeout", "timeout", 0));
    assert_true(near("timout", "timeout", 1));
    assert_true(near("timeoutt", "timeout", 1));
    assert_true(near("tineout", "timeout", 1));
    assert_true(near("imeout", "timeout", 1));
    assert_true(near("timeou", "timeout", 1));
    assert_true(near("tmout", "timeout", 2));
}

static void
swap_counts_one(void **state)
{
    (void)state;
    assert_true(near("tiemout", "timeout", 1));
    assert_true(near("itmeout", "timeout", 1));
    assert_true(near("timeotu", "timeout", 1));
    assert_true(near("itmeotu", "timeout", 2));
    /* A swap with something in between is no swap. */
    assert_true(near("ca", "abc", 3) == 0);
}

static void
short_word_forgives_two_edits(void **state)
{
    (void)state;
    assert_true(near("retyr", "retry", 1));
    assert_true(near("rety", "retry", 1));
    assert_true(near("rxxry", "retry", 2));
    assert_false(near("rxxxy", "retry", 0));
}

static void
long_word_forgives_a_third(void **state)
{
    (void)state;
    assert_true(near("abcdefghi", "abcdefxxx", 3));
    assert_false(near("abcdefghi", "abcdexxxx", 0));
    assert_true(near("abcdefghijkl", "abcdefghxxxx", 4));
    assert_false(near("abcdefghijk", "abcdefgxxxx", 0));
}

static void
nearest_word_wins_and_the_first_of_equals(void **state)
{
    (void)state;
    struct suggest suggest;
    suggest_init(&suggest, "path");
    suggest_offer(&suggest, "order");
    assert_null(suggest.best);
    suggest_offer(&suggest, "pathed");
    assert_string_equal(suggest.best, "pathed");
    suggest_offer(&suggest, "paths");
    assert_string_equal(suggest.best, "paths");
    suggest_offer(&suggest, "pats");
    assert_string_equal(suggest.best, "paths");
    suggest_offer(&suggest, "path");
    assert_string_equal(suggest.best, "path");
}

static void
case_counts(void **state)
{
    (void)state;
    assert_true(near("Path", "path", 1));
}

static void
empty_words_are_harmless(void **state)
{
    (void)state;
    assert_true(near("", "", 0));
    assert_true(near("", "ab", 2));
    assert_false(near("", "abc", 0));
    assert_true(near("ab", "", 2));
}

static void
words_over_128_bytes_have_no_neighbours(void **state)
{
    (void)state;
    char longest[129 + 1];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[129] = '\0';
    char fits[128 + 1];
    memset(fits, 'a', sizeof(fits) - 1);
    fits[128] = '\0';
    assert_true(near(fits, fits, 0));
    assert_true(near(fits, longest + 2, 1));
    assert_false(near(longest, fits, 0));
    assert_false(near(fits, longest, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_edit_counts_one),
        cmocka_unit_test(swap_counts_one),
        cmocka_unit_test(short_word_forgives_two_edits),
        cmocka_unit_test(long_word_forgives_a_third),
        cmocka_unit_test(nearest_word_wins_and_the_first_of_equals),
        cmocka_unit_test(case_counts),
        cmocka_unit_test(empty_words_are_harmless),
        cmocka_unit_test(words_over_128_bytes_have_no_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
