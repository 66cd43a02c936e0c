/* core/admin/job.h: one job at work: a step of it, and how it is shown.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include "admin/plan.h"
#include "inbox/inbox.h"

#include <stdint.h>

struct jobs_request;

#define JOB_RUNNING   "running"
#define JOB_DONE      "done"
#define JOB_CANCELLED "cancelled"
#define JOB_FAILED    "failed"

#define JOB_TROUBLE_MAX 256

struct job {
    struct job *next;     /* of its list */
    struct inbox_job row; /* as stored; `moved` may be ahead */
    struct plan *plan;
    int64_t credit;    /* thousandths of a delivery that may be moved now */
    int64_t filled_ms; /* until when the credit was given; monotonic */
    int64_t next_ms;   /* no step before; monotonic */
    int is_unsure;     /* a step may have happened: look where it is */
    char trouble[JOB_TROUBLE_MAX]; /* why the last step failed, or "" */
};

/** A job from what was asked for; takes over its plan on success.
 * @return RC_OK, RC_INVALID with a problem, RC_NOMEM */
int job_make(struct job **out, const struct jobs_request *request,
             struct problem *problem);

/** Make the plan of a row from a former process.
 * @return as plan_init() */
int job_resume(struct job *job, const struct served *served, struct view *view,
               struct problem *problem, struct error *err);

/** One step, by what is served now; it may end the job.
 * @return RC_OK, or why nothing happened; with a problem it cannot go on */
int job_step(struct job *job, const struct served *served, struct view *view,
             struct inbox *inbox, struct problem *problem, struct error *err);

/** Put an end state into a row. */
void job_end(struct inbox_job *row, const char *state);

/** End a job that cannot go on as failed, and log why, if that can be stored.
 */
int job_give_up(struct job *job, struct inbox *inbox,
                const struct problem *problem, struct error *err);

/** Store a row alone; a new one gets its id. */
int job_store(struct inbox_job *row, struct inbox *inbox, struct error *err);

/** The row as the API shows it. NULL when out of memory. */
struct cJSON *job_json(const struct inbox_job *row, const char *trouble);

/** The number of "job_12"; 0 for anything else. */
int64_t job_parse_id(const char *text);

void job_log(const struct inbox_job *row, const char *what);
void job_free(struct job *job);

#endif
