/* core/cli/cmd_check.c: `pegboard check`: would it start?
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "checked.h"
#include "config/config.h"
#include "error.h"
#include "plugin/generation.h"
#include "plugin/probe.h"

const struct flag check_flags[] = {
    {"no-init", 0, NULL, "do not run the plugins' init()"},
    {NULL, 0, NULL, NULL},
};

/* Run init() of each plugin; returns how many refused. */
static size_t
check_inits(const struct generation *generation)
{
    size_t refused = 0;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        struct error err;
        if (probe_init(plugin, &err) != RC_OK) {
            fprintf(stderr, "%s:%d: plugin \"%s\": %s\n",
                    generation->config->file, plugin->config->line,
                    plugin->config->name, err.text);
            refused++;
        }
    }
    return refused;
}

int
cmd_check(const struct args *args)
{
    struct checked checked;
    int code = checked_load(&checked, args, 1);
    if (code != EXIT_OK) {
        return code;
    }
    const struct generation *generation = checked.generation;
    size_t refused = 0;
    if (args_count(args, "no-init") == 0) {
        refused = check_inits(generation);
    }
    if (refused > 0) {
        code = command_error(EXIT_CONFIG, "%zu plugin%s would not start",
                             refused, refused == 1 ? "" : "s");
    } else if (args_count(args, "json") > 0) {
        printf("{\"ok\":true,\"endpoints\":%zu,\"plugins\":%zu}\n",
               generation->config->endpoint_count, generation->plugin_count);
    } else {
        printf("%s: ok: %zu endpoint%s, %zu plugin%s\n",
               generation->config->file, generation->config->endpoint_count,
               generation->config->endpoint_count == 1 ? "" : "s",
               generation->plugin_count,
               generation->plugin_count == 1 ? "" : "s");
    }
    checked_fini(&checked);
    return code;
}
