/* core/cli/table.h: rows in columns for people.
 *
 * Cells come one by one, row after row. They are copied, made safe for a
 * terminal, and cut. Columns are as wide as their widest cell; the last one is
 * as wide as it is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12
#define TABLE_CELL_MAX    160 /* bytes */

struct table_cell {
    char *text;
    const char *color; /* constant text; "" for none */
};

/** Zero it but for these two; end with table_fini(). */
struct table {
    const char *const *heads; /* ends with a NULL */
    int is_colored;

    /* Private. */
    size_t columns, widths[TABLE_COLUMNS_MAX];
    struct table_cell *cells;
    size_t count, room;
    int is_begun; /* the heads were printed */
    int out_of_memory;
};

/** The next cell; "" is shown as "-". */
void table_cell(struct table *table, const char *text);
void table_number(struct table *table, long long number);

/** As table_cell(), in the colour of that state. */
void table_state(struct table *table, const char *state);

/** Print the rows so far and forget them; the next ones will stand under them
 * without heads. Without any row, heads are still printed.
 * @return an exit code: EXIT_OK, or EXIT_FAILED after saying why */
int table_print(struct table *table, FILE *to);

void table_fini(struct table *table);

#endif
