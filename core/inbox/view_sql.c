/* core/inbox/view_sql.c: queries that are put together, with values that never
 * become part of their text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/view_private.h"

#include <stdlib.h>
#include <string.h>

void
view_sql_init(struct view_sql *sql)
{
    *sql = (struct view_sql){.text = sqlite3_str_new(NULL)};
}

void
view_sql_fini(struct view_sql *sql)
{
    sqlite3_free(sqlite3_str_finish(sql->text));
    for (size_t i = 0; i < sql->count; i++) {
        free(sql->values[i].text);
    }
    free(sql->values);
    *sql = (struct view_sql){0};
}

void
view_sql_add(struct view_sql *sql, const char *text)
{
    sqlite3_str_appendall(sql->text, text);
}

static struct view_value *
add_value(struct view_sql *sql)
{
    if (sql->count == sql->room) {
        size_t room = sql->room == 0 ? 16 : sql->room * 2;
        void *grown = realloc(sql->values, room * sizeof(*sql->values));
        if (grown == NULL) {
            sql->failed = 1;
            return NULL;
        }
        sql->values = grown;
        sql->room = room;
    }
    view_sql_add(sql, "?");
    struct view_value *value = &sql->values[sql->count++];
    *value = (struct view_value){0};
    return value;
}

void
view_sql_number(struct view_sql *sql, int64_t number)
{
    struct view_value *value = add_value(sql);
    if (value != NULL) {
        value->number = number;
    }
}

/* As view_sql_text(), of the first bytes. */
static char *
add_text(struct view_sql *sql, const char *text, size_t len)
{
    struct view_value *value = add_value(sql);
    if (value == NULL) {
        return NULL;
    }
    value->text = strndup(text, len);
    sql->failed |= value->text == NULL;
    return value->text;
}

void
view_sql_text(struct view_sql *sql, const char *text)
{
    add_text(sql, text, strlen(text));
}

void
view_sql_range(struct view_sql *sql, const char *column, const char *from,
               size_t len, char last)
{
    sqlite3_str_appendf(sql->text, "(%s > ", column);
    add_text(sql, from, len);
    sqlite3_str_appendf(sql->text, " AND %s < ", column);
    char *end = add_text(sql, from, len);
    if (end != NULL) {
        end[len - 1] = last;
    }
    view_sql_add(sql, ")");
}

int
view_sql_prepare(struct view *view, struct view_sql *sql, sqlite3_stmt **out,
                 struct error *err)
{
    if (sql->failed || sqlite3_str_errcode(sql->text) != SQLITE_OK) {
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    int rc = view_prepare(view, sqlite3_str_value(sql->text), out, err);
    for (size_t i = 0; i < sql->count && rc == RC_OK; i++) {
        const struct view_value *value = &sql->values[i];
        int code = value->text == NULL
                       ? sqlite3_bind_int64(*out, (int)i + 1, value->number)
                       : sqlite3_bind_text(*out, (int)i + 1, value->text, -1,
                                           SQLITE_TRANSIENT);
        if (code != SQLITE_OK) {
            rc = error_set(err, RC_NOMEM, "inbox: cannot bind a value: %s",
                           sqlite3_errstr(code));
        }
    }
    return rc;
}
