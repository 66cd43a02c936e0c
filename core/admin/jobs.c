/* core/admin/jobs.c: replays and discards at work.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/jobs.h"

#include "admin/call.h"
#include "admin/job.h"
#include "clock.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct jobs {
    const struct api *api;
    pthread_mutex_t turn; /* held over a step; before `lock` */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first; /* changed with both held, so either may read */
    size_t count;
    struct view *view; /* of the steps; guarded by turn */
    pthread_t thread;
    int has_thread;
    int news;     /* a job was begun; guarded by lock */
    int stopping; /* guarded by lock */
};

int
jobs_open(struct jobs **out, const struct api *api)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    if (jobs == NULL) {
        return RC_NOMEM;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&jobs->turn, NULL);
    pthread_mutex_init(&jobs->lock, NULL);
    jobs->api = api;
    *out = jobs;
    return RC_OK;
}

/* ---- The list ------------------------------------------------------- */

/* Behind the others: each has its turn. */
static void
append(struct jobs *jobs, struct job *job)
{
    pthread_mutex_lock(&jobs->lock);
    struct job **end = &jobs->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    job->next = NULL;
    *end = job;
    jobs->count++;
    pthread_mutex_unlock(&jobs->lock);
}

/* Take it out of the list. */
static void
take_out(struct jobs *jobs, struct job *job)
{
    pthread_mutex_lock(&jobs->lock);
    for (struct job **at = &jobs->first; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            jobs->count--;
            break;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
}

static struct job *
find(const struct jobs *jobs, int64_t id)
{
    struct job *job = jobs->first;
    while (job != NULL && job->row.id != id) {
        job = job->next;
    }
    return job;
}

/* ---- Turning -------------------------------------------------------- */

static void
note_trouble(struct jobs *jobs, struct job *job, int rc,
             const struct error *err)
{
    char text[sizeof(job->trouble)] = "";
    if (rc != RC_OK) {
        snprintf(text, sizeof(text), "%s",
                 err->text[0] != '\0' ? err->text : rc_name(rc));
    }
    int is_new = job->trouble[0] == '\0' && rc != RC_OK;
    pthread_mutex_lock(&jobs->lock);
    memcpy(job->trouble, text, sizeof(text));
    pthread_mutex_unlock(&jobs->lock);
    if (is_new) {
        struct log_value detail;
        log_write(LOG_WARN, "admin", "job step failed",
                  "job=%lld rc=%s detail=%s action=try_again",
                  (long long)job->row.id, rc_name(rc),
                  log_quote(&detail, text, strlen(text)));
    }
}

static int
open_view(struct jobs *jobs, struct error *err)
{
    if (jobs->view != NULL) {
        return RC_OK;
    }
    return view_open(&jobs->view, jobs->api->settings.inbox_path, err);
}

/* Hold what is served, and look at the inbox so; end_look() after it. */
static int
begin_look(struct jobs *jobs, struct served *served, struct error *err)
{
    int rc = served_hold(served, &jobs->api->settings, err);
    if (rc == RC_OK) {
        rc = open_view(jobs, err);
    }
    if (rc == RC_OK) {
        view_set_plugins(jobs->view, &served->plugins);
    }
    return rc;
}

static void
end_look(struct jobs *jobs, struct served *served)
{
    if (jobs->view != NULL) {
        view_set_plugins(jobs->view, NULL);
    }
    served_drop(served);
}

static struct job *
find_due(const struct jobs *jobs, int64_t now_ms)
{
    struct job *job = jobs->first;
    while (job != NULL && job->next_ms > now_ms) {
        job = job->next;
    }
    return job;
}

static int
step(struct jobs *jobs, struct job *job, struct error *err)
{
    struct served served = {0};
    struct problem problem = {0};
    int rc = begin_look(jobs, &served, err);
    if (rc == RC_OK) {
        rc = job_step(job, &served, jobs->view, jobs->api->settings.inbox,
                      &problem, err);
    }
    if (problem.code != PROBLEM_NONE) {
        rc = job_give_up(job, jobs->api->settings.inbox, &problem, err);
    }
    end_look(jobs, &served);
    return rc;
}

static void
turn_one(struct jobs *jobs, struct job *job)
{
    struct error err = {0};
    int rc = step(jobs, job, &err);
    note_trouble(jobs, job, rc, &err);
    if (rc != RC_OK) {
        job->next_ms = clock_mono_ms() + JOBS_AGAIN_MS;
    }
    take_out(jobs, job);
    if (strcmp(job->row.state, JOB_RUNNING) == 0) {
        append(jobs, job);
    } else {
        job_log(&job->row, "job ended");
        job_free(job);
    }
}

int64_t
jobs_turn(struct jobs *jobs)
{
    int64_t next_ms = INT64_MAX;
    pthread_mutex_lock(&jobs->turn);
    struct job *due = find_due(jobs, clock_mono_ms());
    if (due != NULL) {
        turn_one(jobs, due);
    }
    for (const struct job *job = jobs->first; job != NULL; job = job->next) {
        next_ms = job->next_ms < next_ms ? job->next_ms : next_ms;
    }
    pthread_mutex_unlock(&jobs->turn);
    return next_ms;
}

/* Wait for that time, or for a new job. Returns 0 to stop. */
static int
rest(struct jobs *jobs, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000,
                             .tv_nsec = until_ms % 1000 * 1000000};
    int rc = 0;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping && !jobs->news && rc == 0) {
        rc = until_ms == INT64_MAX
                 ? pthread_cond_wait(&jobs->work, &jobs->lock)
                 : pthread_cond_timedwait(&jobs->work, &jobs->lock, &until);
    }
    int stopping = jobs->stopping;
    jobs->news = 0;
    pthread_mutex_unlock(&jobs->lock);
    return !stopping;
}

