/* core/admin/api.h: the admin API: what operators can see and do, as requests
 * and JSON answers, without the HTTP around it.
 *
 * The same code answers at the admin port of a daemon and, with no daemon
 * running, inside the command line (`--offline`), on an inbox it opened itself.
 * Every request goes through api_handle(), from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_API_H
#define CORE_API_H

#include <stddef.h>
#include <stdint.h>

struct api; /* opaque */
struct cJSON;
struct config;
struct dispatcher;
struct error;
struct inbox;
struct reload;
struct server;
struct serving;
struct supervisor;

#define API_PREFIX   "/api/v1"
#define API_BODY_MAX (1U << 20) /* of a request; larger: 413 */

/** All borrowed, but the path, which is copied. Offline everything but the
 * inbox and the configuration is NULL. Somebody serves in `serving` before
 * api_start(). */
struct api_settings {
    struct inbox *inbox;
    const struct config *config; /* offline; else NULL: see `serving` */
    const char *inbox_path;
    struct serving *serving;
    struct dispatcher *dispatcher;
    struct supervisor *supervisor;
    struct server *server; /* for its URL; api_attach() */
    struct reload *reload; /* likewise */
};

struct api_request {
    const char *method, *path; /* path without the query, undecoded */
    const char *query;         /* behind '?', undecoded; NULL for none */
    const char *body;          /* a NUL stands behind it; NULL for none */
    size_t body_len;
};

/** Zero it before; api_answer_fini() after. */
struct api_answer {
    int status;
    struct cJSON *json; /* the answer; or */
    char *bytes;        /* ... exact bytes of an event, application/json */
    size_t len;
    char location[128]; /* of a 202; "" for none */
    char allow[64];     /* of a 405 */
};

/**
 * @param out  set on success only; api_close()
 * @return RC_OK, RC_IO, RC_NOMEM
 */
int api_open(struct api **out, const struct api_settings *settings,
             struct error *err);

/** What was started after it; from the main thread, while it serves. */
void api_attach(struct api *api, struct server *server, struct reload *reload);

/** Answer a request. Always fills `answer`; errors are problem documents. */
void api_handle(struct api *api, const struct api_request *request,
                struct api_answer *answer);

void api_answer_fini(struct api_answer *answer);

/**
 * What is well and what is not, for people, a line each: "[+] store ok", "[-]
 * plugin receipts failing: init(): database down; next try in 4 s". Only what
 * keeps posts from being stored makes it unready: a plugin that fails, or a
 * reload that was refused, does not. From any thread.
 *
 * @param is_ready  set
 * @return the caller's, to free; NULL when out of memory
 */
char *api_readiness(struct api *api, int *is_ready);

/** Do what jobs have to do now, at most for a fraction of a second. The jobs'
 * thread of a daemon calls it; offline the caller does, until it returns
 * INT64_MAX.
 * @return monotonic time in ms at which to call again; INT64_MAX: no work */
int64_t api_turn(struct api *api);

/** Start a thread that calls api_turn(); jobs of a former process go on. */
int api_start(struct api *api, struct error *err);

/** End the thread and free all. Nobody may be in a call. Accepts NULL. */
void api_close(struct api *api);

#endif
