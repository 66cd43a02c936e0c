/* core/cli/cmd_status.c: `pegboard status`: the running daemon on one screen.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "error.h"
#include "field.h"
#include "paint.h"
#include "plain.h"
#include "table.h"
#include "when.h"

#define TEXT_MAX 640

const struct flag status_flags[] = {
    {"ready", 0, NULL, "print nothing; the exit code tells: 0, 1 or 5"},
    CLIENT_FLAGS,
    {NULL, 0, NULL, NULL}};

static const char *
age_text(const char *utc, char *room)
{
    int64_t now_ms = clock_wall_ms();
    int64_t ms = now_ms;
    if (when_parse(utc, WHEN_AGO, now_ms, &ms) != RC_OK) {
        room[0] = '\0';
        return room;
    }
    return when_span(now_ms > ms ? now_ms - ms : 0, room);
}

static void
print_head(const cJSON *status, int color)
{
    char version[64];
    char up[WHEN_MAX];
    int ready = field_true(status, "ready");
    plain(field_text(status, "version"), version, sizeof(version));
    printf("pegboard %s", version);
    if (field_true(status, "offline")) {
        puts("   not running");
        return;
    }
    printf("   up %s   %s%s%s   generation %lld%s%s\n",
           when_span(field_seconds_us(status, "uptime_seconds") / 1000, up),
           !color  ? ""
           : ready ? PAINT_GOOD
                   : PAINT_BAD,
           ready ? "ready" : "not ready", color ? PAINT_OFF : "",
           (long long)field_number(status, "generation"),
           field_true(status, "reloading") ? "   reloading" : "",
           field_true(status, "degraded") ? "   degraded" : "");
}

static void
print_figures(const cJSON *status)
{
    const cJSON *inbox = cJSON_GetObjectItemCaseSensitive(status, "inbox");
    char oldest[WHEN_MAX];
    age_text(field_text(status, "oldest_pending_at"), oldest);
    if (!field_true(status, "offline")) { /* figures since its start */
        printf("accepted %lld, repeats %lld   ",
               (long long)field_number(inbox, "events"),
               (long long)field_number(inbox, "duplicates"));
    }
    printf("waiting %lld%s%s%s   dead %lld\n",
           (long long)field_number(status, "pending"),
           oldest[0] != '\0' ? " (oldest " : "", oldest,
           oldest[0] != '\0' ? ")" : "",
           (long long)field_number(status, "dead"));
}

/* Why it is paused, and until when; or what of a former generation is left. */
static const char *
note_text(const cJSON *plugin, char *room)
{
    const cJSON *pause = cJSON_GetObjectItemCaseSensitive(plugin, "paused");
    long long old = (long long)field_number(plugin, "old_runners");
    char when[WHEN_MAX];
    room[0] = '\0';
    if (old > 0) {
        snprintf(room, TEXT_MAX, "%lld old runner%s finishing", old,
                 old == 1 ? "" : "s");
    }
    if (cJSON_IsObject(pause)) {
        const char *until = field_text(pause, "until");
        snprintf(room, TEXT_MAX, "%s%s%s", field_text(pause, "reason"),
                 until[0] != '\0' ? ", until " : "",
                 until[0] != '\0' ? when_local(until, when) : "");
    }
    return room;
}

static int
print_plugins(const cJSON *first, int color)
{
    static const char *const heads[] = {"PLUGIN", "STATE", "AT WORK", "WAITING",
                                        "OLDEST", "DEAD",  "NOTE",    NULL};
    struct table table = {.heads = heads, .is_colored = color};
    char text[TEXT_MAX];
    char age[WHEN_MAX];
    for (const cJSON *one = first; one != NULL; one = one->next) {
        table_cell(&table, field_text(one, "name"));
        table_state(&table, field_text(one, "state"));
        table_number(&table, field_number(one, "running"));
        table_number(&table, field_number(one, "pending"));
        table_cell(&table, age_text(field_text(one, "oldest_pending_at"), age));
        table_number(&table, field_number(one, "dead"));
        table_cell(&table, note_text(one, text));
    }
    int code = table_print(&table, stdout);
    table_fini(&table);
    return code;
}

