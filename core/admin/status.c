/* core/admin/status.c: the whole in a few figures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/call.h"
#include "admin/roster.h"
#include "admin/show.h"
#include "clock.h"
#include "delivery/dispatcher.h"
#include "plugin/generation.h"

#include <cjson/cJSON.h>

/* Loops that have not turned for this long are stuck; a store that hangs in a
 * flush for the second cannot take a post. */
#define LIVE_MS  10000
#define READY_MS 5000

static void
add_health(cJSON *json, const struct api_settings *settings)
{
    int64_t writer_ms = inbox_stalled_ms(settings->inbox);
    int64_t loop_ms = settings->dispatcher != NULL
                          ? dispatcher_stalled_ms(settings->dispatcher)
                          : 0;
    cJSON_AddBoolToObject(json, "ready",
                          inbox_ready(settings->inbox) && writer_ms < READY_MS);
    cJSON_AddBoolToObject(json, "live",
                          writer_ms < LIVE_MS && loop_ms < LIVE_MS);
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

static void
add_plugins(cJSON *json, const struct call *call, const struct roster *roster)
{
    int64_t pending = 0, dead = 0, oldest_ms = 0;
    cJSON *list = cJSON_AddArrayToObject(json, "plugins");
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_entry *entry = &roster->entries[i];
        cJSON_AddItemToArray(list, plugins_json(call, entry));
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
}

int
status_get(struct call *call)
{
    const struct api_settings *settings = &call->api->settings;
    struct error err = {0};
    struct roster roster;
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc == RC_OK) {
        rc = roster_read(&roster, call->api, call->view, &err);
    }
    if (rc != RC_OK) {
        return call_failed(call, rc, &err);
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "status");
    show_text(json, "version", PEGBOARD_VERSION);
    cJSON_AddBoolToObject(json, "offline", settings->generation == NULL);
    show_seconds(json, "uptime_seconds",
                 (clock_mono_ms() - call->api->started_mono_ms) * 1000);
    show_text(json, "url", atomic_load(&call->api->url));
    if (settings->generation != NULL) {
        show_number(json, "generation", settings->generation->number);
    } else {
        cJSON_AddNullToObject(json, "generation");
    }
    add_health(json, settings);
    add_plugins(json, call, &roster);
    add_figures(json, settings->inbox);
    roster_fini(&roster);
    return call_answer(call, 200, json);
}
