/* core/admin/bulk.c: replays and discards: from what was asked to a job.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/body.h"
#include "admin/call.h"
#include "admin/filter.h"
#include "admin/jobs.h"
#include "admin/plan.h"
#include "admin/show.h"
#include "clock.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_DEFAULT 20
#define RATE_MAX     100000
#define TOTAL_MAX    100000000

/* What the body says. Text is borrowed from it. */
struct asked {
    int is_discard, dry_run, all;
    const char *plugin, *state, *reason;
    int64_t rate;
};

static int
blame(struct call *call, const char *member)
{
    problem_blame(&call->problem, "", member, NULL);
    return RC_INVALID;
}

/* One plugin at a time: a job has one place where it is. */
static int
read_plugin(struct call *call, struct asked *asked)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(call->body, "plugins");
    int rc = body_text(call->body, "plugin", CALL_ID_MAX - 1, 0, &asked->plugin,
                       &call->problem);
    if (rc != RC_OK || list == NULL) {
        return rc;
    }
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(list, 0));
    if (!cJSON_IsArray(list) || name == NULL || list->child->next != NULL ||
        asked->plugin != NULL) {
        problem_set(&call->problem, PROBLEM_REFUSED,
                    "a replay goes to one plugin, or to all that had the "
                    "events");
        problem_hint(&call->problem, "ask once for each plugin");
        return blame(call, "plugins");
    }
    asked->plugin = name;
    return RC_OK;
}

static int
read_asked(struct call *call, struct asked *asked)
{
    struct problem *problem = &call->problem;
    int rc =
        body_allow(call->body,
                   asked->is_discard ? "event_ids filter reason dry_run all"
                                     : "event_ids filter plugin plugins state "
                                       "rate_per_second dry_run reason all",
                   problem);
    if (rc == RC_OK) {
        rc = read_plugin(call, asked);
    }
    if (rc == RC_OK) {
        rc = body_text(call->body, "state", 32, 0, &asked->state, problem);
    }
    if (rc == RC_OK) {
        rc = body_bool(call->body, "dry_run", &asked->dry_run, problem);
    }
    if (rc == RC_OK) {
        rc = body_bool(call->body, "all", &asked->all, problem);
    }
    if (rc == RC_OK) {
        rc = body_number(call->body, "rate_per_second", 0, RATE_MAX,
                         &asked->rate, problem);
    }
    if (rc == RC_OK) {
        rc = body_text(call->body, "reason", INBOX_REASON_MAX,
                       asked->is_discard && !asked->dry_run, &asked->reason,
                       problem);
    }
    return rc;
}

/* ---- The filter ----------------------------------------------------- */

/* The filter's object, with event_ids and state in it; never NULL on RC_OK. */
static int
gather(struct call *call, const struct asked *asked, cJSON **out)
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(call->body, "filter");
    const cJSON *ids =
        cJSON_GetObjectItemCaseSensitive(call->body, "event_ids");
    if (given != NULL && !cJSON_IsObject(given)) {
        problem_set(&call->problem, PROBLEM_BODY, "\"filter\" is an object");
        return blame(call, "filter");
    }
    cJSON *object =
        given != NULL ? cJSON_Duplicate(given, 1) : cJSON_CreateObject();
    /* Less than what was asked for would be about more events. */
    if (object == NULL ||
        (ids != NULL &&
         !cJSON_AddItemToObject(object, "id", cJSON_Duplicate(ids, 1))) ||
        (asked->state != NULL &&
         cJSON_AddStringToObject(object, "state", asked->state) == NULL)) {
        cJSON_Delete(object);
        return RC_NOMEM;
    }
    *out = object;
    return RC_OK;
}

/* What was asked for with a bound: what arrives while the job runs is not
 * meant, and would let it run for ever. */
static void
bound(struct view_filter *filter)
{
    int64_t before_ms = clock_wall_ms() + 1;
    if (filter->id_count == 0 && (filter->received_before_ms == 0 ||
                                  filter->received_before_ms > before_ms)) {
        filter->received_before_ms = before_ms;
    }
}

