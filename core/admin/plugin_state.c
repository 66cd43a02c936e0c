/* core/admin/plugin_state.c: how a plugin is now, in one word, and why.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/plugin_state.h"

#include "admin/api.h"
#include "admin/served.h"
#include "clock.h"
#include "error.h"

#include <string.h>

static const char *
name_of(const struct plugin_state *state, int is_offline, int is_paused)
{
    if (is_offline) {
        return is_paused ? "paused" : "stopped";
    }
    if (!state->is_served) {
        return "orphaned";
    }
    if (is_paused || state->work.is_paused) {
        return "paused";
    }
    if (state->work.is_broken) {
        return "broken";
    }
    if (state->is_failing) {
        return "failing";
    }
    return state->work.runners > 0 ? "running" : "starting";
}

void
plugin_state_read(struct plugin_state *state,
                  const struct api_settings *settings,
                  const struct served *served, uint32_t id, int is_paused)
{
    struct dispatcher_status work = {0};
    struct supervisor_status starts = {0};
    memset(state, 0, sizeof(*state));
    state->is_served = served_plugin(served, id) != NULL;
    /* One that is taken out may have old runners at work for a while; one that
     * they do not know yet has nothing. */
    if (settings->dispatcher != NULL &&
        dispatcher_status(settings->dispatcher, id, &work) == RC_OK) {
        state->work = work;
    }
    if (settings->supervisor != NULL && state->is_served &&
        supervisor_status(settings->supervisor, id, &starts) == RC_OK) {
        state->starts = starts;
    }
    state->is_failing =
        state->starts.failures > 0 && state->starts.serving == 0;
    state->name = name_of(state, served->generation == NULL, is_paused);
}

int
plugin_state_is_bad(const struct plugin_state *state)
{
    return state->is_failing || (state->is_served && state->work.is_broken);
}

int64_t
plugin_state_retry_ms(const struct plugin_state *state)
{
    int64_t at_ms = state->starts.retry_at_ms;
    return at_ms != 0 ? clock_wall_ms() + at_ms - clock_mono_ms() : 0;
}
