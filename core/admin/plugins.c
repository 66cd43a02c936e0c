/* core/admin/plugins.c: plugins as resources: what they are, and holding them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/body.h"
#include "admin/call.h"
#include "admin/plugin_state.h"
#include "admin/roster.h"
#include "admin/show.h"
#include "admin/stamp.h"
#include "clock.h"
#include "config/config.h"
#include "delivery/dispatcher.h"
#include "log.h"
#include "plugin/generation.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

/* A pause with an end ends within a year: later ones are mistakes. */
#define PAUSE_MAX_S (366LL * 24 * 3600)

/* ---- Showing -------------------------------------------------------- */

static void
add_limits(cJSON *json, const struct config_plugin *config)
{
    static const char *const orders[] = {"none", "object", "strict"};
    static const char *const modes[] = {"any", "live", "test"};
    cJSON *limits = cJSON_AddObjectToObject(json, "limits");
    show_names(json, "endpoints", config->endpoints, config->endpoint_count);
    show_text(json, "livemode", modes[config->livemode]);
    show_number(limits, "concurrency", config->concurrency);
    show_text(limits, "order", orders[config->order]);
    cJSON_AddBoolToObject(limits, "collapse_twins", config->collapse_twins);
    show_seconds(limits, "timeout_seconds", config->timeout_ms * 1000);
    show_seconds(limits, "retry_first_seconds", config->retry_first_ms * 1000);
    show_seconds(limits, "retry_max_seconds", config->retry_max_ms * 1000);
    show_number(limits, "max_attempts", config->max_attempts);
    show_seconds(limits, "max_age_seconds", config->max_age_ms * 1000);
}

static void
add_served(cJSON *json, const struct plugin *plugin,
           const struct plugin_state *state)
{
    show_text(json, "version", plugin->manifest.version);
    show_text(json, "summary", plugin->manifest.summary);
    show_text(json, "digest", plugin->snapshot.digest);
    show_names(json, "events", plugin->events, plugin->event_count);
    show_number(json, "runners", state->work.runners);
    show_number(json, "running", state->work.running);
    show_number(json, "failures", state->starts.failures);
    show_time(json, "retry_at", plugin_state_retry_ms(state));
    show_text(json, "detail",
              state->starts.failures > 0 ? state->starts.why : "");
}

static void
add_pause(cJSON *json, const struct inbox_plugin *state)
{
    if (state->paused_ms == 0) {
        cJSON_AddNullToObject(json, "paused");
        return;
    }
    cJSON *pause = cJSON_AddObjectToObject(json, "paused");
    show_time(pause, "since", state->paused_ms);
    show_time(pause, "until", state->paused_until_ms);
    show_text(pause, "reason", state->reason);
}

cJSON *
plugins_json(const struct call *call, const struct roster_entry *entry,
             int *is_bad)
{
    const struct plugin *plugin = served_plugin(&call->served, entry->state.id);
    const struct config_plugin *config =
        served_config(&call->served, entry->name);
    struct plugin_state state;
    plugin_state_read(&state, &call->api->settings, &call->served,
                      entry->state.id, entry->state.paused_ms != 0);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "plugin");
    show_text(json, "name", entry->name);
    show_text(json, "state", state.name);
    cJSON_AddBoolToObject(json, "served", plugin != NULL);
    show_number(json, "pending", entry->pending);
    show_number(json, "dead", entry->dead);
    show_time(json, "oldest_pending_at", entry->oldest_ms);
    add_pause(json, &entry->state);
    show_number(json, "old_runners", state.work.old);
    if (plugin != NULL) {
        add_served(json, plugin, &state);
    }
    if (config != NULL) {
        add_limits(json, config);
    }
    *is_bad |= plugin_state_is_bad(&state);
    return json;
}

/* ---- Reading -------------------------------------------------------- */

int
plugins_list(struct call *call)
{
    struct error err = {0};
    struct roster roster;
    int is_bad = 0;
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc != RC_OK) {
        return rc;
    }
    rc = roster_read(&roster, call->view, &err);
    if (rc != RC_OK) {
        return call_failed(call, rc, &err);
    }
    cJSON *list = show_list();
    rc = list != NULL ? RC_OK : RC_NOMEM;
    for (size_t i = 0; i < roster.count && rc == RC_OK; i++) {
        if (show_push(list, plugins_json(call, &roster.entries[i], &is_bad))) {
            rc = RC_NOMEM;
        }
    }
    roster_fini(&roster);
    if (rc != RC_OK) {
        cJSON_Delete(list);
        return call_failed(call, rc, &err);
    }
    return call_answer(call, 200, list);
}

