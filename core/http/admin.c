/* core/http/admin.c: the admin port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/admin.h"

#include "admin/api.h"
#include "admin/problem.h"
#include "admin/token.h"
#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "http/door.h"
#include "http/halt.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/stream.h"
#include "http/watchdog.h"
#include "log.h"

#include <civetweb.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Threads: the streams', and a few for the rest. */
#define THREADS "16"

/* Above this many connections besides streams, they end with their answer, so
 * that idle ones never take the last thread. */
#define KEEP_ALIVE_MAX 5

#define TIMEOUT_MS 10000

/* What is in work when we stop may take so long. */
#define IDLE_MS 3000

#define STREAM_PATH API_PREFIX "/stream"

struct admin {
    struct admin_settings settings;
    struct door door;
    char url[TOKEN_URL_MAX];
    struct sockaddr_in address;
    struct mg_context *context;
    struct watchdog *watchdog;
    struct streams streams;
    atomic_int connections;
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
serve(struct admin *admin, struct mg_connection *conn, struct request *request,
      struct problem *problem)
{
    char *body = NULL;
    size_t len = 0;
    int rc = door_check_origin(&admin->door, conn, problem);
    if (rc == RC_OK) {
        rc = door_check_token(&admin->door, conn, problem);
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
    api_handle(admin->settings.api, &asked, &answer);
    request->close |=
        answer.status >= 400 || atomic_load(&admin->streams.stopping) ||
        atomic_load(&admin->connections) - atomic_load(&admin->streams.count) >
            KEEP_ALIVE_MAX;
    reply_send(conn, &answer, request->close);
    api_answer_fini(&answer);
    free(body);
    return RC_OK;
}

/* Returns 0 when it is not about health. */
static int
serve_health(const struct admin *admin, struct mg_connection *conn,
             const struct request *request)
{
    const struct admin_settings *settings = &admin->settings;
    server_health_fn *fn = NULL;
    if (strcmp(request->path, "/livez") == 0) {
        fn = settings->is_live;
    } else if (strcmp(request->path, "/readyz") == 0) {
        fn = settings->is_ready;
    }
    if (fn == NULL) {
        return 0;
    }
    int head = strcmp(request->method, "HEAD") == 0;
    enum answer answer = ANSWER_GET_ONLY;
    if (head || strcmp(request->method, "GET") == 0) {
        answer = fn(settings->health_arg) ? ANSWER_HEALTHY : ANSWER_UNHEALTHY;
    }
    mg_disable_connection_keep_alive(conn);
    answer_send(conn, answer, 1, head);
    return 1;
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
    struct admin *admin = mg_get_user_data(mg_get_context(conn));
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
    } else if (!serve_health(admin, conn, &request)) {
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

static int
on_log(const struct mg_connection *conn, const char *text)
{
    (void)conn;
    struct log_value value;
    log_write(LOG_DEBUG, "admin", "civetweb says", "text=%s",
              log_quote(&value, text, strlen(text)));
    return 1;
}

static int
on_open(const struct mg_connection *conn, void **data)
{
    (void)data;
    struct admin *admin = mg_get_user_data(mg_get_context(conn));
    atomic_fetch_add(&admin->connections, 1);
    return 0;
}

static void
on_closed(const struct mg_connection *conn)
{
    struct admin *admin = mg_get_user_data(mg_get_context(conn));
    atomic_fetch_sub(&admin->connections, 1);
}

/* ---- Starting and stopping ------------------------------------------ */

static int
listen_at(struct admin *admin, const char *where, struct error *err)
{
    char timeout[16], head_max[16], text[256] = "";
    snprintf(timeout, sizeof(timeout), "%d", TIMEOUT_MS);
    snprintf(head_max, sizeof(head_max), "%d", SERVER_HEAD_MAX);
    const char *options[] = {"listening_ports",
                             where,
                             "num_threads",
                             THREADS,
                             "request_timeout_ms",
                             timeout,
                             "max_request_size",
                             head_max,
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "5000",
                             "tcp_nodelay",
                             "1",
                             "decode_url",
                             "no",
                             "enable_auth_domain_check",
                             "no",
                             "access_control_allow_methods",
                             "",
                             NULL};
    const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_error,
        .log_message = on_log,
        .init_connection = on_open,
        .connection_closed = on_closed,
    };
    struct mg_init_data init = {.callbacks = &callbacks,
                                .user_data = admin,
                                .configuration_options = options};
    struct mg_error_data error = {.text = text,
                                  .text_buffer_size = sizeof(text)};
    admin->context = mg_start2(&init, &error);
    if (admin->context == NULL) {
        return error_set(err, RC_IO,
                         "admin: cannot listen on %s: %s (is another program, "
                         "or another pegboard, using the port? choose one with "
                         "`listen` in [admin])",
                         where, text);
    }
    return RC_OK;
}

static int
listen_somewhere(struct admin *admin, struct error *err)
{
    const struct config *config = admin->settings.config;
    char address[INET_ADDRSTRLEN], where[40];
    inet_ntop(AF_INET, &config->admin.sin_addr, address, sizeof(address));
    snprintf(where, sizeof(where), "%s:%u", address,
             ntohs(config->admin.sin_port));
    int rc = listen_at(admin, where, err);
    if (rc != RC_OK && config->admin_is_default) {
        snprintf(where, sizeof(where), "%s:0", address);
        rc = listen_at(admin, where, err);
    }
    return rc;
}

/* Where we can be reached: port 0 has become a real one. */
static void
note_address(struct admin *admin)
{
    struct mg_server_port port;
    char address[INET_ADDRSTRLEN];
    admin->address = admin->settings.config->admin;
    if (mg_get_server_ports(admin->context, 1, &port) > 0) {
        admin->address.sin_port = htons((uint16_t)port.port);
    }
    inet_ntop(AF_INET, &admin->address.sin_addr, address, sizeof(address));
    snprintf(admin->url, sizeof(admin->url), "http://%s:%u", address,
             ntohs(admin->address.sin_port));
    admin->door.port = ntohs(admin->address.sin_port);
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

int
admin_start(struct admin **out, const struct admin_settings *settings,
            struct error *err)
{
    const char *state_dir = settings->config->state_dir;
    struct admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        return error_set(err, RC_NOMEM, "admin: out of memory");
    }
    admin->settings = *settings;
    init_locks(admin);
    door_init(&admin->door);
    mg_init_library(0);
    int rc = token_load(state_dir, 1, admin->door.token, err);
    if (rc == RC_OK) {
        rc = watchdog_start(&admin->watchdog, err);
    }
    if (rc == RC_OK) {
        rc = listen_somewhere(admin, err);
    }
    if (rc == RC_OK) {
        note_address(admin);
        rc = token_publish(&admin->published, state_dir, admin->url, err);
        admin->is_published = rc == RC_OK;
    }
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
        if (token_withdraw(admin->published, admin->settings.config->state_dir,
                           &err) != RC_OK) {
            log_write(LOG_WARN, "admin", "admin.url stays", "rc=%s",
                      rc_name(err.rc));
        }
    }
    if (admin->context != NULL) {
        wait_idle(admin);
        halt_civetweb(admin->context, &admin->address);
    }
    watchdog_stop(admin->watchdog);
    mg_exit_library();
    door_fini(&admin->door);
    pthread_cond_destroy(&admin->idle);
    pthread_mutex_destroy(&admin->lock);
    free(admin);
}
