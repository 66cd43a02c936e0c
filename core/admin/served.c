/* core/admin/served.c: what is served, held for one call or one step of a job.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/served.h"

#include "admin/api.h"
#include "config/config.h"
#include "error.h"
#include "plugin/generation.h"
#include "plugin/serving.h"

#include <stdlib.h>
#include <string.h>

static int
list_ids(struct served *served)
{
    const struct generation *generation = served->generation;
    uint32_t *ids = calloc(generation->plugin_count + 1, sizeof(*ids));
    if (ids == NULL) {
        return RC_NOMEM;
    }
    for (size_t i = 0; i < generation->plugin_count; i++) {
        ids[i] = generation->plugins[i].id;
    }
    served->ids = ids;
    served->plugins = (struct view_plugins){
        .ids = ids, .count = generation->plugin_count, .known = 1};
    return RC_OK;
}

int
served_hold(struct served *served, const struct api_settings *settings,
            struct error *err)
{
    if (settings->serving == NULL) {
        served->config = settings->config;
        return RC_OK;
    }
    served->generation = serving_hold(settings->serving);
    if (served->generation == NULL) {
        return error_set(err, RC_BUSY, "the daemon is still starting");
    }
    served->config = served->generation->config;
    if (list_ids(served) != RC_OK) {
        served_drop(served);
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    return RC_OK;
}

void
served_drop(struct served *served)
{
    free(served->ids);
    generation_drop(served->generation);
    memset(served, 0, sizeof(*served));
}

const struct plugin *
served_plugin(const struct served *served, uint32_t id)
{
    return served->generation != NULL
               ? generation_plugin(served->generation, id)
               : NULL;
}

const struct config_plugin *
served_config(const struct served *served, const char *name)
{
    return config_plugin(served->config, name);
}
