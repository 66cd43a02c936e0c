/* core/cli/cmd_events_export.c: `pegboard events export`: events with their
 * payloads, one JSON object a line, oldest first.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "field.h"
#include "pages.h"
#include "wanted.h"

const struct flag events_export_flags[] = {
    WANTED_FLAGS,
    {"limit", 0, "N", "no more than so many; default all"},
    CLIENT_FLAGS,
    {NULL, 0, NULL, NULL}};

struct export
{
    struct client *client;
    int64_t skipped; /* removed by retention while we read */
};

/* The payload as it was sent, but for the blanks between its tokens: no number
 * goes through a double. */
static int
read_payload(struct client *client, const char *id, char **payload)
{
    char *path = client_path("/events/", id, "/body");
    size_t len;
    if (path == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    int code = client_bytes(client, path, payload, &len);
    if (code == 0) {
        cJSON_Minify(*payload);
    }
    free(path);
    return code;
}

static int
print_event(const cJSON *event, const char *payload)
{
    cJSON *line = cJSON_Duplicate(event, 1);
    int code = line != NULL && cJSON_AddRawToObject(line, "payload", payload)
                   ? field_print(line)
                   : command_error(EXIT_FAILED, "out of memory");
    cJSON_Delete(line);
    return code;
}

static int
export_rows(void *arg, const cJSON *first)
{
    struct export *export = arg;
    int code = 0;
    for (const cJSON *event = first; event != NULL && code == 0;
         event = event->next) {
        char *payload = NULL;
        code = read_payload(export->client, field_text(event, "id"), &payload);
        if (code == 0) {
            code = print_event(event, payload);
        } else if (code == EXIT_MISSING) {
            export->skipped++;
            code = 0;
        }
        free(payload);
    }
    return code;
}

static int
export_all(struct client *client, const char *path, int64_t limit)
{
    struct export export = {.client = client};
    char *ordered;
    if (asprintf(&ordered, "%s%sorder=asc", path,
                 strchr(path, '?') != NULL ? "&" : "?") < 0) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    int code = pages_read(client, ordered, limit, NULL, export_rows, &export);
    free(ordered);
    return code == 0 && export.skipped > 0 ? EXIT_PARTLY : code;
}

int
cmd_events_export(const struct args *args)
{
    struct wanted wanted = {0};
    struct client *client = NULL;
    char *path = NULL;
    int64_t limit = 0;
    int code = wanted_read(&wanted, args);
    if (code == 0) {
        code = args_int(args, "limit", 1, 1000000000, &limit);
    }
    if (code == 0) {
        code = wanted_path(&wanted, args, "/events", &path);
    }
    if (code == 0) {
        code = client_open(&client, args);
    }
    if (code == 0) {
        code = export_all(client, path, limit);
    }
    client_close(client);
    free(path);
    wanted_fini(&wanted);
    return code;
}
