/* tests/unit/test_table.c: columns, colours and bars.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/table.h"

#include "cli/paint.h"
#include "cli/progress.h"

#include <string.h>

static const char *const heads[] = {"NAME", "STATE", "WHY", NULL};

/* What is printed; valid until the next call. */
static const char *
print(struct table *table)
{
    static char text[4096];
    FILE *to = fmemopen(text, sizeof(text), "w");
    assert_non_null(to);
    assert_int_equal(table_print(table, to), 0);
    fclose(to);
    return text;
}

static void
assert_prints(struct table *table, const char *wanted)
{
    assert_string_equal(print(table), wanted);
}

static void
columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct table table = {.heads = heads};
    table_cell(&table, "a");
    table_state(&table, "retrying");
    table_cell(&table, "");
    table_cell(&table, "longer name");
    table_number(&table, -7);
    table_cell(&table, "x");
    assert_prints(&table, "NAME         STATE     WHY\n"
                          "a            retrying  -\n"
                          "longer name  -7        x\n");
    table_cell(&table, "b");
    table_cell(&table, "c");
    table_cell(&table, "d");
    assert_prints(&table, "b            c         d\n");
    table_fini(&table);
}

static void
no_rows_are_heads_alone(void **state)
{
    (void)state;
    struct table table = {.heads = heads};
    assert_prints(&table, "NAME  STATE  WHY\n");
    table_fini(&table);
}

static void
colour_does_not_count_as_width(void **state)
{
    (void)state;
    struct table table = {.heads = heads, .is_colored = 1};
    table_cell(&table, "caf\xc3\xa9");
    table_state(&table, "dead");
    table_cell(&table, "no");
    assert_prints(&table, "NAME  STATE  WHY\n"
                          "caf\xc3\xa9  " PAINT_BAD "dead" PAINT_OFF "   no\n");
    table_fini(&table);
}

static void
cells_cannot_steer_the_terminal(void **state)
{
    (void)state;
    struct table table = {.heads = heads};
    table_cell(&table, "a\nb");
    table_cell(&table, "\033[2J");
    table_cell(&table, "x");
    assert_prints(&table, "NAME  STATE  WHY\na?b   ?[2J   x\n");
    table_fini(&table);
}

static void
long_cells_are_cut(void **state)
{
    (void)state;
    struct table table = {.heads = heads};
    char cell[TABLE_CELL_MAX + 2];
    memset(cell, 'x', sizeof(cell));
    cell[sizeof(cell) - 1] = '\0';
    table_cell(&table, "a");
    table_cell(&table, "b");
    table_cell(&table, cell);
    const char *text = print(&table);
    const char *end = strstr(text, "\na     b      ") + 14;
    assert_int_equal(strlen(end), TABLE_CELL_MAX); /* with the newline */
    table_fini(&table);
}

static void
bar_is_between_empty_and_full(void **state)
{
    (void)state;
    char room[PROGRESS_BAR + 3];
    assert_string_equal(progress_bar(0, 10, room),
                        "[--------------------------------]");
    assert_string_equal(progress_bar(5, 10, room),
                        "[################----------------]");
    assert_string_equal(progress_bar(11, 10, room),
                        "[################################]");
    assert_string_equal(progress_bar(0, 0, room),
                        "[################################]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(no_rows_are_heads_alone),
        cmocka_unit_test(colour_does_not_count_as_width),
        cmocka_unit_test(cells_cannot_steer_the_terminal),
        cmocka_unit_test(long_cells_are_cut),
        cmocka_unit_test(bar_is_between_empty_and_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
