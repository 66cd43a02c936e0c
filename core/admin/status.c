/* core/admin/status.c: the whole in a few figures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/call.h"
#include "admin/readiness.h"
#include "admin/reloads.h"
#include "admin/roster.h"
#include "admin/show.h"
#include "clock.h"
#include "http/server.h"
#include "plugin/generation.h"
#include "plugin/supervisor.h"
#include "reload/reload.h"

#include <cjson/cJSON.h>

static void
add_health(cJSON *json, const struct api_settings *settings)
{
    struct readiness readiness;
    readiness_read(&readiness, settings);
    cJSON_AddBoolToObject(json, "ready", readiness.is_ready);
    cJSON_AddBoolToObject(json, "live", readiness.is_live);
}

static void
add_figures(cJSON *json, struct inbox *inbox)
{
    struct inbox_stats stats;
    inbox_stats(inbox, &stats);
    cJSON *figures = cJSON_AddObjectToObject(json, "inbox");
    show_number(figures, "events", (int64_t)stats.events);
    show_number(figures, "duplicates", (int64_t)stats.duplicates);
    show_number(figures, "deliveries", (int64_t)stats.deliveries);
    show_number(figures, "closed", (int64_t)stats.closed);
    show_number(figures, "buried", (int64_t)stats.buried);
    show_number(figures, "commits", (int64_t)stats.commits);
    show_number(figures, "failures", (int64_t)stats.failures);
    show_number(figures, "pruned", (int64_t)stats.pruned);
}

/* Returns whether somebody should look at one. */
static int
add_plugins(cJSON *json, const struct call *call, const struct roster *roster)
{
    int is_bad = 0;
    int64_t pending = 0, dead = 0, oldest_ms = 0;
    cJSON *list = cJSON_AddArrayToObject(json, "plugins");
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_entry *entry = &roster->entries[i];
        cJSON_AddItemToArray(list, plugins_json(call, entry, &is_bad));
        pending += entry->pending;
        dead += entry->dead;
        if (entry->oldest_ms != 0 &&
            (oldest_ms == 0 || entry->oldest_ms < oldest_ms)) {
            oldest_ms = entry->oldest_ms;
        }
    }
    show_number(json, "pending", pending);
    show_number(json, "dead", dead);
    show_time(json, "oldest_pending_at", oldest_ms);
    return is_bad;
}

static void
add_reload(cJSON *json, const struct reload_last *last)
{
    cJSON_AddBoolToObject(json, "reloading", last->is_running);
    if (last->count == 0) {
        cJSON_AddNullToObject(json, "last_reload");
        return;
    }
    cJSON *reload = cJSON_AddObjectToObject(json, "last_reload");
    show_time(reload, "at", last->at_ms);
    show_text(reload, "kind", reloads_kind_name(last->kind));
    show_text(reload, "result", reload_end_name(last->end));
    show_text(reload, "detail", last->why);
    show_time(reload, "good_at", last->good_ms);
}

static void
add_serving(cJSON *json, const struct call *call)
{
    struct server *server = atomic_load(&call->api->server);
    struct supervisor *supervisor = call->api->settings.supervisor;
    const struct generation *generation = call->served.generation;
    char url[SERVER_URL_MAX];
    show_text(json, "url", server != NULL ? server_url(server, url) : "");
    if (generation != NULL) {
        show_number(json, "generation", generation->number);
    } else {
        cJSON_AddNullToObject(json, "generation");
    }
    show_number(json, "runners",
                supervisor != NULL ? supervisor_runners(supervisor) : 0);
}

int
status_get(struct call *call)
{
    const struct api_settings *settings = &call->api->settings;
    struct reload_last last;
    struct error err = {0};
    struct roster roster;
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc == RC_OK) {
        rc = roster_read(&roster, call->view, &err);
    }
    if (rc != RC_OK) {
        return call_failed(call, rc, &err);
    }
    reloads_last(call->api, &last);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "status");
    show_text(json, "version", PEGBOARD_VERSION);
    cJSON_AddBoolToObject(json, "offline", settings->serving == NULL);
    show_seconds(json, "uptime_seconds",
                 (clock_mono_ms() - call->api->started_mono_ms) * 1000);
    add_serving(json, call);
    add_health(json, settings);
    int is_bad = add_plugins(json, call, &roster);
    cJSON_AddBoolToObject(json, "degraded", is_bad || reloads_is_bad(&last));
    add_reload(json, &last);
    add_figures(json, settings->inbox);
    roster_fini(&roster);
    return call_answer(call, 200, json);
}
