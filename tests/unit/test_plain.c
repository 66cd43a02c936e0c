/* tests/unit/test_plain.c: nothing that a terminal obeys gets through.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plain.h"

#include <string.h>

static void
good_text_stays_as_it_is(void **state)
{
    (void)state;
    char room[64];
    assert_string_equal(plain("", room, sizeof(room)), "");
    assert_string_equal(plain("a b~", room, sizeof(room)), "a b~");
    assert_string_equal(
        plain("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\xb0", room, sizeof(room)),
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\xb0");
}

static void
controls_are_shown_as_question_marks(void **state)
{
    (void)state;
    char room[64];
    assert_string_equal(plain("\033[31mred\n\r\t\x7f", room, sizeof(room)),
                        "?[31mred????");
    assert_string_equal(plain("\xc2\x9b"
                              "2J\xc2\x80\xc2\xa0",
                              room, sizeof(room)),
                        "?2J?\xc2\xa0"); /* U+009B is CSI; U+00A0 is a blank */
    assert_string_equal(plain("\xe2\x80\xae"
                              "abc",
                              room, sizeof(room)),
                        "?abc"); /* right to left */
}

static void
broken_bytes_are_shown_one_by_one(void **state)
{
    (void)state;
    char room[64];
    assert_string_equal(plain("\x9b"
                              "2J",
                              room, sizeof(room)),
                        "?2J");
    assert_string_equal(plain("\xc3", room, sizeof(room)), "?");
    assert_string_equal(plain("\xe2\x82", room, sizeof(room)), "??");
    assert_string_equal(
        plain("\xc0\x9b|\xe0\x82\x9b|\xed\xa0\x80|\xff", room, sizeof(room)),
        "??|???|???|?");
    assert_string_equal(plain("\xf4\x90\x80\x80", room, sizeof(room)), "????");
}

static void
cut_text_ends_with_a_whole_character(void **state)
{
    (void)state;
    char room[5];
    memset(room, 'x', sizeof(room));
    assert_string_equal(plain("abcd", room, sizeof(room)), "abcd");
    assert_string_equal(plain("abcde", room, sizeof(room)), "abcd");
    assert_string_equal(plain("abc\xc3\xa9", room, sizeof(room)), "abc");
    assert_string_equal(plain("ab\xc3\xa9"
                              "d",
                              room, sizeof(room)),
                        "ab\xc3\xa9");
    assert_string_equal(plain("abc", room, 1), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_stays_as_it_is),
        cmocka_unit_test(controls_are_shown_as_question_marks),
        cmocka_unit_test(broken_bytes_are_shown_one_by_one),
        cmocka_unit_test(cut_text_ends_with_a_whole_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
