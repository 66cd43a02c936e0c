/* core/admin/job.c: one job at work.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/job.h"

#include "admin/jobs.h"
#include "admin/problem.h"
#include "admin/show.h"
#include "clock.h"
#include "error.h"
#include "log.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With a rate, steps are this long: smaller ones would be a flush for each
 * delivery, larger ones bursts. */
#define STEP_MS 250

/* ---- Making and ending ---------------------------------------------- */

int
job_make(struct job **out, const struct jobs_request *request,
         struct problem *problem)
{
    struct plan *plan = request->plan;
    cJSON_AddNumberToObject(plan->spec, "left_out",
                            (double)request->count->left_out);
    char *spec = cJSON_PrintUnformatted(plan->spec);
    struct job *job = calloc(1, sizeof(*job));
    int rc = spec != NULL && job != NULL ? RC_OK : RC_NOMEM;
    if (rc == RC_OK && strlen(spec) > INBOX_FILTER_MAX) {
        rc =
            problem_set(problem, PROBLEM_REFUSED,
                        "the filter is longer than %d bytes", INBOX_FILTER_MAX);
        problem_hint(problem, "ask in several parts");
    }
    if (rc != RC_OK) {
        cJSON_free(spec);
        free(job);
        return rc;
    }
    struct inbox_job *row = &job->row;
    snprintf(row->kind, sizeof(row->kind), "%s",
             plan->is_discard ? "discard" : "replay");
    snprintf(row->state, sizeof(row->state), "%s", JOB_RUNNING);
    snprintf(row->reason, sizeof(row->reason), "%s",
             request->reason != NULL ? request->reason : "");
    snprintf(row->filter, sizeof(row->filter), "%s", spec);
    row->created_ms = clock_wall_ms();
    row->rate = request->rate;
    row->total = request->count->exact ? request->count->count : -1;
    plan->served = NULL; /* that of the call; each step has its own */
    job->plan = plan;
    cJSON_free(spec);
    *out = job;
    return RC_OK;
}

int
job_resume(struct job *job, const struct served *served, struct view *view,
           struct problem *problem, struct error *err)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    if (plan == NULL) {
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    int rc =
        plan_init(plan, served, view, strcmp(job->row.kind, "discard") == 0,
                  cJSON_Parse(job->row.filter), problem, err);
    if (rc != RC_OK) {
        free(plan);
        return rc;
    }
    plan->served = NULL;
    job->plan = plan;
    return RC_OK;
}

void
job_end(struct inbox_job *row, const char *state)
{
    snprintf(row->state, sizeof(row->state), "%s", state);
    row->ended_ms = clock_wall_ms();
}

static int
explain(int rc, struct error *err)
{
    return rc == RC_OK ? RC_OK
                       : error_set(err, rc, "the inbox did not store it: %s",
                                   rc_name(rc));
}

int
job_store(struct inbox_job *row, struct inbox *inbox, struct error *err)
{
    struct inbox_action action = {
        .kind = INBOX_KEEP_JOB, .job = row, .now_ms = clock_wall_ms()};
    return explain(inbox_act(inbox, &action), err);
}

void
job_free(struct job *job)
{
    if (job->plan != NULL) {
        plan_fini(job->plan);
        free(job->plan);
    }
    free(job);
}

void
job_log(const struct inbox_job *row, const char *what)
{
    struct log_value reason;
    log_write(LOG_INFO, "admin", what,
              "job=%lld kind=%s state=%s moved=%lld reason=%s",
              (long long)row->id, row->kind, row->state, (long long)row->moved,
              log_quote(&reason, row->reason, strlen(row->reason)));
}

/* ---- One step ------------------------------------------------------- */

/* How many may be moved now: a bucket that fills at the job's rate, and holds
 * one step. When it is not full enough, next_ms says when it is. */
static size_t
allowance(struct job *job)
{
    int64_t now_ms = clock_mono_ms(), rate = job->row.rate;
    if (rate == 0) {
        return INBOX_ITEMS_MAX;
    }
    int64_t step = rate * STEP_MS / 1000;
    step = step < 1 ? 1 : step;
    step = step > INBOX_ITEMS_MAX ? INBOX_ITEMS_MAX : step;
    int64_t full = step * 1000;
    job->credit = job->filled_ms == 0
                      ? full
                      : job->credit + (now_ms - job->filled_ms) * rate;
    job->filled_ms = now_ms;
    if (job->credit < full) {
        job->next_ms = now_ms + (full - job->credit + rate - 1) / rate;
        return 0;
    }
    job->credit = full;
    return (size_t)step;
}

static int
on_stored(void *arg, const struct inbox_job *row)
{
    struct job *job = arg;
    job->row.after = row->after;
    job->row.moved = row->moved;
    return 0;
}

/* After an outcome that nobody knows: where is it really? */
static int
look_again(struct job *job, struct view *view, struct error *err)
{
    if (!job->is_unsure) {
        return RC_OK;
    }
    int rc = view_jobs(view, job->row.id, 1, on_stored, job, err);
    job->is_unsure = rc != RC_OK;
    return rc;
}