static int
judge(struct call *call, const struct asked *asked,
      const struct view_filter *filter)
{
    if (!filter_narrows(filter) && !asked->all) {
        problem_set(&call->problem, PROBLEM_TOO_WIDE,
                    "this would be about every event in the inbox");
        problem_hint(&call->problem, "narrow the filter, or say \"all\": true");
        return RC_INVALID;
    }
    if (asked->is_discard && filter->state >= 0 && filter->state != VIEW_DEAD) {
        problem_set(&call->problem, PROBLEM_REFUSED,
                    "only dead letters can be discarded");
        problem_blame(&call->problem, "/filter", "state", "dead");
        return RC_INVALID;
    }
    return RC_OK;
}

static int
make_spec(struct call *call, const struct asked *asked, cJSON **out)
{
    struct view_filter filter;
    cJSON *object;
    int rc = gather(call, asked, &object);
    if (rc != RC_OK) {
        return rc;
    }
    rc = filter_read(&filter, object, "/filter", &call->problem);
    if (rc == RC_OK) {
        rc = judge(call, asked, &filter);
    }
    if (rc == RC_OK) {
        bound(&filter);
        cJSON *spec = cJSON_CreateObject();
        cJSON_AddItemToObject(spec, "filter", filter_json(&filter));
        if (asked->plugin != NULL) {
            cJSON_AddStringToObject(spec, "plugin", asked->plugin);
        }
        *out = spec;
        rc = spec != NULL ? RC_OK : RC_NOMEM;
    }
    cJSON_Delete(object);
    return rc;
}

/* ---- Doing it ------------------------------------------------------- */

static int
answer_dry(struct call *call, const struct plan_count *count)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "dry_run");
    show_number(json, "count", count->count);
    cJSON_AddBoolToObject(json, "count_exact", count->exact);
    show_time(json, "oldest", count->oldest_ms);
    show_number(json, "left_out", count->left_out);
    return call_answer(call, 200, json);
}

/* A job is told how far it is; nothing is wrong when that takes too long. */
static void
count_all(struct call *call, const struct plan *plan, struct plan_count *count)
{
    int64_t total;
    if (!count->exact && view_count(call->view, &plan->selection, TOTAL_MAX,
                                    &total, NULL) == RC_OK) {
        count->count = total;
        count->exact = total < TOTAL_MAX;
    }
}

static int
begin_job(struct call *call, const struct asked *asked, struct plan *plan,
          const struct plan_count *count)
{
    const struct jobs_request request = {
        .plan = plan,
        .count = count,
        .reason = asked->reason,
        .rate = asked->is_discard ? 0 : asked->rate,
    };
    struct error err = {0};
    cJSON *json = NULL;
    int64_t id = 0;
    int rc =
        jobs_begin(call->api->jobs, &request, &id, &json, &call->problem, &err);
    if (rc != RC_OK) {
        return call_failed(call, rc, &err);
    }
    snprintf(call->answer->location, sizeof(call->answer->location),
             API_PREFIX "/jobs/job_%lld", (long long)id);
    return call_answer(call, 202, json);
}

static int
handle(struct call *call, struct asked *asked)
{
    struct plan_count count;
    struct error err = {0};
    cJSON *spec = NULL;
    int rc = read_asked(call, asked);
    if (rc == RC_OK) {
        rc = make_spec(call, asked, &spec);
    }
    if (rc != RC_OK) {
        return rc;
    }
    struct plan *plan = malloc(sizeof(*plan));
    if (plan == NULL) {
        cJSON_Delete(spec);
        return call_failed(call, RC_NOMEM, &err);
    }
    rc = plan_init(plan, &call->served, call->view, asked->is_discard, spec,
                   &call->problem, &err);
    if (rc != RC_OK) {
        free(plan);
        return call_failed(call, rc, &err);
    }
    rc = plan_count(plan, call->view, &count, &err);
    if (rc == RC_OK && !asked->dry_run) {
        count_all(call, plan, &count);
        return begin_job(call, asked, plan, &count);
    }
    plan_fini(plan);
    free(plan);
    return rc == RC_OK ? answer_dry(call, &count) : call_failed(call, rc, &err);
}

int
replays_post(struct call *call)
{
    struct asked asked = {.rate = RATE_DEFAULT};
    return handle(call, &asked);
}

int
discards_post(struct call *call)
{
    struct asked asked = {.is_discard = 1};
    return handle(call, &asked);
}