/* The plugin of the path; roster_fini() after RC_OK. */
static int
find_plugin(struct call *call, struct roster *roster,
            const struct roster_entry **entry)
{
    struct error err = {0};
    int rc = roster_read(roster, call->view, &err);
    if (rc != RC_OK) {
        return call_failed(call, rc, &err);
    }
    *entry = roster_find(roster, call->id, &call->problem);
    if (*entry == NULL) {
        roster_fini(roster);
        return RC_NOT_FOUND;
    }
    return RC_OK;
}

static int
answer_plugin(struct call *call)
{
    struct roster roster;
    const struct roster_entry *entry = NULL;
    int is_bad = 0;
    int rc = find_plugin(call, &roster, &entry);
    if (rc != RC_OK) {
        return rc;
    }
    cJSON *json = plugins_json(call, entry, &is_bad);
    roster_fini(&roster);
    return call_answer(call, 200, json);
}

int
plugins_get(struct call *call)
{
    int rc = query_allow(&call->query, "", &call->problem);
    return rc == RC_OK ? answer_plugin(call) : rc;
}

/* ---- Pausing -------------------------------------------------------- */

/* Store the state, then hold or release what runs by it. */
static int
apply(struct call *call, const struct inbox_plugin *state)
{
    const struct api_settings *settings = &call->api->settings;
    struct error err = {0};
    struct roster roster;
    const struct roster_entry *entry = NULL;
    int rc = find_plugin(call, &roster, &entry);
    if (rc != RC_OK) {
        return rc;
    }
    struct inbox_action action = {.kind = INBOX_PAUSE,
                                  .plugin = entry->state.id,
                                  .state = entry->state,
                                  .now_ms = clock_wall_ms()};
    action.state.paused_ms = state->paused_ms;
    action.state.paused_until_ms = state->paused_until_ms;
    memcpy(action.state.reason, state->reason, sizeof(state->reason));
    pthread_mutex_lock(&call->api->pausing);
    rc = inbox_act(settings->inbox, &action);
    if (rc == RC_OK && settings->dispatcher != NULL) {
        dispatcher_pause(settings->dispatcher, &action.state);
    }
    pthread_mutex_unlock(&call->api->pausing);
    if (rc == RC_OK) {
        struct log_value reason;
        log_write(LOG_INFO, "admin",
                  state->paused_ms != 0 ? "plugin paused" : "plugin resumed",
                  "plugin=%s reason=%s", entry->name,
                  log_quote(&reason, state->reason, strlen(state->reason)));
    }
    roster_fini(&roster);
    return call_failed(call, rc, &err);
}

static int
refuse_until(struct call *call)
{
    problem_set(&call->problem, PROBLEM_REFUSED,
                "\"until\" is a time to come, within a year, like "
                "2026-11-23T09:41:02Z");
    problem_blame(&call->problem, "", "until", NULL);
    return RC_INVALID;
}

/* When the pause ends by itself; 0: not. */
static int
read_end(struct call *call, int64_t now_ms, int64_t *end_ms)
{
    const char *until = NULL;
    int64_t seconds = 0;
    int rc = body_text(call->body, "until", STAMP_MAX + 8, 0, &until,
                       &call->problem);
    if (rc == RC_OK) {
        rc = body_number(call->body, "for_seconds", 1, PAUSE_MAX_S, &seconds,
                         &call->problem);
    }
    if (rc != RC_OK) {
        return rc;
    }
    if (until != NULL && seconds != 0) {
        problem_set(&call->problem, PROBLEM_REFUSED,
                    "\"until\" or \"for_seconds\", not both");
        return RC_INVALID;
    }
    *end_ms = seconds != 0 ? now_ms + seconds * 1000 : 0;
    if (until != NULL &&
        (stamp_parse(until, end_ms) != RC_OK || *end_ms <= now_ms ||
         *end_ms > now_ms + PAUSE_MAX_S * 1000)) {
        return refuse_until(call);
    }
    return RC_OK;
}

int
plugins_pause(struct call *call)
{
    struct inbox_plugin state = {.paused_ms = clock_wall_ms()};
    const char *reason = "";
    int rc = body_allow(call->body, "reason until for_seconds", &call->problem);
    if (rc == RC_OK) {
        rc = body_text(call->body, "reason", INBOX_REASON_MAX, 1, &reason,
                       &call->problem);
    }
    if (rc == RC_OK) {
        rc = read_end(call, state.paused_ms, &state.paused_until_ms);
    }
    if (rc == RC_OK) {
        snprintf(state.reason, sizeof(state.reason), "%s", reason);
        rc = apply(call, &state);
    }
    return rc == RC_OK ? answer_plugin(call) : rc;
}

int
plugins_resume(struct call *call)
{
    struct inbox_plugin state = {0};
    int rc = body_allow(call->body, "", &call->problem);
    if (rc == RC_OK) {
        rc = apply(call, &state);
    }
    return rc == RC_OK ? answer_plugin(call) : rc;
}
