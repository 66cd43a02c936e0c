/* core/admin/served.h: what is served, held for one call or one step of a job:
 * it is one generation from beginning to end, whatever is reloaded meanwhile,
 * and no pointer into it is kept longer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SERVED_H
#define CORE_SERVED_H

#include "inbox/view.h"

#include <stdint.h>

struct api_settings;
struct config;
struct config_plugin;
struct error;
struct generation;
struct plugin;

/** Zero it before; served_drop() after. */
struct served {
    struct generation *generation; /* held; NULL: offline */
    const struct config *config;   /* its own, or offline the caller's */
    uint32_t *ids;                 /* of its plugins */
    struct view_plugins plugins;   /* the same, for views */
};

/** Hold what is served now.
 * @return RC_OK, RC_NOMEM, or RC_BUSY: nothing is served yet */
int served_hold(struct served *served, const struct api_settings *settings,
                struct error *err);

/** Let go of it; accepts a zeroed one. */
void served_drop(struct served *served);

/** The plugin of that number; NULL when it is not served, and offline. */
const struct plugin *served_plugin(const struct served *served, uint32_t id);

/** What the configuration says of a plugin, enabled or not; or NULL. */
const struct config_plugin *served_config(const struct served *served,
                                          const char *name);

#endif
