/* core/http/admin.c: the admin port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/admin.h"

#include "admin/api.h"
#include "admin/problem.h"
#include "admin/token.h"
#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "http/checkup.h"
#include "http/civet.h"
#include "http/door.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/stream.h"
#include "http/watchdog.h"
#include "log.h"

#include <civetweb.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Threads: the streams', and a few for the rest. */
#define THREADS 16

/* Above this many connections besides streams, they end with their answer, so
 * that idle ones never take the last thread. */
#define KEEP_ALIVE_MAX 5

#define TIMEOUT_MS 10000

/* What is in work when we stop may take so long. */
#define IDLE_MS 3000

#define STREAM_PATH API_PREFIX "/stream"

struct admin {
    struct api *api;
    struct checkup checkup;
    char *state_dir;
    struct door door;
    char url[TOKEN_URL_MAX];
    struct civet civet;
    struct watchdog *watchdog;
    struct streams streams;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t idle;
    int is_open;      /* the rest of this is complete, and not stopping */
    unsigned in_work; /* requests */
    int is_published;
    int published; /* token_withdraw() it, when is_published */
};

/* ---- One request ---------------------------------------------------- */

static void
log_refused(struct mg_connection *conn, const struct problem *problem,
            const char *path)
{
    static struct log_limit limit;
    unsigned dropped;
    if (log_limit_pass(&limit, &dropped)) {
        struct log_value where, why;
        log_write(
            LOG_WARN, "admin", "request refused",
            "status=%d path=%s remote=%s reason=%s dropped=%u",
            problem_status(problem), log_quote(&where, path, strlen(path)),
            mg_get_request_info(conn)->remote_addr,
            log_quote(&why, problem->detail, strlen(problem->detail)), dropped);
    }
}

static enum problem_code
code_of(enum answer answer)
{
    switch (answer_status(answer)) {
    case 408:
        return PROBLEM_SLOW;
    case 413:
        return PROBLEM_TOO_LARGE;
    case 503:
        return PROBLEM_STORE;
    default:
        return PROBLEM_BAD_REQUEST;
    }
}

static int
is_json(const struct mg_connection *conn)
{
    const char *type = door_header(conn, "Content-Type");
    size_t len = strlen("application/json");
    return type != NULL && strncasecmp(type, "application/json", len) == 0 &&
           strchr("; \t", type[len]) != NULL; /* or the end */
}

static int
read_body(struct admin *admin, struct mg_connection *conn,
          struct request *request, char **body, size_t *len,
          struct problem *problem)
{
    const struct request_limits limits = {.max_body = API_BODY_MAX,
                                          .timeout_ms = TIMEOUT_MS,
                                          .watchdog = admin->watchdog};
    enum answer answer = ANSWER_BAD_REQUEST;
    const char *why = "";
    if (strcmp(request->method, "POST") != 0) {
        request->close |= request->body_len != 0; /* that nobody reads */
        return RC_OK;
    }
    if (!is_json(conn)) {
        return problem_set(problem, PROBLEM_NOT_JSON,
                           "send Content-Type: application/json");
    }
    if (request->body_len == 0) {
        return RC_OK;
    }
    int rc = request_body(conn, request, &limits, body, len, &answer, &why);
    return rc == RC_OK ? RC_OK
                       : problem_set(problem, code_of(answer), "%s", why);
}

static int
serve_stream(struct admin *admin, struct mg_connection *conn,
             const struct request *request, struct problem *problem)
{
    if (strcmp(request->method, "GET") != 0) {
        return problem_set(problem, PROBLEM_METHOD, "this path takes GET");
    }
    if (mg_get_request_info(conn)->query_string != NULL) {
        return problem_set(problem, PROBLEM_PARAMETER,
                           "the stream has no parameters");
    }
    if (!stream_enter(&admin->streams)) {
        return problem_set(problem, PROBLEM_STREAMS,
                           "there are %d streams already", STREAMS_MAX);
    }
    stream_serve(&admin->streams, conn);
    return RC_OK;
}

static int
enter(struct admin *admin, struct mg_connection *conn, struct problem *problem)
{
    int rc = door_check_origin(&admin->door, conn, problem);
    return rc == RC_OK ? door_check_token(&admin->door, conn, problem) : rc;
}

static int
serve(struct admin *admin, struct mg_connection *conn, struct request *request,
      struct problem *problem)
{
    char *body = NULL;
    size_t len = 0;
    int rc = RC_OK;
    if (!checkup_is_open(conn, request)) {
        rc = enter(admin, conn, problem);
    }
    if (rc == RC_OK && checkup_is_meant(request)) {
        checkup_serve(&admin->checkup, conn, request);
        return RC_OK;
    }
    if (rc == RC_OK && strcmp(request->path, STREAM_PATH) == 0) {
        return serve_stream(admin, conn, request, problem);
    }
    if (rc == RC_OK) {
        rc = read_body(admin, conn, request, &body, &len, problem);
    }
    if (rc != RC_OK) {
        return rc;
    }
    struct api_answer answer = {0};
    const struct api_request asked = {
        .method = request->method,
        .path = request->path,
        .query = mg_get_request_info(conn)->query_string,
        .body = body,
        .body_len = len,
    };
    api_handle(admin->api, &asked, &answer);
    request->close |= answer.status >= 400 ||
                      atomic_load(&admin->streams.stopping) ||
                      atomic_load(&admin->civet.connections) -
                              atomic_load(&admin->streams.count) >
                          KEEP_ALIVE_MAX;
    reply_send(conn, &answer, request->close);
    api_answer_fini(&answer);
    free(body);
    return RC_OK;
}

