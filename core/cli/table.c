/* core/cli/table.c: rows in columns for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "paint.h"
#include "plain.h"

#define GAP 2 /* blanks between columns */

/* Characters, not bytes; wide ones count as one. */
static size_t
text_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static void
begin(struct table *table)
{
    if (table->columns != 0) {
        return;
    }
    while (table->heads[table->columns] != NULL &&
           table->columns < TABLE_COLUMNS_MAX) {
        table->widths[table->columns] =
            text_width(table->heads[table->columns]);
        table->columns++;
    }
}

static struct table_cell *
new_cell(struct table *table)
{
    if (table->count == table->room) {
        size_t room = table->room == 0 ? 64 : table->room * 2;
        struct table_cell *larger =
            realloc(table->cells, room * sizeof(*larger));
        if (larger == NULL) {
            return NULL;
        }
        table->cells = larger;
        table->room = room;
    }
    return &table->cells[table->count];
}

static void
add(struct table *table, const char *text, const char *color)
{
    begin(table);
    char safe[TABLE_CELL_MAX];
    plain(text[0] == '\0' ? "-" : text, safe, sizeof(safe));
    struct table_cell *cell = new_cell(table);
    char *copy = cell == NULL ? NULL : strdup(safe);
    if (copy == NULL) {
        table->out_of_memory = 1;
        return;
    }
    *cell = (struct table_cell){.text = copy, .color = color};
    size_t *width = &table->widths[table->count++ % table->columns];
    size_t wanted = text_width(copy);
    *width = wanted > *width ? wanted : *width;
}

void
table_cell(struct table *table, const char *text)
{
    add(table, text, "");
}

void
table_number(struct table *table, long long number)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", number);
    add(table, text, "");
}

void
table_state(struct table *table, const char *state)
{
    add(table, state, paint_state(state));
}

/* No blanks at the end of a line: they would wrap in a narrow terminal. */
static void
print_cell(const struct table *table, size_t column, const char *text,
           const char *color, FILE *to)
{
    int painted = table->is_colored && color[0] != '\0';
    fprintf(to, "%s%s%s", painted ? color : "", text, painted ? PAINT_OFF : "");
    if (column + 1 == table->columns) {
        fputc('\n', to);
        return;
    }
    size_t blanks = table->widths[column] - text_width(text) + GAP;
    fprintf(to, "%*s", (int)blanks, "");
}

int
table_print(struct table *table, FILE *to)
{
    begin(table);
    if (table->out_of_memory) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    for (size_t i = 0; i < table->columns && !table->is_begun; i++) {
        print_cell(table, i, table->heads[i], "", to);
    }
    table->is_begun = 1;
    for (size_t i = 0; i < table->count; i++) {
        print_cell(table, i % table->columns, table->cells[i].text,
                   table->cells[i].color, to);
        free(table->cells[i].text);
    }
    table->count = 0;
    return EXIT_OK;
}

void
table_fini(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i].text);
    }
    free(table->cells);
    table->cells = NULL;
    table->count = table->room = 0;
}
