/* core/admin/api.c: from a request to the resource that answers it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/api.h"

#include "admin/body.h"
#include "admin/call.h"
#include "admin/jobs.h"
#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "plugin/generation.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind API_PREFIX; {} is one part of the path. */
static const struct route {
    const char *method, *path;
    call_handler *handler;
} routes[] = {
    {"GET", "/status", status_get},
    {"GET", "/events", events_list},
    {"GET", "/events/{}", events_get},
    {"GET", "/events/{}/body", events_body},
    {"GET", "/events/{}/deliveries", events_deliveries},
    {"GET", "/events/{}/attempts", events_attempts},
    {"GET", "/events/{}/receipts", events_receipts},
    {"GET", "/dead-letters", dead_list},
    {"POST", "/replays", replays_post},
    {"POST", "/discards", discards_post},
    {"GET", "/jobs", jobs_list},
    {"GET", "/jobs/{}", jobs_get},
    {"POST", "/jobs/{}/cancel", jobs_cancel},
    {"GET", "/plugins", plugins_list},
    {"GET", "/plugins/{}", plugins_get},
    {"POST", "/plugins/{}/pause", plugins_pause},
    {"POST", "/plugins/{}/resume", plugins_resume},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* ---- Opening and closing -------------------------------------------- */

static int
list_served(struct api *api)
{
    const struct generation *generation = api->settings.generation;
    if (generation == NULL) {
        return RC_OK;
    }
    api->ids = calloc(generation->plugin_count + 1, sizeof(*api->ids));
    if (api->ids == NULL) {
        return RC_NOMEM;
    }
    for (size_t i = 0; i < generation->plugin_count; i++) {
        api->ids[i] = generation->plugins[i].id;
    }
    api->served.ids = api->ids;
    api->served.count = generation->plugin_count;
    api->served.known = 1;
    return RC_OK;
}

int
api_open(struct api **out, const struct api_settings *settings,
         struct error *err)
{
    struct api *api = calloc(1, sizeof(*api));
    if (api == NULL) {
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    api->settings = *settings;
    api->started_mono_ms = clock_mono_ms();
    pthread_mutex_init(&api->pausing, NULL);
    views_init(&api->views, settings->config->inbox_path, &api->served);
    if (list_served(api) != RC_OK || jobs_open(&api->jobs, api) != RC_OK) {
        api_close(api);
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    *out = api;
    return RC_OK;
}

void
api_set_url(struct api *api, const char *url)
{
    atomic_store(&api->url, url);
}

int64_t
api_turn(struct api *api)
{
    return jobs_turn(api->jobs);
}

int
api_start(struct api *api, struct error *err)
{
    return jobs_start(api->jobs, err);
}

void
api_close(struct api *api)
{
    if (api == NULL) {
        return;
    }
    jobs_close(api->jobs);
    views_fini(&api->views);
    pthread_mutex_destroy(&api->pausing);
    free(api->ids);
    free(api);
}

/* ---- Finding the resource ------------------------------------------- */

/* Whether `path` has that form; what stands for {} goes to `id`, undecoded. */
static int
matches(const char *form, const char *path, const char **id, size_t *id_len)
{
    while (*form != '\0') {
        if (*form == '{') {
            *id = path;
            *id_len = strcspn(path, "/");
            if (*id_len == 0) {
                return 0;
            }
            path += *id_len;
            form += strlen("{}");
        } else if (*form++ != *path++) {
            return 0;
        }
    }
    return *path == '\0';
}

static int
wrong_path(struct call *call, const char *allow)
{
    if (allow[0] == '\0') {
        return problem_set(&call->problem, PROBLEM_NOT_FOUND,
                           "there is nothing at this path");
    }
    snprintf(call->answer->allow, sizeof(call->answer->allow), "%s", allow);
    return problem_set(&call->problem, PROBLEM_METHOD, "this path takes %s",
                       allow);
}

static int
find_route(struct call *call, const struct api_request *request,
           const struct route **out)
{
    size_t prefix_len = strlen(API_PREFIX);
    const char *path = request->path, *id = NULL, *allow = "";
    size_t id_len = 0;
    if (strncmp(path, API_PREFIX, prefix_len) != 0) {
        return wrong_path(call, "");
    }
    for (size_t i = 0; i < ROUTES; i++) {
        if (!matches(routes[i].path, path + prefix_len, &id, &id_len)) {
            continue;
        }
        if (strcmp(routes[i].method, request->method) == 0) {
            *out = &routes[i];
            allow = NULL;
            break;
        }
        allow = routes[i].method; /* each path has one */
    }
    if (allow != NULL) {
        return wrong_path(call, allow);
    }
    if (id != NULL && (id_len >= sizeof(call->id) ||
                       query_decode(id, id_len, call->id) != RC_OK)) {
        return wrong_path(call, "");
    }
    return RC_OK;
}

/* ---- Answering ------------------------------------------------------ */

static int
answer(struct call *call, const struct api_request *request)
{
    const struct route *route = NULL;
    struct error err = {0};
    int rc = find_route(call, request, &route);
    if (rc == RC_OK) {
        rc = query_read(&call->query, request->query, &call->problem);
    }
    if (rc == RC_OK && strcmp(request->method, "POST") == 0) {
        rc = query_allow(&call->query, "", &call->problem);
        if (rc == RC_OK) {
            rc = body_read(&call->body, request->body, request->body_len,
                           &call->problem);
        }
    }
    if (rc == RC_OK) {
        rc = views_lend(&call->api->views, &call->view, &err);
    }
    return rc == RC_OK ? route->handler(call) : call_failed(call, rc, &err);
}

void
api_handle(struct api *api, const struct api_request *request,
           struct api_answer *out)
{
    struct call call = {.api = api, .answer = out};
    int rc = answer(&call, request);
    views_return(&api->views, call.view);
    query_fini(&call.query);
    cJSON_Delete(call.body);
    if (rc == RC_OK) {
        return;
    }
    if (call.problem.code == PROBLEM_NONE) {
        problem_set(&call.problem, PROBLEM_INTERNAL, "%s", rc_name(rc));
    }
    cJSON_Delete(out->json);
    free(out->bytes);
    out->bytes = NULL;
    out->status = problem_status(&call.problem);
    out->json = problem_json(&call.problem, request->path);
}

void
api_answer_fini(struct api_answer *out)
{
    cJSON_Delete(out->json);
    free(out->bytes);
    memset(out, 0, sizeof(*out));
}
