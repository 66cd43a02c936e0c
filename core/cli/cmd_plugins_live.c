/* core/cli/cmd_plugins_live.c: `pegboard plugins show`, `plugins pause` and
 * `plugins resume`: plugins of the running daemon.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "error.h"
#include "fact.h"
#include "field.h"
#include "paint.h"
#include "plain.h"
#include "wanted.h"
#include "when.h"

#define TEXT_MAX 1024

const struct flag plugins_flags[] = {CLIENT_FLAGS, {NULL, 0, NULL, NULL}};

const struct flag plugins_pause_flags[] = {
    {"reason", 0, "TEXT", "why, for the record; must be given"},
    {"for", 0, "DURATION", "resume by itself after so long: 30m"},
    {"until", 0, "TIME", "... or at that time: RFC 3339"},
    CLIENT_FLAGS,
    {NULL, 0, NULL, NULL}};

/* ---- Showing -------------------------------------------------------- */

static void
fact_names(const char *name, const cJSON *plugin, const char *key)
{
    char safe[TEXT_MAX];
    const cJSON *first = field_list(plugin, key);
    if (first == NULL) {
        return;
    }
    printf("%-12s ", name);
    for (const cJSON *one = first; one != NULL; one = one->next) {
        const char *text = cJSON_GetStringValue(one);
        printf("%s%s", one != first ? ", " : "",
               plain(text != NULL ? text : "", safe, sizeof(safe)));
    }
    putchar('\n');
}

static void
fact_pause(const cJSON *plugin)
{
    const cJSON *pause = cJSON_GetObjectItemCaseSensitive(plugin, "paused");
    char when[WHEN_MAX];
    if (!cJSON_IsObject(pause)) {
        return;
    }
    fact("paused since", when_local(field_text(pause, "since"), when));
    fact("until", field_text(pause, "until")[0] == '\0'
                      ? "resumed"
                      : when_local(field_text(pause, "until"), when));
    fact("because", field_text(pause, "reason"));
}

/* Why its runners do not start, and what is left of former ones. */
static void
fact_runners(const cJSON *plugin)
{
    long long failures = (long long)field_number(plugin, "failures");
    long long old = (long long)field_number(plugin, "old_runners");
    if (failures > 0) {
        printf("%-12s %lld in a row\n", "failures", failures);
        fact("because", field_text(plugin, "detail"));
        fact_time("next try", plugin, "retry_at");
    }
    if (old > 0) {
        printf("%-12s %lld finishing\n", "old runners", old);
    }
}

static void
fact_waiting(const cJSON *plugin)
{
    char when[WHEN_MAX];
    printf("%-12s %lld", "waiting", (long long)field_number(plugin, "pending"));
    if (field_text(plugin, "oldest_pending_at")[0] != '\0') {
        printf(" (oldest received %s)",
               when_local(field_text(plugin, "oldest_pending_at"), when));
    }
    printf("\n%-12s %lld\n", "dead", (long long)field_number(plugin, "dead"));
}

/* Seconds as they stand in the file: "30s", "4h". */
static const char *
seconds_text(const cJSON *limits, const char *key, char *room)
{
    int64_t us = field_seconds_us(limits, key);
    if (us % 1000000 != 0) {
        snprintf(room, WHEN_MAX, "%lldms", (long long)(us / 1000));
    } else if (us % 3600000000 == 0 && us != 0) {
        snprintf(room, WHEN_MAX, "%lldh", (long long)(us / 3600000000));
    } else {
        snprintf(room, WHEN_MAX, "%llds", (long long)(us / 1000000));
    }
    return room;
}

static void
fact_limits(const cJSON *plugin)
{
    const cJSON *limits = cJSON_GetObjectItemCaseSensitive(plugin, "limits");
    char first[WHEN_MAX];
    char last[WHEN_MAX];
    if (!cJSON_IsObject(limits)) {
        return;
    }
    printf("%-12s %lld\n", "concurrency",
           (long long)field_number(limits, "concurrency"));
    fact("order", field_text(limits, "order"));
    fact("timeout", seconds_text(limits, "timeout_seconds", first));
    printf("%-12s %s..%s, %lld attempts", "retry",
           seconds_text(limits, "retry_first_seconds", first),
           seconds_text(limits, "retry_max_seconds", last),
           (long long)field_number(limits, "max_attempts"));
    printf(" or %s\n", seconds_text(limits, "max_age_seconds", first));
}

