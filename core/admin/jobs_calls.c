/* core/admin/jobs_calls.c: jobs as resources.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/body.h"
#include "admin/call.h"
#include "admin/job.h"
#include "admin/jobs.h"
#include "admin/show.h"

#include <cjson/cJSON.h>

#include <string.h>

/* The newest are shown; those at work are among them. */
#define SHOWN_MAX 100

struct rows {
    struct jobs *jobs;
    cJSON *list; /* NULL: there is one */
    cJSON *one;
    int rc;
};

static int
on_row(void *arg, const struct inbox_job *row)
{
    struct rows *rows = arg;
    char trouble[JOB_TROUBLE_MAX];
    jobs_trouble(rows->jobs, row->id, trouble);
    cJSON *json = job_json(row, trouble);
    if (rows->list != NULL) {
        rows->rc = show_push(rows->list, json) ? RC_NOMEM : RC_OK;
        return rows->rc != RC_OK;
    }
    rows->one = json;
    rows->rc = json != NULL ? RC_OK : RC_NOMEM;
    return 0;
}

int
jobs_list(struct call *call)
{
    struct error err = {0};
    struct rows rows = {.jobs = call->api->jobs};
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc != RC_OK) {
        return rc;
    }
    rows.list = show_list();
    rc = rows.list == NULL
             ? RC_NOMEM
             : view_jobs(call->view, 0, SHOWN_MAX, on_row, &rows, &err);
    rc = rc == RC_OK ? rows.rc : rc;
    if (rc != RC_OK) {
        cJSON_Delete(rows.list);
        return call_failed(call, rc, &err);
    }
    return call_answer(call, 200, rows.list);
}

/* The job of the path, into *id and *json. */
static int
find_job(struct call *call, int64_t *id, cJSON **json)
{
    struct error err = {0};
    struct rows rows = {.jobs = call->api->jobs};
    *id = job_parse_id(call->id);
    int rc =
        *id > 0 ? view_jobs(call->view, *id, 1, on_row, &rows, &err) : RC_OK;
    rc = rc == RC_OK ? rows.rc : rc;
    if (rc == RC_OK && rows.one == NULL) {
        problem_set(&call->problem, PROBLEM_NO_JOB, "there is no job \"%.64s\"",
                    call->id);
        rc = RC_NOT_FOUND;
    }
    *json = rows.one;
    return call_failed(call, rc, &err);
}

int
jobs_get(struct call *call)
{
    cJSON *json = NULL;
    int64_t id;
    int rc = query_allow(&call->query, "", &call->problem);
    if (rc == RC_OK) {
        rc = find_job(call, &id, &json);
    }
    return rc == RC_OK ? call_answer(call, 200, json) : rc;
}

int
jobs_cancel(struct call *call)
{
    struct error err = {0};
    struct inbox_job row;
    cJSON *json = NULL;
    int64_t id;
    int rc = body_allow(call->body, "", &call->problem);
    if (rc == RC_OK) {
        rc = find_job(call, &id, &json);
    }
    cJSON_Delete(json);
    if (rc == RC_OK) {
        rc = jobs_end(call->api->jobs, call->view, id, &row, &call->problem,
                      &err);
    }
    return rc == RC_OK ? call_answer(call, 200, job_json(&row, ""))
                       : call_failed(call, rc, &err);
}
