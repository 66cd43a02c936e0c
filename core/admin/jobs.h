/* core/admin/jobs.h: replays and discards at work.
 *
 * A job goes on in steps of at most INBOX_ITEMS_MAX deliveries. Each step is
 * one action of the inbox, in which the place where the job is is stored too:
 * a restart goes on behind it. Jobs take turns; a step that fails is tried
 * again after a second.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JOBS_H
#define CORE_JOBS_H

#include "admin/plan.h"

#include <stdint.h>

struct api;
struct jobs; /* opaque */

/** At work at the same time. */
#define JOBS_MAX 32

/** After a step that failed. */
#define JOBS_AGAIN_MS 1000

/** @return RC_OK or RC_NOMEM */
int jobs_open(struct jobs **out, const struct api *api);

/** Take up the jobs of a former process, and start a thread that turns.
 * @return RC_OK, RC_IO, RC_NOMEM, or what the inbox said */
int jobs_start(struct jobs *jobs, struct error *err);

/** One step of one job. @return as api_turn() */
int64_t jobs_turn(struct jobs *jobs);

/** Stop the thread and free all. Accepts NULL. */
void jobs_close(struct jobs *jobs);

struct jobs_request {
    struct plan *plan; /* from malloc(); taken over, also on failure */
    const struct plan_count *count;
    const char *reason; /* NULL for none */
    int64_t rate;       /* a second; 0: no limit */
};

/**
 * Begin a job, as soon as it is stored.
 *
 * @param json  gets the job as the API shows it; NULL when out of memory
 * @return RC_OK; RC_INVALID with a problem; or what the inbox said
 */
int jobs_begin(struct jobs *jobs, const struct jobs_request *request,
               int64_t *id, struct cJSON **json, struct problem *problem,
               struct error *err);

/** Why the last step of a job failed, or ""; JOB_TROUBLE_MAX bytes. */
void jobs_trouble(struct jobs *jobs, int64_t id, char *out);

/**
 * End a job between two steps, whether it is at work here or was left over.
 *
 * @param row  gets it as it is then
 * @return RC_OK; RC_INVALID with a problem: it has ended; or what the inbox
 * said
 */
int jobs_end(struct jobs *jobs, struct view *view, int64_t id,
             struct inbox_job *row, struct problem *problem, struct error *err);

#endif