static void *
thread_main(void *arg)
{
    struct jobs *jobs = arg;
    while (rest(jobs, jobs_turn(jobs))) {
        /* a step at a time */
    }
    return NULL;
}

/* ---- Beginning ------------------------------------------------------ */

static void
wake(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->news = 1;
    pthread_cond_signal(&jobs->work);
    pthread_mutex_unlock(&jobs->lock);
}

int
jobs_begin(struct jobs *jobs, const struct jobs_request *request, int64_t *id,
           struct cJSON **json, struct problem *problem, struct error *err)
{
    struct job *job = NULL;
    pthread_mutex_lock(&jobs->turn);
    int rc = RC_OK;
    if (jobs->count >= JOBS_MAX) {
        rc = problem_set(problem, PROBLEM_MANY_JOBS,
                         "%d jobs are at work; wait for one, or cancel one",
                         JOBS_MAX);
    }
    if (rc == RC_OK) {
        rc = job_make(&job, request, problem);
    }
    if (rc == RC_OK) {
        rc = job_store(&job->row, jobs->api->settings.inbox, err);
    }
    if (rc == RC_OK) {
        *id = job->row.id;
        *json = job_json(&job->row, "");
        job_log(&job->row, "job begun");
        append(jobs, job);
        wake(jobs);
    } else if (job != NULL) {
        job_free(job);
    } else {
        plan_fini(request->plan);
        free(request->plan);
    }
    pthread_mutex_unlock(&jobs->turn);
    return rc;
}

/* Rows of jobs that were at work when the former process ended, oldest first.*/
static int
on_old(void *arg, const struct inbox_job *row)
{
    struct job **list = arg;
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        return 1;
    }
    job->row = *row;
    job->next = *list;
    *list = job;
    return 0;
}

static int
take_up(struct jobs *jobs, const struct served *served, struct job *job,
        struct error *err)
{
    struct problem problem = {0};
    int rc = job_resume(job, served, jobs->view, &problem, err);
    if (rc == RC_OK) {
        job_log(&job->row, "job goes on");
        append(jobs, job);
        return RC_OK;
    }
    if (problem.code != PROBLEM_NONE) {
        rc = job_give_up(job, jobs->api->settings.inbox, &problem, err);
    }
    job_free(job);
    return rc;
}

