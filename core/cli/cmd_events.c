/* core/cli/cmd_events.c: `pegboard events list`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "field.h"
#include "pages.h"
#include "table.h"
#include "wanted.h"
#include "when.h"

const struct flag events_list_flags[] = {
    WANTED_FLAGS, PAGES_FLAGS, CLIENT_FLAGS, {NULL, 0, NULL, NULL}};

static const char *const heads[] = {"RECEIVED", "STATE",   "EVENT", "TYPE",
                                    "OBJECT",   "ACCOUNT", "MODE",  NULL};

static void
add_row(struct table *table, const cJSON *event)
{
    char when[WHEN_MAX];
    table_cell(table, when_local(field_text(event, "received_at"), when));
    table_state(table, field_text(event, "state"));
    table_cell(table, field_text(event, "id"));
    table_cell(table, field_text(event, "type"));
    table_cell(table, field_text(event, "object_id"));
    table_cell(table, field_text(event, "account"));
    table_cell(table, field_true(event, "livemode") ? "live" : "test");
}

struct listing {
    struct table table;
    int has_rows;
};

static int
print_rows(void *arg, const cJSON *first)
{
    struct listing *listing = arg;
    if (first == NULL) {
        return 0; /* a head without rows looks like something broken */
    }
    for (const cJSON *event = first; event != NULL; event = event->next) {
        add_row(&listing->table, event);
    }
    listing->has_rows = 1;
    return table_print(&listing->table, stdout);
}

static int
print_lines(void *arg, const cJSON *first)
{
    struct listing *listing = arg;
    listing->has_rows |= first != NULL;
    return field_print_each(first);
}

static int
list(struct client *client, const struct args *args, const char *path,
     int64_t limit)
{
    struct listing listing = {
        .table = {.heads = heads, .is_colored = args_color(args, stdout)}};
    int as_json = args_count(args, "json") > 0;
    int more = 0;
    int code = pages_read(client, path, limit, &more,
                          as_json ? print_lines : print_rows, &listing);
    table_fini(&listing.table);
    if (code != 0 || args_count(args, "quiet") > 0) {
        return code;
    }
    if (more) {
        fprintf(stderr, "there are more: --limit N, or --all\n");
    } else if (!listing.has_rows) {
        fprintf(stderr, "no events match\n");
    }
    return 0;
}

int
cmd_events_list(const struct args *args)
{
    struct wanted wanted = {0};
    struct client *client = NULL;
    char *path = NULL;
    int64_t limit;
    int code = wanted_read(&wanted, args);
    if (code == 0) {
        code = pages_limit(args, &limit);
    }
    if (code == 0) {
        code = wanted_path(&wanted, args, "/events", &path);
    }
    if (code == 0) {
        code = client_open(&client, args);
    }
    if (code == 0) {
        code = list(client, args, path, limit);
    }
    client_close(client);
    free(path);
    wanted_fini(&wanted);
    return code;
}