static int
print_plugin(const cJSON *plugin, const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return field_print(plugin);
    }
    const char *state = field_text(plugin, "state");
    int color = args_color(args, stdout);
    fact("plugin", field_text(plugin, "name"));
    printf("%-12s %s%s%s\n", "state", color ? paint_state(state) : "", state,
           color ? PAINT_OFF : "");
    fact_pause(plugin);
    fact_runners(plugin);
    fact("version", field_text(plugin, "version"));
    fact("summary", field_text(plugin, "summary"));
    fact("sha256", field_text(plugin, "digest"));
    fact_names("events", plugin, "events");
    fact_names("endpoints", plugin, "endpoints");
    fact("livemode", field_text(plugin, "livemode"));
    fact_waiting(plugin);
    fact_limits(plugin);
    return 0;
}

/* ---- Asking --------------------------------------------------------- */

/* @param body  taken over */
static int
ask(const struct args *args, const char *method, const char *behind,
    cJSON *body, cJSON **plugin)
{
    struct client *client;
    const char *name = args->operands[0];
    int code = name[0] == '\0' ? args_error(args, "the name is empty")
                               : client_open(&client, args);
    if (code != 0) {
        cJSON_Delete(body);
        return code;
    }
    char *path = client_path("/plugins/", name, behind);
    if (path == NULL) {
        cJSON_Delete(body);
        code = command_error(EXIT_FAILED, "out of memory");
    } else {
        code = client_call(client, method, path, body, plugin);
    }
    free(path);
    client_close(client);
    return code;
}

int
cmd_plugins_show(const struct args *args)
{
    cJSON *plugin = NULL;
    int code = ask(args, "GET", "", NULL, &plugin);
    if (code == 0) {
        code = print_plugin(plugin, args);
    }
    cJSON_Delete(plugin);
    return code;
}

/* ---- pause, resume -------------------------------------------------- */

/* The end as RFC 3339, or "" for none. */
static int
read_end(const struct args *args, char *out)
{
    const char *span = args_value(args, "for");
    const char *until = args_value(args, "until");
    int64_t now_ms = clock_wall_ms();
    int64_t ms = 0;
    out[0] = '\0';
    if (span != NULL && until != NULL) {
        return args_error(args, "--for and --until exclude each other");
    }
    if (span != NULL) {
        int code = args_duration(args, "for", &ms);
        ms += now_ms;
        if (code != 0) {
            return code;
        }
    } else if (until != NULL &&
               when_parse(until, WHEN_AHEAD, now_ms, &ms) != RC_OK) {
        return args_error(args,
                          "--until: \"%s\" is no time such as "
                          "2026-11-23T09:41:00Z",
                          until);
    }
    if (ms != 0 && ms <= now_ms) {
        return args_error(args, "the pause would end before it begins");
    }
    if (ms != 0) {
        when_utc(ms, out);
    }
    return 0;
}

static void
tell_pause(const cJSON *plugin)
{
    const cJSON *pause = cJSON_GetObjectItemCaseSensitive(plugin, "paused");
    char name[64];
    char when[WHEN_MAX];
    plain(field_text(plugin, "name"), name, sizeof(name));
    if (!cJSON_IsObject(pause)) {
        printf("%s: %s, %lld waiting\n", name, field_text(plugin, "state"),
               (long long)field_number(plugin, "pending"));
        return;
    }
    printf("%s: paused until %s\n", name,
           field_text(pause, "until")[0] == '\0'
               ? "resumed"
               : when_local(field_text(pause, "until"), when));
}

static int
tell(const cJSON *plugin, const struct args *args)
{
    if (args_count(args, "json") > 0) {
        return field_print(plugin);
    }
    if (args_count(args, "quiet") == 0) {
        tell_pause(plugin);
    }
    return 0;
}

int
cmd_plugins_pause(const struct args *args)
{
    const char *reason = args_value(args, "reason");
    char end[WHEN_MAX];
    if (reason == NULL || reason[strspn(reason, " \t")] == '\0') {
        return args_error(args, "say why: --reason TEXT");
    }
    int code = read_end(args, end);
    if (code != 0) {
        return code;
    }
    cJSON *plugin = NULL;
    cJSON *body = cJSON_CreateObject();
    if (cJSON_AddStringToObject(body, "reason", reason) == NULL ||
        (end[0] != '\0' &&
         cJSON_AddStringToObject(body, "until", end) == NULL)) {
        cJSON_Delete(body);
        return command_error(EXIT_FAILED, "out of memory");
    }
    code = ask(args, "POST", "/pause", body, &plugin);
    if (code == 0) {
        code = tell(plugin, args);
    }
    cJSON_Delete(plugin);
    return code;
}

int
cmd_plugins_resume(const struct args *args)
{
    cJSON *plugin = NULL;
    int code = ask(args, "POST", "/resume", NULL, &plugin);
    if (code == 0) {
        code = tell(plugin, args);
    }
    cJSON_Delete(plugin);
    return code;
}
