/* core/cli/cmd_dead.c: `pegboard dead`: dead letters by what they died of.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "field.h"
#include "plain.h"
#include "table.h"
#include "wanted.h"
#include "when.h"

const struct flag dead_flags[] = {
    WANTED_FLAGS, CLIENT_FLAGS, {NULL, 0, NULL, NULL}};

static const char *const heads[] = {"COUNT",   "PLUGIN", "TYPE",
                                    "OUTCOME", "FIRST",  "LAST",
                                    "SAMPLE",  "CAUSE",  NULL};

static void
add_row(struct table *table, const cJSON *group)
{
    char when[WHEN_MAX];
    table_number(table, field_number(group, "count"));
    table_cell(table, field_text(group, "plugin"));
    table_cell(table, field_text(group, "type"));
    table_state(table, field_text(group, "outcome"));
    table_cell(table, when_local(field_text(group, "first_at"), when));
    table_cell(table, when_local(field_text(group, "last_at"), when));
    table_cell(table, field_text(group, "sample_event_id"));
    table_cell(table, field_text(group, "cause"));
}

/* What one would type next, for the largest group. */
static void
suggest_next(const cJSON *group)
{
    char id[260];
    char type[260];
    char plugin[64];
    plain(field_text(group, "sample_event_id"), id, sizeof(id));
    plain(field_text(group, "type"), type, sizeof(type));
    plain(field_text(group, "plugin"), plugin, sizeof(plugin));
    fprintf(stderr,
            "\nlook at one:        pegboard events show %s\n"
            "once it is mended:  pegboard replay --state dead --plugin %s "
            "--type '%s'\n"
            "or give them up:    pegboard discard --plugin %s --type '%s' "
            "--reason '...'\n",
            id, plugin, type, plugin, type);
}

static int
print_groups(const cJSON *first, const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return field_print_each(first);
    }
    int quiet = args_count(args, "quiet") > 0;
    if (first == NULL) {
        if (!quiet) {
            fputs("no dead letters\n", stderr);
        }
        return 0;
    }
    struct table table = {.heads = heads,
                          .is_colored = args_color(args, stdout)};
    for (const cJSON *group = first; group != NULL; group = group->next) {
        add_row(&table, group);
    }
    int code = table_print(&table, stdout);
    table_fini(&table);
    if (code == 0 && !quiet) {
        fflush(stdout);
        suggest_next(first);
    }
    return code;
}

int
cmd_dead(const struct args *args)
{
    struct wanted wanted = {0};
    struct client *client = NULL;
    char *path = NULL;
    cJSON *list = NULL;
    int code = wanted_read(&wanted, args);
    if (code == 0) {
        code = wanted_path(&wanted, args, "/dead-letters", &path);
    }
    if (code == 0) {
        code = client_open(&client, args);
    }
    if (code == 0) {
        code = client_call(client, "GET", path, NULL, &list);
    }
    if (code == 0) {
        code = print_groups(field_list(list, "data"), args);
    }
    cJSON_Delete(list);
    client_close(client);
    free(path);
    wanted_fini(&wanted);
    return code;
}
