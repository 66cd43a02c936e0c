/* tests/unit/test_evidence.c: the last lines of a runner that died.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/evidence.h"

#include <stdio.h>
#include <string.h>

static void
add(struct evidence *evidence, const char *line)
{
    evidence_add(evidence, line, strlen(line));
}

static void
lines_are_kept_in_order(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    add(&evidence, "one");
    add(&evidence, "");
    add(&evidence, "three");
    assert_string_equal(evidence.text, "one\n\nthree\n");
    assert_int_equal(evidence.lines, 3);
}

static void
only_the_last_twenty_are_kept(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    char line[16];
    for (int n = 1; n <= EVIDENCE_LINES_MAX; n++) {
        snprintf(line, sizeof(line), "%d", n);
        add(&evidence, line);
    }
    assert_memory_equal(evidence.text, "1\n2\n", 4);
    add(&evidence, "21");
    assert_int_equal(evidence.lines, EVIDENCE_LINES_MAX);
    assert_memory_equal(evidence.text, "2\n3\n", 4);
    assert_string_equal(evidence.text + evidence.len - 6, "20\n21\n");
}

static void
only_the_last_bytes_are_kept(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    char line[255];
    memset(line, 'a', sizeof(line));
    for (int n = 0; n < 8; n++) { /* with its newline 256 bytes each */
        evidence_add(&evidence, line, sizeof(line));
    }
    assert_int_equal(evidence.lines, 8);
    assert_int_equal(evidence.len, EVIDENCE_BYTES_MAX);
    add(&evidence, "");
    assert_int_equal(evidence.lines, 8);
    assert_int_equal(evidence.len, EVIDENCE_BYTES_MAX - 255);
}

static void
long_line_is_cut_but_not_inside_of_a_character(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    char line[4096];
    memset(line, 'a', sizeof(line));
    evidence_add(&evidence, line, sizeof(line));
    assert_int_equal(evidence.len, 512);
    memcpy(line + 509, "\xe2\x82\xac", 3); /* ends just behind the limit */
    evidence_clear(&evidence);
    evidence_add(&evidence, line, sizeof(line));
    assert_int_equal(evidence.len, 510);
    memset(line, 0x80, sizeof(line)); /* no characters at all */
    evidence_clear(&evidence);
    evidence_add(&evidence, line, sizeof(line));
    assert_int_equal(evidence.len, 1);
}

static void
control_characters_are_not_kept(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    evidence_add(&evidence, "a\0b\033[31m\n\177", 10);
    assert_string_equal(evidence.text, "a?b?[31m??\n");
    assert_int_equal(evidence.lines, 1);
}

static void
lines_of_an_event_push_out_what_was_said_before(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    add(&evidence, "starting");
    evidence_turn(&evidence);
    assert_string_equal(evidence.text, "starting\n");
    add(&evidence, "during");
    add(&evidence, "also");
    assert_string_equal(evidence.text, "during\nalso\n");
    evidence_clear(&evidence);
    evidence_turn(&evidence);
    assert_string_equal(evidence.text, "");
}

static void
summary_is_one_line_that_can_be_quoted(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    char out[EVIDENCE_SUMMARY_MAX + 1];
    evidence_summary("", out);
    assert_string_equal(out, "");
    add(&evidence, "say \"hi\"");
    evidence_summary(evidence.text, out);
    assert_string_equal(out, "say 'hi'");
    add(&evidence, "bye");
    evidence_summary(evidence.text, out);
    assert_string_equal(out, "say 'hi' | bye");
}

static void
summary_has_the_last_lines_that_fit(void **state)
{
    (void)state;
    struct evidence evidence = {.len = 0};
    char out[EVIDENCE_SUMMARY_MAX + 1], line[511];
    memset(line, 'x', sizeof(line));
    add(&evidence, "gone");
    evidence_add(&evidence, line, sizeof(line));
    for (int n = 0; n < 17; n++) {
        add(&evidence, "yyyy");
    }
    evidence_summary(evidence.text, out);
    assert_int_equal(out[0], 'x');
    assert_in_range(strlen(out), 511, EVIDENCE_SUMMARY_MAX);
    add(&evidence, "zzz");
    evidence_summary(evidence.text, out);
    assert_int_equal(out[0], 'y');
    assert_string_equal(out + strlen(out) - 10, "yyyy | zzz");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_kept_in_order),
        cmocka_unit_test(only_the_last_twenty_are_kept),
        cmocka_unit_test(only_the_last_bytes_are_kept),
        cmocka_unit_test(long_line_is_cut_but_not_inside_of_a_character),
        cmocka_unit_test(control_characters_are_not_kept),
        cmocka_unit_test(lines_of_an_event_push_out_what_was_said_before),
        cmocka_unit_test(summary_is_one_line_that_can_be_quoted),
        cmocka_unit_test(summary_has_the_last_lines_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
