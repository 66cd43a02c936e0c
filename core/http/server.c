/* core/http/server.c: the webhook port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/tail.h"
#include "error.h"
#include "http/answer.h"
#include "http/intake.h"
#include "http/listener.h"
#include "http/remote.h"
#include "http/request.h"
#include "http/watchdog.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/serving.h"

#include <civetweb.h>

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CivetWeb keeps one thread for each connection while it lives. Above this
 * share of the threads, connections end with their answer, so that idle ones
 * never take the last thread from an honest sender, not even of one. */
#define KEEP_ALIVE_SHARE(threads) ((threads) - ((threads) + 3) / 4)

struct server {
    struct server_settings settings;
    struct watchdog *watchdog;
    struct listeners listeners;
    atomic_int draining; /* all of it: we are stopping; 2: now */
};

/* One request, with what it is answered by: the generation that served when it
 * came. */
struct visit {
    struct server *server;
    struct listener *listener;
    struct generation *generation; /* held */
    struct mg_connection *conn;
    struct request request;
    struct intake_outcome outcome;
};

/* ---- One request ---------------------------------------------------- */

static const struct config_endpoint *
find_endpoint(const struct config *config, const char *path)
{
    size_t len = strlen(path);
    if (len > 1 && path[len - 1] == '/') {
        len--; /* with or without: never a redirect */
    }
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        if (strlen(endpoint->path) == len &&
            memcmp(endpoint->path, path, len) == 0) {
            return endpoint;
        }
    }
    return NULL;
}

static void
log_refused(const struct request *request, const char *remote, const char *why)
{
    static struct log_limit limit;
    unsigned dropped;
    if (log_limit_pass(&limit, &dropped)) {
        struct log_value path, from, reason;
        log_write(LOG_WARN, "http", "request refused",
                  "path=%s remote=%s reason=%s dropped=%u",
                  log_quote(&path, request->path, strlen(request->path)),
                  log_quote(&from, remote, strlen(remote)),
                  log_quote(&reason, why, strlen(why)), dropped);
    }
}

/* An answer that is not 2xx ends the connection: nothing behind a request we
 * did not like is read as another. */
static void
reply(struct visit *visit, enum answer answer)
{
    struct request *request = &visit->request;
    if (answer_status(answer) >= 300) {
        request->close = 1;
    }
    if (request->close) {
        mg_disable_connection_keep_alive(visit->conn);
    }
    answer_send(visit->conn, answer, request->close,
                strcmp(request->method, "HEAD") == 0);
}

static enum answer
accept_post(struct visit *visit, const struct config_endpoint *endpoint)
{
    const struct config *config = visit->generation->config;
    struct request *request = &visit->request;
    struct request_limits limits = {
        .max_body = config->max_body,
        .timeout_ms = config->request_timeout_ms,
        .watchdog = visit->server->watchdog,
    };
    enum answer answer = ANSWER_FAILED;
    const char *why = "";
    char remote[REMOTE_MAX];
    char *body = NULL;
    remote_find(config, mg_get_request_info(visit->conn)->remote_addr,
                request->forwarded_for, remote, sizeof(remote));
    struct intake_post post = {
        .endpoint = endpoint,
        .body = "",
        .signature = request->signature,
        .signatures = request->signatures,
        .received_ms = request->received_ms,
        .remote = remote,
    };
    /* Without the header its body is not worth any memory; the bound on its
     * size comes first all the same. */
    if (request->signatures == 1 || request->body_len > limits.max_body) {
        if (request_body(visit->conn, request, &limits, &body, &post.body_len,
                         &answer, &why) != RC_OK) {
            log_refused(request, remote, why);
            return answer;
        }
        post.body = body;
    }
    intake_accept(visit->generation, visit->server->settings.inbox, &post,
                  &visit->outcome);
    free(body);
    return visit->outcome.answer;
}

static enum answer
check_health(struct server *server, const struct request *request,
             server_health_fn *fn)
{
    if (strcmp(request->method, "GET") != 0 &&
        strcmp(request->method, "HEAD") != 0) {
        return ANSWER_GET_ONLY;
    }
    return fn(server->settings.health_arg) ? ANSWER_HEALTHY : ANSWER_UNHEALTHY;
}

static int
is_ready(void *arg)
{
    struct server *server = arg;
    return !atomic_load(&server->draining) &&
           server->settings.is_ready(server->settings.health_arg);
}

static enum answer
choose(struct visit *visit)
{
    struct server *server = visit->server;
    const struct request *request = &visit->request;
    if (strcmp(request->path, "/livez") == 0) {
        return check_health(server, request, server->settings.is_live);
    }
    if (strcmp(request->path, "/readyz") == 0) {
        enum answer answer =
            check_health(server, request, server->settings.is_ready);
        return answer == ANSWER_HEALTHY && !is_ready(server) ? ANSWER_UNHEALTHY
                                                             : answer;
    }
    const struct config_endpoint *endpoint =
        find_endpoint(visit->generation->config, request->path);
    if (endpoint == NULL) {
        return ANSWER_NOT_FOUND;
    }
    if (strcmp(request->method, "POST") != 0) {
        return ANSWER_POST_ONLY;
    }
    if (atomic_load(&server->draining)) {
        return ANSWER_UNAVAILABLE;
    }
    enum answer answer = accept_post(visit, endpoint);
    tail_answered(answer_status(answer), request->path,
                  (clock_mono_us() - request->begun_us) / 1000,
                  answer == ANSWER_DUPLICATE, visit->outcome.event_id);
    return answer;
}

