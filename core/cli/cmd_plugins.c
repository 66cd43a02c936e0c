/* core/cli/cmd_plugins.c: `pegboard plugins list`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "checked.h"
#include "client.h"
#include "config/config.h"
#include "field.h"
#include "paint.h"
#include "plugin/generation.h"
#include "plugin/manifest.h"

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

static int
print_json(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    puts(text);
    free(text);
    return EXIT_OK;
}

static void
add_events(cJSON *to, char *const *events, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(to, "events");
    for (size_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(events[i]));
    }
}

static void
print_events(char *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s%s", i > 0 ? ", " : "", events[i]);
    }
    putchar('\n');
}

/* ---- list ----------------------------------------------------------- */

/* The state of a plugin in the running daemon's list; "" without one. */
static const char *
live_state(const cJSON *live, const char *name)
{
    const cJSON *one = field_list(live, "data");
    while (one != NULL && strcmp(field_text(one, "name"), name) != 0) {
        one = one->next;
    }
    return field_text(one, "state");
}

static int
list_json(const struct generation *generation, const cJSON *live)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", plugin->config->name);
        cJSON_AddStringToObject(one, "version", plugin->manifest.version);
        cJSON_AddStringToObject(one, "path", plugin->config->path);
        cJSON_AddStringToObject(one, "digest", plugin->snapshot.digest);
        cJSON_AddNumberToObject(one, "concurrency",
                                (double)plugin->config->concurrency);
        add_events(one, plugin->events, plugin->event_count);
        if (live != NULL) {
            cJSON_AddStringToObject(one, "state",
                                    live_state(live, plugin->config->name));
        }
        cJSON_AddItemToArray(list, one);
    }
    return print_json(list);
}

/* Only with a daemon there is a state to show. */
static void
print_state(const cJSON *live, const char *name, int color)
{
    const char *state = live_state(live, name);
    if (live != NULL) {
        printf("%s%-9.32s%s ", color ? paint_state(state) : "",
               state[0] != '\0' ? state : "-", color ? PAINT_OFF : "");
    }
}

static void
list_text(const struct generation *generation, const cJSON *live, int color)
{
    printf("%-16s %-10s %-12s %s%s\n", "PLUGIN", "VERSION", "BUILD",
           live != NULL ? "STATE     " : "", "EVENTS");
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        printf("%-16s %-10s %-12.12s ", plugin->config->name,
               plugin->manifest.version, plugin->snapshot.digest);
        print_state(live, plugin->config->name, color);
        print_events(plugin->events, plugin->event_count);
    }
    for (size_t i = 0; i < generation->config->plugin_count; i++) {
        const struct config_plugin *plugin = &generation->config->plugins[i];
        if (!plugin->enabled) {
            printf("%-16s %-10s %-12s ", plugin->name, "-", "-");
            print_state(live, plugin->name, color);
            puts("(not enabled)");
        }
    }
}

int
cmd_plugins_list(const struct args *args)
{
    struct checked checked;
    int code = checked_load(&checked, args, 0);
    if (code != EXIT_OK) {
        return code;
    }
    const struct generation *generation = checked.generation;
    cJSON *live = client_peek(generation->config->state_dir, "/plugins");
    if (args_count(args, "json") > 0) {
        code = list_json(generation, live);
    } else {
        list_text(generation, live, args_color(args, stdout));
    }
    cJSON_Delete(live);
    checked_fini(&checked);
    return code;
}