/* Whether the request may be served; end_work() after it. */
static int
begin_work(struct admin *admin)
{
    pthread_mutex_lock(&admin->lock);
    int is_open = admin->is_open;
    admin->in_work += (unsigned)is_open;
    pthread_mutex_unlock(&admin->lock);
    return is_open;
}

static void
end_work(struct admin *admin)
{
    pthread_mutex_lock(&admin->lock);
    if (--admin->in_work == 0) {
        pthread_cond_signal(&admin->idle);
    }
    pthread_mutex_unlock(&admin->lock);
}

static int
on_request(struct mg_connection *conn)
{
    struct admin *admin = civet_owner(conn);
    struct problem problem = {0};
    struct request request;
    const char *why;
    int rc = request_head(conn, &request, &why);
    if (!begin_work(admin)) {
        mg_disable_connection_keep_alive(conn);
        answer_send(conn, ANSWER_UNHEALTHY, 1, 0);
        return 1;
    }
    if (rc != RC_OK) {
        problem_set(&problem, PROBLEM_BAD_REQUEST, "%s", why);
    } else {
        rc = serve(admin, conn, &request, &problem);
    }
    if (rc != RC_OK) {
        log_refused(conn, &problem, request.path);
        reply_problem(conn, &problem, request.path);
    }
    end_work(admin);
    if (request.body_waits) {
        request_discard(conn, admin->watchdog);
    }
    return 1;
}

/* CivetWeb's own pages, for what never reached on_request(). */
static int
on_error(struct mg_connection *conn, int status, const char *text)
{
    struct problem problem = {0};
    enum problem_code code =
        status >= 500 ? PROBLEM_INTERNAL : PROBLEM_BAD_REQUEST;
    problem_set(&problem, status == 505 ? PROBLEM_VERSION : code,
                "the request cannot be read");
    (void)text; /* it may hold bytes of the request */
    log_refused(conn, &problem, "-");
    reply_problem(conn, &problem, "");
    return 0;
}

/* ---- Starting and stopping ------------------------------------------ */

static int
listen_somewhere(struct admin *admin, const struct config *config,
                 struct error *err)
{
    struct civet_settings settings = {
        .address = config->admin,
        .threads = THREADS,
        .timeout_ms = TIMEOUT_MS,
        .module = "admin",
        .advice = "is another program, or another pegboard, using the port? "
                  "choose one with `listen` in [admin]",
        .on_request = on_request,
        .on_error = on_error,
        .owner = admin,
    };
    int rc = civet_start(&admin->civet, &settings, err);
    if (rc != RC_OK && config->admin_is_default) {
        settings.address.sin_port = 0;
        rc = civet_start(&admin->civet, &settings, err);
    }
    return rc;
}

static void
note_address(struct admin *admin)
{
    char where[CIVET_ADDRESS_MAX];
    snprintf(admin->url, sizeof(admin->url), "http://%s",
             civet_address(&admin->civet.address, where));
    admin->door.port = ntohs(admin->civet.address.sin_port);
    admin->door.url = admin->url;
}

static void
init_locks(struct admin *admin)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&admin->idle, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&admin->lock, NULL);
}

static void
set_open(struct admin *admin, int is_open)
{
    pthread_mutex_lock(&admin->lock);
    admin->is_open = is_open;
    pthread_mutex_unlock(&admin->lock);
}

/* CivetWeb loses answers that are not out when it is stopped. */
static void
wait_idle(struct admin *admin)
{
    int64_t end_ms = clock_mono_ms() + IDLE_MS;
    const struct timespec end = {.tv_sec = end_ms / 1000,
                                 .tv_nsec = end_ms % 1000 * 1000000};
    int rc = 0;
    pthread_mutex_lock(&admin->lock);
    while (admin->in_work > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&admin->idle, &admin->lock, &end);
    }
    pthread_mutex_unlock(&admin->lock);
}

static int
start(struct admin *admin, const struct config *config, struct error *err)
{
    admin->state_dir = strdup(config->state_dir);
    if (admin->state_dir == NULL) {
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    int rc = token_load(admin->state_dir, 1, admin->door.token, err);
    if (rc == RC_OK) {
        rc = watchdog_start(&admin->watchdog, err);
    }
    if (rc == RC_OK) {
        rc = listen_somewhere(admin, config, err);
    }
    if (rc == RC_OK) {
        note_address(admin);
        rc =
            token_publish(&admin->published, admin->state_dir, admin->url, err);
        admin->is_published = rc == RC_OK;
    }
    return rc;
}

int
admin_start(struct admin **out, const struct admin_settings *settings,
            struct error *err)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    admin->api = settings->api;
    admin->checkup = (struct checkup){.is_live = settings->is_live,
                                      .is_ready = settings->is_ready,
                                      .arg = settings->health_arg,
                                      .api = settings->api};
    init_locks(admin);
    door_init(&admin->door);
    mg_init_library(0);
    int rc = start(admin, settings->config, err);
    if (rc != RC_OK) {
        admin_stop(admin);
        return rc == RC_INVALID ? RC_IO : rc;
    }
    set_open(admin, 1);
    *out = admin;
    return RC_OK;
}

const char *
admin_url(const struct admin *admin)
{
    return admin->url;
}

void
admin_stop(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    atomic_store(&admin->streams.stopping, 1);
    set_open(admin, 0);
    if (admin->is_published) {
        struct error err;
        if (token_withdraw(admin->published, admin->state_dir, &err) != RC_OK) {
            log_write(LOG_WARN, "admin", "admin.url stays", "rc=%s",
                      rc_name(err.rc));
        }
    }
    wait_idle(admin);
    civet_stop(&admin->civet);
    watchdog_stop(admin->watchdog);
    mg_exit_library();
    door_fini(&admin->door);
    pthread_cond_destroy(&admin->idle);
    pthread_mutex_destroy(&admin->lock);
    free(admin->state_dir);
    free(admin);
}
