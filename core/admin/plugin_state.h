/* core/admin/plugin_state.h: how a plugin is now, in one word, and why.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PLUGIN_STATE_H
#define CORE_PLUGIN_STATE_H

#include "delivery/dispatcher.h"
#include "plugin/supervisor.h"

#include <stdint.h>

struct api_settings;
struct served;

struct plugin_state {
    /** "paused", "broken", "failing", "starting", "running"; "orphaned" when it
     * is not served; offline "paused" or "stopped". */
    const char *name;
    int is_served;
    int is_failing; /* its runners do not start, and none serves */
    struct dispatcher_status work;
    struct supervisor_status starts;
};

/** @param is_paused  as stored */
void plugin_state_read(struct plugin_state *state,
                       const struct api_settings *settings,
                       const struct served *served, uint32_t id, int is_paused);

/** Whether somebody should look at it. */
int plugin_state_is_bad(const struct plugin_state *state);

/** Wall clock in ms of the next try to start it; 0: none is waited for. */
int64_t plugin_state_retry_ms(const struct plugin_state *state);

#endif
