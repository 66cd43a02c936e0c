/* core/cli/cmd_events_tail.c: `pegboard events tail`: what the running daemon
 * does, line by line, as `pegboard dev` shows it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "delivery/tail.h"
#include "field.h"
#include "stripe/event.h"
#include "wanted.h"

/** Events of a wanted type that are remembered: what becomes of them is told
 * without their type. */
#define SEEN_MAX 1024

const struct flag events_tail_flags[] = {
    {"type", 0, "PATTERN", "of this type, or 'prefix.*'; may be repeated"},
    {"plugin", 0, "NAME", "deliveries to this plugin only"},
    CLIENT_FLAGS,
    {NULL, 0, NULL, NULL}};

struct tailing {
    struct wanted wanted; /* types and plugin alone */
    int as_json, is_quiet;
    int is_listening; /* which was said */
    char seen[SEEN_MAX][EVENT_ID_MAX + 1];
    size_t next; /* of seen: the oldest */
};

/* ---- Filters -------------------------------------------------------- */

static int
type_passes(const struct wanted *wanted, const char *type)
{
    for (size_t i = 0; i < wanted->type_count; i++) {
        if (event_type_matches(wanted->types[i], type)) {
            return 1;
        }
    }
    return 0;
}

static int
was_seen(const struct tailing *tailing, const char *id)
{
    for (size_t i = 0; i < SEEN_MAX; i++) {
        if (strcmp(tailing->seen[i], id) == 0) {
            return 1;
        }
    }
    return 0;
}

static void
remember(struct tailing *tailing, const char *id)
{
    char *room = tailing->seen[tailing->next++ % SEEN_MAX];
    snprintf(room, EVENT_ID_MAX + 1, "%s", id);
}

/* An arrival tells its type; what follows is known by the event's id. */
static int
has_type(struct tailing *tailing, const cJSON *line)
{
    const char *id = field_text(line, "event_id");
    const char *type = field_text(line, "type");
    if (tailing->wanted.type_count == 0) {
        return 1;
    }
    if (type[0] == '\0') {
        return id[0] != '\0' && was_seen(tailing, id);
    }
    if (!type_passes(&tailing->wanted, type)) {
        return 0;
    }
    remember(tailing, id);
    return 1;
}

static int
passes(struct tailing *tailing, const char *name, const cJSON *line)
{
    const char *plugin = tailing->wanted.plugin;
    return has_type(tailing, line) &&
           (plugin == NULL ||
            (strcmp(name, "delivered") == 0 &&
             strcmp(field_text(line, "plugin"), plugin) == 0));
}

/* ---- Lines ---------------------------------------------------------- */

static int64_t
took_ms(const cJSON *line)
{
    return (field_seconds_us(line, "duration_seconds") + 500) / 1000;
}

static void
print_line(const char *name, const cJSON *line)
{
    const char *id = field_text(line, "event_id");
    if (strcmp(name, "arrived") == 0) {
        tail_arrived(field_text(line, "type"), id, field_text(line, "account"));
    } else if (strcmp(name, "answered") == 0) {
        tail_answered((int)field_number(line, "status"),
                      field_text(line, "path"), took_ms(line),
                      field_true(line, "duplicate"), id);
    } else if (strcmp(name, "delivered") == 0) {
        tail_delivered(field_text(line, "verdict"), field_text(line, "plugin"),
                       took_ms(line), field_text(line, "detail"), id);
    }
}

/* What happened was said by the stream, outside of its JSON. */
static void
print_json(const char *name, cJSON *line)
{
    if (cJSON_GetObjectItemCaseSensitive(line, "event") == NULL) {
        cJSON_AddStringToObject(line, "event", name);
    }
    field_print(line);
    fflush(stdout); /* whoever reads along sees each line at once */
}

static int
on_line(void *arg, const char *name, const char *json)
{
    struct tailing *tailing = arg;
    if (!tailing->is_listening && !tailing->is_quiet) {
        fputs("listening; ^C ends it\n", stderr);
    }
    tailing->is_listening = 1;
    if (strcmp(name, ":") == 0) {
        return 0;
    }
    if (strcmp(name, "lost") == 0) {
        fputs("note: some lines were lost, there are too many\n", stderr);
        return 0;
    }
    cJSON *line = cJSON_Parse(json);
    if (line != NULL && passes(tailing, name, line)) {
        if (tailing->as_json) {
            print_json(name, line);
        } else {
            print_line(name, line);
        }
    }
    cJSON_Delete(line);
    return ferror(stdout);
}

/* A name that nobody has would show nothing, for ever. */
static int
check_plugin(struct client *client, const char *name)
{
    if (name == NULL) {
        return 0;
    }
    char *path = client_path("/plugins/", name, "");
    int code = path != NULL ? client_call(client, "GET", path, NULL, NULL)
                            : command_error(EXIT_FAILED, "out of memory");
    free(path);
    return code;
}

int
cmd_events_tail(const struct args *args)
{
    struct tailing *tailing = calloc(1, sizeof(*tailing));
    struct client *client = NULL;
    if (tailing == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    tailing->as_json = args_count(args, "json") > 0;
    tailing->is_quiet = args_count(args, "quiet") > 0;
    int code = wanted_read(&tailing->wanted, args);
    if (code == 0) {
        code = client_open(&client, args);
    }
    if (code == 0) {
        code = check_plugin(client, tailing->wanted.plugin);
    }
    if (code == 0) {
        tail_start(args_color(args, stdout));
        code = client_stream(client, "/stream", on_line, tailing);
    }
    client_close(client);
    wanted_fini(&tailing->wanted);
    free(tailing);
    return code;
}