static int
take_up_all(struct jobs *jobs, struct error *err)
{
    struct served served = {0};
    struct job *old = NULL;
    int rc = begin_look(jobs, &served, err);
    if (rc == RC_OK) {
        rc = view_jobs_at_work(jobs->view, on_old, &old, err);
    }
    while (old != NULL) {
        struct job *job = old;
        old = job->next;
        if (rc == RC_OK) {
            rc = take_up(jobs, &served, job, err);
        } else {
            job_free(job);
        }
    }
    end_look(jobs, &served);
    return rc;
}

int
jobs_start(struct jobs *jobs, struct error *err)
{
    pthread_mutex_lock(&jobs->turn);
    int rc = take_up_all(jobs, err);
    pthread_mutex_unlock(&jobs->turn);
    if (rc != RC_OK) {
        return rc;
    }
    rc = pthread_create(&jobs->thread, NULL, thread_main, jobs);
    if (rc != 0) {
        return error_errno(err, RC_IO, rc, "admin: cannot start a thread");
    }
    pthread_setname_np(jobs->thread, "peg-jobs");
    jobs->has_thread = 1;
    return RC_OK;
}

void
jobs_close(struct jobs *jobs)
{
    if (jobs == NULL) {
        return;
    }
    if (jobs->has_thread) {
        pthread_mutex_lock(&jobs->lock);
        jobs->stopping = 1;
        pthread_cond_signal(&jobs->work);
        pthread_mutex_unlock(&jobs->lock);
        pthread_join(jobs->thread, NULL);
    }
    while (jobs->first != NULL) {
        struct job *job = jobs->first;
        jobs->first = job->next;
        job_free(job);
    }
    view_close(jobs->view);
    pthread_cond_destroy(&jobs->work);
    pthread_mutex_destroy(&jobs->lock);
    pthread_mutex_destroy(&jobs->turn);
    free(jobs);
}

/* ---- For those who look --------------------------------------------- */

void
jobs_trouble(struct jobs *jobs, int64_t id, char *out)
{
    out[0] = '\0';
    pthread_mutex_lock(&jobs->lock);
    const struct job *job = find(jobs, id);
    if (job != NULL) {
        memcpy(out, job->trouble, sizeof(job->trouble));
    }
    pthread_mutex_unlock(&jobs->lock);
}

/* Keep the newest row of a job. */
static int
on_row(void *arg, const struct inbox_job *row)
{
    struct inbox_job *out = arg;
    *out = *row;
    return 0;
}

static int
end_locked(struct jobs *jobs, struct view *view, int64_t id,
           struct inbox_job *row, struct problem *problem, struct error *err)
{
    memset(row, 0, sizeof(*row));
    int rc = view_jobs(view, id, 1, on_row, row, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (strcmp(row->state, JOB_RUNNING) != 0) {
        return problem_set(problem, PROBLEM_JOB_ENDED, "job_%lld has ended: %s",
                           (long long)id, row->state);
    }
    struct job *job = find(jobs, id);
    if (job != NULL) {
        row->moved = job->row.moved;
    }
    job_end(row, JOB_CANCELLED);
    rc = job_store(row, jobs->api->settings.inbox, err);
    if (rc == RC_OK && job != NULL) {
        take_out(jobs, job);
        job_free(job);
    }
    return rc;
}

int
jobs_end(struct jobs *jobs, struct view *view, int64_t id,
         struct inbox_job *row, struct problem *problem, struct error *err)
{
    pthread_mutex_lock(&jobs->turn); /* not in the midst of a step */
    int rc = end_locked(jobs, view, id, row, problem, err);
    pthread_mutex_unlock(&jobs->turn);
    if (rc == RC_OK) {
        job_log(row, "job cancelled");
    }
    return rc;
}
