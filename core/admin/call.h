/* core/admin/call.h: one request being answered; private to the admin API.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CALL_H
#define CORE_CALL_H

#include "admin/api.h"
#include "admin/problem.h"
#include "admin/query.h"
#include "admin/served.h"
#include "admin/views.h"
#include "error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct jobs;

struct api {
    struct api_settings settings;
    char *path; /* of the inbox: a copy, since configurations go */
    struct views views;
    struct jobs *jobs;
    pthread_mutex_t pausing; /* held from the store to the dispatcher, so that
                                two operators leave both in one state */
    int64_t started_mono_ms;
    _Atomic(struct server *) server; /* NULL: not yet */
    _Atomic(struct reload *) reload; /* likewise */
    atomic_uint waiting;             /* calls for a reload to end */
};

#define CALL_ID_MAX 256 /* with its NUL */

struct call {
    struct api *api;
    struct served served; /* held for the call, but of those that change it */
    struct view *view;    /* lent for the call, likewise */
    struct query query;
    struct cJSON *body;   /* of a POST: an object, never NULL then */
    char id[CALL_ID_MAX]; /* what stands in the path's {} */
    struct api_answer *answer;
    struct problem problem;
    struct cJSON *members; /* an object of more that the problem says; or NULL*/
};

/** Answers a call. @return RC_OK with an answer, or not, with a problem */
typedef int call_handler(struct call *call);

/** Turn a failure of the store into a problem; others stay. @return rc */
int call_failed(struct call *call, int rc, const struct error *err);

/** Answer with `json`, which it takes over; NULL is out of memory.
 * @return RC_OK or RC_NOMEM */
int call_answer(struct call *call, int status, struct cJSON *json);

struct roster_entry;

/** A plugin as the API shows it. NULL when out of memory.
 * @param is_bad  set to 1 when somebody should look at it, else left alone */
struct cJSON *plugins_json(const struct call *call,
                           const struct roster_entry *entry, int *is_bad);

/** The resources. */
call_handler status_get;
call_handler events_list, events_get, events_body, events_deliveries,
    events_attempts, events_receipts, dead_list;
call_handler replays_post, discards_post;
call_handler jobs_list, jobs_get, jobs_cancel;
call_handler plugins_list, plugins_get, plugins_pause, plugins_resume;
call_handler reload_post, rollback_post;

#endif
