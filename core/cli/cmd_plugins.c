/* core/cli/cmd_plugins.c: `pegboard plugins list` and `plugins inspect`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "checked.h"
#include "client.h"
#include "config/config.h"
#include "error.h"
#include "field.h"
#include "log.h"
#include "paint.h"
#include "plugin/generation.h"
#include "plugin/manifest.h"
#include "plugin/probe.h"
#include "plugin/snapshot.h"

#include <cjson/cJSON.h>
#include <pegboard/plugin.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *
type_name(uint32_t type)
{
    static const char *const names[] = {"?",        "string", "int",  "bool",
                                        "duration", "size",   "list", "path"};
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}

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

/* ---- inspect -------------------------------------------------------- */

static int
inspect_json(const struct manifest *manifest, const char *digest)
{
    cJSON *json = cJSON_CreateObject();
    char abi[32];
    snprintf(abi, sizeof(abi), "%u.%u", manifest->abi_major,
             manifest->needs_minor);
    cJSON_AddStringToObject(json, "name", manifest->name);
    cJSON_AddStringToObject(json, "version", manifest->version);
    cJSON_AddStringToObject(json, "summary", manifest->summary);
    cJSON_AddStringToObject(json, "abi", abi);
    cJSON_AddStringToObject(json, "digest", digest);
    add_events(json, manifest->events, manifest->event_count);
    cJSON *options = cJSON_AddArrayToObject(json, "options");
    for (size_t i = 0; i < manifest->option_count; i++) {
        const struct manifest_option *option = &manifest->options[i];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", option->name);
        cJSON_AddStringToObject(one, "type", type_name(option->type));
        cJSON_AddBoolToObject(one, "required",
                              (option->flags & PEG_OPTION_REQUIRED) != 0);
        cJSON_AddBoolToObject(one, "secret",
                              (option->flags & PEG_OPTION_SECRET) != 0);
        if (option->fallback != NULL) {
            cJSON_AddStringToObject(one, "default", option->fallback);
        }
        cJSON_AddStringToObject(one, "help", option->help);
        cJSON_AddItemToArray(options, one);
    }
    return print_json(json);
}

static void
inspect_option(const struct manifest_option *option)
{
    printf("  %-16s %-9s %s%s", option->name, type_name(option->type),
           (option->flags & PEG_OPTION_REQUIRED) != 0 ? "required " : "",
           (option->flags & PEG_OPTION_SECRET) != 0 ? "secret " : "");
    if (option->fallback != NULL) {
        printf("default \"%s\" ", option->fallback);
    }
    printf(" %s\n", option->help);
}

static int
inspect_text(const struct manifest *manifest, const char *digest)
{
    printf("name      %s\nversion   %s\nsummary   %s\n", manifest->name,
           manifest->version, manifest->summary);
    printf("abi       %u.%u\nsha256    %s\nevents    ", manifest->abi_major,
           manifest->needs_minor, digest);
    print_events(manifest->events, manifest->event_count);
    printf("calls     %shandle%s%s\n", manifest->has_init ? "init " : "",
           manifest->has_shutdown ? " shutdown" : "",
           manifest->has_self_test ? " self_test" : "");
    printf("options   %s\n", manifest->option_count == 0 ? "none" : "");
    for (size_t i = 0; i < manifest->option_count; i++) {
        inspect_option(&manifest->options[i]);
    }
    return EXIT_OK;
}

int
cmd_plugins_inspect(const struct args *args)
{
    char dir[CHECKED_DIR_MAX];
    struct config_plugin config = {.name = "inspect"};
    struct snapshot snapshot = {0};
    struct manifest manifest = {0};
    struct error err;
    log_setup(LOG_WARN, LOG_AUTO);
    if (checked_folder(dir, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    int code;
    int rc = snapshot_make(&snapshot, args->operands[0], dir, &err);
    if (rc == RC_OK) {
        rc = probe_load(&config, snapshot.path, -1, &manifest, &err);
    }
    if (rc != RC_OK) {
        code = command_error(rc == RC_NOT_FOUND ? EXIT_MISSING : EXIT_CONFIG,
                             "%s", err.text);
    } else if (args_count(args, "json") > 0) {
        code = inspect_json(&manifest, snapshot.digest);
    } else {
        code = inspect_text(&manifest, snapshot.digest);
    }
    manifest_fini(&manifest);
    snapshot_fini(&snapshot);
    checked_remove(dir);
    return code;
}
