/* core/cli/cmd_jobs.c: `pegboard jobs list`, `jobs show` and `jobs cancel`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fact.h"
#include "field.h"
#include "follow.h"
#include "paint.h"
#include "plain.h"
#include "table.h"
#include "when.h"

#define TEXT_MAX 1024

const struct flag jobs_flags[] = {CLIENT_FLAGS, {NULL, 0, NULL, NULL}};

/* ---- list ----------------------------------------------------------- */

static void
add_row(struct table *table, const cJSON *job)
{
    char when[WHEN_MAX];
    table_cell(table, field_text(job, "id"));
    table_cell(table, field_text(job, "kind"));
    table_state(table, field_text(job, "state"));
    table_cell(table, when_local(field_text(job, "created_at"), when));
    table_number(table, field_number(job, "total"));
    table_number(table, field_number(job, "moved"));
    table_number(table, field_number(job, "done"));
    table_number(table, field_number(job, "dead"));
    table_cell(table, field_text(job, "reason"));
}

static int
print_list(const cJSON *first, const struct args *args)
{
    static const char *const heads[] = {"JOB",    "KIND",  "STATE", "CREATED",
                                        "TOTAL",  "MOVED", "DONE",  "DEAD",
                                        "REASON", NULL};
    if (args_count(args, "json") > 0) {
        return field_print_each(first);
    }
    struct table table = {.heads = heads,
                          .is_colored = args_color(args, stdout)};
    for (const cJSON *job = first; job != NULL; job = job->next) {
        add_row(&table, job);
    }
    int code = table_print(&table, stdout);
    table_fini(&table);
    return code;
}

int
cmd_jobs_list(const struct args *args)
{
    struct client *client;
    cJSON *list = NULL;
    int code = client_open(&client, args);
    if (code != 0) {
        return code;
    }
    code = client_call(client, "GET", "/jobs", NULL, &list);
    if (code == 0) {
        code = print_list(field_list(list, "data"), args);
    }
    cJSON_Delete(list);
    client_close(client);
    return code;
}

/* ---- show, cancel --------------------------------------------------- */

static void
fact_json(const char *name, const cJSON *value)
{
    char *text = value == NULL ? NULL : cJSON_PrintUnformatted(value);
    if (text != NULL) {
        fact(name, text);
    }
    cJSON_free(text);
}

static int
print_job(const cJSON *job, const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return field_print(job);
    }
    const char *state = field_text(job, "state");
    int color = args_color(args, stdout);
    fact("job", field_text(job, "id"));
    fact("kind", field_text(job, "kind"));
    printf("%-12s %s%s%s\n", "state", color ? paint_state(state) : "", state,
           color ? PAINT_OFF : "");
    fact("reason", field_text(job, "reason"));
    fact_json("filter", cJSON_GetObjectItemCaseSensitive(job, "filter"));
    fact_time("created", job, "created_at");
    fact_time("ended", job, "ended_at");
    printf("%-12s %lld of %lld moved, %lld done, %lld dead\n", "so far",
           (long long)field_number(job, "moved"),
           (long long)field_number(job, "total"),
           (long long)field_number(job, "done"),
           (long long)field_number(job, "dead"));
    return 0;
}

static int
ask_and_print(const struct args *args, const char *method, const char *behind)
{
    struct client *client;
    cJSON *job = NULL;
    int code = client_open(&client, args);
    if (code != 0) {
        return code;
    }
    char *path = follow_path(args->operands[0], behind);
    code = path == NULL ? command_error(EXIT_FAILED, "out of memory")
                        : client_call(client, method, path, NULL, &job);
    free(path);
    if (code == 0) {
        code = print_job(job, args);
    }
    cJSON_Delete(job);
    client_close(client);
    return code;
}

int
cmd_jobs_show(const struct args *args)
{
    return ask_and_print(args, "GET", "");
}

int
cmd_jobs_cancel(const struct args *args)
{
    return ask_and_print(args, "POST", "/cancel");
}