/* Act upon the items, and store that the job stands at `after` now. */
static int
move(struct job *job, struct inbox *inbox, const struct inbox_item *items,
     size_t count, struct inbox_item after, struct error *err)
{
    struct inbox_job row = job->row;
    row.after = after;
    row.moved += (int64_t)count;
    struct inbox_action action = {
        .kind = job->plan->is_discard ? INBOX_DISCARD_ALL : INBOX_REPLAY_ALL,
        .items = items,
        .item_count = count,
        .note = row.reason,
        .job = &row,
        .now_ms = clock_wall_ms(),
    };
    int rc = inbox_act(inbox, &action);
    job->is_unsure = rc == RC_UNKNOWN;
    if (rc == RC_OK) {
        /* Some were under way by now; the row learns of it next time. */
        job->row.moved += (int64_t)action.changed;
        job->row.after = after;
    }
    return explain(rc, err);
}

static int
finish(struct job *job, struct inbox *inbox, const char *state,
       struct error *err)
{
    struct inbox_job row = job->row;
    job_end(&row, state);
    int rc = job_store(&row, inbox, err);
    if (rc == RC_OK) {
        /* Not its id: others find it by that meanwhile. */
        memcpy(job->row.state, row.state, sizeof(row.state));
        job->row.ended_ms = row.ended_ms;
    }
    return rc;
}

static int
step(struct job *job, struct view *view, struct inbox *inbox, struct error *err)
{
    struct inbox_item items[INBOX_ITEMS_MAX];
    size_t count = 0;
    int more = 1;
    int64_t left_out = 0;
    int rc = look_again(job, view, err);
    if (rc != RC_OK) {
        return rc;
    }
    size_t max = allowance(job);
    if (max == 0) {
        return RC_OK;
    }
    struct inbox_item after = job->row.after;
    rc = plan_next(job->plan, view, &after, items, max, &count, &more,
                   &left_out, err);
    if (rc == RC_OK && count > 0) {
        rc = move(job, inbox, items, count, after, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    job->row.after = after;
    job->credit -= (int64_t)count * 1000;
    return more ? RC_OK : finish(job, inbox, JOB_DONE, err);
}

int
job_step(struct job *job, const struct served *served, struct view *view,
         struct inbox *inbox, struct problem *problem, struct error *err)
{
    job->plan->served = served;
    int rc = plan_check_target(job->plan, problem);
    if (rc == RC_OK) {
        rc = step(job, view, inbox, err);
    }
    job->plan->served = NULL;
    return rc;
}

int
job_give_up(struct job *job, struct inbox *inbox, const struct problem *problem,
            struct error *err)
{
    struct log_value detail;
    int rc = finish(job, inbox, JOB_FAILED, err);
    if (rc == RC_OK) {
        log_write(LOG_ERROR, "admin", "job cannot go on",
                  "job=%lld detail=%s action=failed", (long long)job->row.id,
                  log_quote(&detail, problem->detail, strlen(problem->detail)));
    }
    return rc;
}

/* ---- Showing -------------------------------------------------------- */

int64_t
job_parse_id(const char *text)
{
    size_t prefix = strlen("job_");
    if (strncmp(text, "job_", prefix) != 0) {
        return 0;
    }
    size_t digits = strspn(text + prefix, "0123456789");
    if (digits == 0 || digits > 18 || text[prefix + digits] != '\0') {
        return 0;
    }
    return strtoll(text + prefix, NULL, 10);
}

/* What was asked for, from the stored text. */
static void
add_spec(cJSON *json, const char *text)
{
    cJSON *spec = cJSON_Parse(text);
    cJSON *filter = cJSON_DetachItemFromObjectCaseSensitive(spec, "filter");
    const cJSON *left = cJSON_GetObjectItemCaseSensitive(spec, "left_out");
    show_text(
        json, "plugin",
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(spec, "plugin")));
    cJSON_AddItemToObject(json, "filter",
                          filter != NULL ? filter : cJSON_CreateObject());
    show_number(json, "left_out",
                cJSON_IsNumber(left) ? (int64_t)left->valuedouble : 0);
    cJSON_Delete(spec);
}

cJSON *
job_json(const struct inbox_job *row, const char *trouble)
{
    char id[32];
    int64_t ended = row->done + row->dead;
    cJSON *json = cJSON_CreateObject();
    snprintf(id, sizeof(id), "job_%lld", (long long)row->id);
    cJSON_AddStringToObject(json, "object", "job");
    show_text(json, "id", id);
    show_text(json, "kind", row->kind);
    show_text(json, "state", row->state);
    show_text(json, "reason", row->reason);
    add_spec(json, row->filter);
    show_number(json, "rate_per_second", row->rate);
    if (row->total < 0) {
        cJSON_AddNullToObject(json, "total");
    } else {
        show_number(json, "total", row->total);
    }
    show_number(json, "moved", row->moved);
    show_number(json, "done", row->done);
    show_number(json, "dead", row->dead);
    show_number(json, "waiting",
                strcmp(row->kind, "replay") == 0 && row->moved > ended
                    ? row->moved - ended
                    : 0);
    show_time(json, "created_at", row->created_ms);
    show_time(json, "ended_at", row->ended_ms);
    show_text(json, "trouble", trouble);
    return json;
}
