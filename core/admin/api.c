/* core/admin/api.c: from a request to the resource that answers it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/api.h"

#include "admin/body.h"
#include "admin/call.h"
#include "admin/jobs.h"
#include "clock.h"
#include "error.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind API_PREFIX; {} is one part of the path. */
static const struct route {
    const char *method, *path;
    call_handler *handler;
    int holds_nothing; /* it waits for what is served to change: with a view and
                          a generation in its hands others would wait for it */
} routes[] = {
    {"GET", "/status", status_get, 0},
    {"GET", "/events", events_list, 0},
    {"GET", "/events/{}", events_get, 0},
    {"GET", "/events/{}/body", events_body, 0},
    {"GET", "/events/{}/deliveries", events_deliveries, 0},
    {"GET", "/events/{}/attempts", events_attempts, 0},
    {"GET", "/events/{}/receipts", events_receipts, 0},
    {"GET", "/dead-letters", dead_list, 0},
    {"POST", "/replays", replays_post, 0},
    {"POST", "/discards", discards_post, 0},
    {"GET", "/jobs", jobs_list, 0},
    {"GET", "/jobs/{}", jobs_get, 0},
    {"POST", "/jobs/{}/cancel", jobs_cancel, 0},
    {"GET", "/plugins", plugins_list, 0},
    {"GET", "/plugins/{}", plugins_get, 0},
    {"POST", "/plugins/{}/pause", plugins_pause, 0},
    {"POST", "/plugins/{}/resume", plugins_resume, 0},
    {"POST", "/reload", reload_post, 1},
    {"POST", "/rollback", rollback_post, 1},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* ---- Opening and closing -------------------------------------------- */

int
api_open(struct api **out, const struct api_settings *settings,
         struct error *err)
{
    struct api *api = calloc(1, sizeof(*api));
    if (api == NULL) {
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    api->settings = *settings;
    api->settings.inbox_path = api->path = strdup(settings->inbox_path);
    api->started_mono_ms = clock_mono_ms();
    pthread_mutex_init(&api->pausing, NULL);
    api_attach(api, settings->server, settings->reload);
    views_init(&api->views, api->path);
    if (api->path == NULL || jobs_open(&api->jobs, api) != RC_OK) {
        api_close(api);
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    *out = api;
    return RC_OK;
}

void
api_attach(struct api *api, struct server *server, struct reload *reload)
{
    atomic_store(&api->server, server);
    atomic_store(&api->reload, reload);
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
    free(api->path);
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
    if (rc == RC_OK && !route->holds_nothing) {
        rc = served_hold(&call->served, &call->api->settings, &err);
        if (rc == RC_OK) {
            rc = views_lend(&call->api->views, &call->served.plugins,
                            &call->view, &err);
        }
    }
    return rc == RC_OK ? route->handler(call) : call_failed(call, rc, &err);
}

static void
tell_problem(struct call *call, int rc, const char *path)
{
    struct api_answer *out = call->answer;
    if (call->problem.code == PROBLEM_NONE) {
        problem_set(&call->problem, PROBLEM_INTERNAL, "%s", rc_name(rc));
    }
    cJSON_Delete(out->json);
    free(out->bytes);
    out->bytes = NULL;
    out->status = problem_status(&call->problem);
    out->json = problem_json(&call->problem, path);
    problem_add(out->json, call->members);
}

void
api_handle(struct api *api, const struct api_request *request,
           struct api_answer *out)
{
    struct call call = {.api = api, .answer = out};
    int rc = answer(&call, request);
    views_return(&api->views, call.view);
    served_drop(&call.served);
    query_fini(&call.query);
    cJSON_Delete(call.body);
    if (rc != RC_OK) {
        tell_problem(&call, rc, request->path);
    }
    cJSON_Delete(call.members);
}

void
api_answer_fini(struct api_answer *out)
{
    cJSON_Delete(out->json);
    free(out->bytes);
    memset(out, 0, sizeof(*out));
}