/* Whether the connection has to end with this answer. */
static int
is_last(const struct visit *visit)
{
    const struct listener *listener = visit->listener;
    return atomic_load(&visit->server->draining) ||
           atomic_load(&listener->draining) ||
           atomic_load(&listener->civet.connections) >
               KEEP_ALIVE_SHARE(visit->server->listeners.threads);
}

/* Returns the status. */
static int
serve(struct visit *visit)
{
    struct request *request = &visit->request;
    enum answer answer = ANSWER_BAD_REQUEST;
    const char *why;
    if (request_head(visit->conn, request, &why) != RC_OK) {
        log_refused(request, mg_get_request_info(visit->conn)->remote_addr,
                    why);
    } else {
        answer = choose(visit);
        if (strcmp(request->method, "POST") != 0 && request->body_len != 0) {
            request->close = 1; /* a body that nobody reads */
        }
    }
    if (is_last(visit)) {
        request->close = 1;
    }
    reply(visit, answer);
    return answer_status(answer);
}

static int
on_request(struct mg_connection *conn)
{
    struct listener *listener = civet_owner(conn);
    struct server *server = listener->server;
    struct visit visit = {.server = server, .listener = listener, .conn = conn};
    atomic_fetch_add(&listener->in_work, 1);
    visit.generation = serving_hold(server->settings.serving);
    int status = serve(&visit);
    generation_drop(visit.generation);
    atomic_fetch_sub(&listener->in_work, 1);
    if (visit.request.body_waits) {
        request_discard(conn, server->watchdog);
    }
    return status;
}

/* Errors that CivetWeb finds before we see a request. */
static int
on_error(struct mg_connection *conn, int status, const char *text)
{
    static struct log_limit limit;
    unsigned dropped;
    if (log_limit_pass(&limit, &dropped)) {
        struct log_value why;
        log_write(LOG_WARN, "http", "request unreadable",
                  "status=%d remote=%s reason=%s dropped=%u", status,
                  mg_get_request_info(conn)->remote_addr,
                  log_quote(&why, text, strlen(text)), dropped);
    }
    enum answer answer = status >= 500 ? ANSWER_FAILED : ANSWER_BAD_REQUEST;
    if (status == 505) {
        answer = ANSWER_BAD_VERSION;
    }
    mg_disable_connection_keep_alive(conn);
    answer_send(conn, answer, 1, 0);
    return 0;
}

/* ---- Starting and stopping ------------------------------------------ */

int
server_start(struct server **out, const struct server_settings *settings,
             struct error *err)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return error_set(err, RC_NOMEM, "http: out of memory");
    }
    struct generation *generation = serving_hold(settings->serving);
    const struct config *config = generation->config;
    server->settings = *settings;
    server->listeners = (struct listeners){
        .server = server,
        .threads = config->threads,
        .timeout_ms = config->request_timeout_ms,
        .on_request = on_request,
        .on_error = on_error,
    };
    listeners_init(&server->listeners);
    mg_init_library(0);
    int rc = watchdog_start(&server->watchdog, err);
    if (rc == RC_OK) {
        rc = listeners_widen(&server->listeners, config, err);
    }
    generation_drop(generation);
    if (rc != RC_OK) {
        server_stop(server);
        return rc;
    }
    *out = server;
    return RC_OK;
}

const char *
server_url(struct server *server, char room[SERVER_URL_MAX])
{
    struct sockaddr_in address = listeners_first(&server->listeners);
    char where[CIVET_ADDRESS_MAX];
    if (address.sin_addr.s_addr == htonl(INADDR_ANY)) {
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    snprintf(room, SERVER_URL_MAX, "http://%s", civet_address(&address, where));
    return room;
}

int
server_widen(struct server *server, const struct config *config,
             struct error *err)
{
    return listeners_widen(&server->listeners, config, err);
}

void
server_narrow(struct server *server, const struct config *config,
              int64_t wait_ms)
{
    listeners_narrow(&server->listeners, config, wait_ms, &server->draining);
}

void
server_refuse(struct server *server)
{
    if (server != NULL) {
        atomic_store(&server->draining, 1);
    }
}

void
server_hurry(struct server *server)
{
    if (server != NULL) {
        atomic_store(&server->draining, 2);
    }
}

int
server_in_work(struct server *server)
{
    return server != NULL ? listeners_in_work(&server->listeners) : 0;
}

void
server_stop(struct server *server)
{
    if (server == NULL) {
        return;
    }
    listeners_fini(&server->listeners);
    watchdog_stop(server->watchdog);
    mg_exit_library();
    free(server);
}
