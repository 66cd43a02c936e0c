/* core/cli/pages.c: lists of the API, page by page.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"

#include <cjson/cJSON.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "command.h"
#include "field.h"
#include "wanted.h"

#define PAGE_ROWS 200 /* the most that the API gives at once */
#define LIMIT_MAX 1000000000

int
pages_limit(const struct args *args, int64_t *limit)
{
    *limit = PAGES_DEFAULT;
    if (args_count(args, "all") == 0) {
        return args_int(args, "limit", 1, LIMIT_MAX, limit);
    }
    if (args_count(args, "limit") > 0) {
        return args_error(args, "--all and --limit exclude each other");
    }
    *limit = 0;
    return 0;
}

/* The path of one page. NULL when out of memory. */
static char *
page_path(const char *path, int64_t rows, const char *cursor)
{
    char *safe = wanted_encode(cursor);
    char *whole = NULL;
    if (safe == NULL ||
        asprintf(&whole, "%s%slimit=%lld%s%s", path,
                 strchr(path, '?') != NULL ? "&" : "?", (long long)rows,
                 safe[0] != '\0' ? "&cursor=" : "", safe) < 0) {
        whole = NULL;
    }
    free(safe);
    return whole;
}

static int
read_page(struct client *client, const char *path, int64_t rows,
          const char *cursor, cJSON **page)
{
    char *whole = page_path(path, rows, cursor);
    if (whole == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    *page = NULL;
    int code = client_call(client, "GET", whole, NULL, page);
    free(whole);
    return code;
}

static int64_t
count_rows(const cJSON *first)
{
    int64_t count = 0;
    for (; first != NULL; first = first->next) {
        count++;
    }
    return count;
}

int
pages_read(struct client *client, const char *path, int64_t limit, int *more,
           pages_fn *fn, void *arg)
{
    int64_t left = limit == 0 ? INT64_MAX : limit;
    cJSON *page = NULL;
    int code = 0;
    int goes_on = 1;
    while (goes_on && left > 0 && code == 0) {
        cJSON *next = NULL;
        code = read_page(client, path, left < PAGE_ROWS ? left : PAGE_ROWS,
                         field_text(page, "next_cursor"), &next);
        cJSON_Delete(page);
        page = next;
        if (code != 0) {
            break;
        }
        const cJSON *first = field_list(page, "data");
        left -= count_rows(first);
        code = fn(arg, first);
        goes_on = field_true(page, "has_more") &&
                  field_text(page, "next_cursor")[0] != '\0';
    }
    cJSON_Delete(page);
    if (more != NULL) {
        *more = goes_on;
    }
    return code;
}