/* "ledger: failing: init(): database down; next try in 4 s" */
static void
point_at_failing(const cJSON *plugin, const char *name)
{
    char why[TEXT_MAX];
    char left[WHEN_MAX];
    int64_t now_ms = clock_wall_ms();
    int64_t at_ms = 0;
    plain(field_text(plugin, "detail"), why, sizeof(why));
    printf("! %s: failing: %s", name, why);
    if (when_parse(field_text(plugin, "retry_at"), WHEN_AHEAD, now_ms,
                   &at_ms) == RC_OK) {
        printf("; next try in %s",
               when_span(at_ms > now_ms ? at_ms - now_ms : 0, left));
    }
    putchar('\n');
}

/* Only one that did not go well: what serves is not what the files say. */
static void
point_at_reload(const cJSON *status)
{
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(status, "last_reload");
    const char *result = field_text(last, "result");
    char why[TEXT_MAX];
    char when[WHEN_MAX];
    if (strcmp(result, "refused") != 0 && strcmp(result, "failed") != 0) {
        return;
    }
    plain(field_text(last, "detail"), why, sizeof(why));
    printf("! the last %s %s at %s%s%s; generation %lld serves on\n",
           strcmp(field_text(last, "kind"), "rollback") == 0 ? "rollback"
                                                             : "reload",
           strcmp(result, "failed") == 0 ? "failed" : "was refused",
           when_local(field_text(last, "at"), when), why[0] != '\0' ? ": " : "",
           why, (long long)field_number(status, "generation"));
}

/* What somebody should look at, and how. */
static void
point_at_trouble(const cJSON *first)
{
    char name[64];
    for (const cJSON *one = first; one != NULL; one = one->next) {
        const char *state = field_text(one, "state");
        plain(field_text(one, "name"), name, sizeof(name));
        if (strcmp(state, "broken") == 0) {
            printf("! %s: it crashes or hangs whatever it gets; one at a time "
                   "is tried, see pegboard events list --plugin %s --state "
                   "pending\n",
                   name, name);
        } else if (strcmp(state, "failing") == 0) {
            point_at_failing(one, name);
        } else if (strcmp(state, "orphaned") == 0 &&
                   field_number(one, "pending") > 0) {
            printf("! %s: %lld wait, but it is not in the configuration any "
                   "more\n",
                   name, (long long)field_number(one, "pending"));
        }
        if (field_number(one, "dead") > 0) {
            printf("! %s: %lld dead, see pegboard dead --plugin %s\n", name,
                   (long long)field_number(one, "dead"), name);
        }
    }
}

static int
print_status(const cJSON *status, const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return field_print(status);
    }
    int color = args_color(args, stdout);
    const cJSON *plugins = field_list(status, "plugins");
    print_head(status, color);
    print_figures(status);
    int code = plugins == NULL ? 0 : print_plugins(plugins, color);
    point_at_reload(status);
    point_at_trouble(plugins);
    return code;
}

int
cmd_status(const struct args *args)
{
    struct client *client;
    cJSON *status = NULL;
    int only_ready = args_count(args, "ready") > 0;
    if (only_ready && args_count(args, "offline") > 0) {
        return args_error(args, "--ready and --offline exclude each other");
    }
    int code = client_open(&client, args);
    if (code != 0) {
        return code;
    }
    code = client_call(client, "GET", "/status", NULL, &status);
    if (code == 0) {
        code = !only_ready                   ? print_status(status, args)
               : field_true(status, "ready") ? EXIT_OK
                                             : EXIT_FAILED;
    }
    cJSON_Delete(status);
    client_close(client);
    return code;
}
