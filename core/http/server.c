/* core/http/server.c: the webhook port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/tail.h"
#include "error.h"
#include "http/answer.h"
#include "http/halt.h"
#include "http/intake.h"
#include "http/remote.h"
#include "http/request.h"
#include "http/watchdog.h"
#include "log.h"
#include "plugin/generation.h"

#include <civetweb.h>

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* CivetWeb keeps one thread for each connection while it lives. Above this
 * share of the threads, connections end with their answer, so that idle ones
 * never take the last thread from an honest sender, not even of one. */
#define KEEP_ALIVE_SHARE(threads) ((threads) - ((threads) + 3) / 4)

struct server {
    struct server_settings settings;
    const struct config *config;
    struct mg_context *context;
    struct watchdog *watchdog;
    char url[64];
    struct sockaddr_in address; /* of the first listener, its real port */
    atomic_int draining;
    atomic_int in_work;     /* requests being answered */
    atomic_int connections; /* open ones */
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
reply(struct mg_connection *conn, struct request *request, enum answer answer)
{
    if (answer_status(answer) >= 300) {
        request->close = 1;
    }
    if (request->close) {
        mg_disable_connection_keep_alive(conn);
    }
    answer_send(conn, answer, request->close,
                strcmp(request->method, "HEAD") == 0);
}

static enum answer
accept_post(struct server *server, struct mg_connection *conn,
            struct request *request, const struct config_endpoint *endpoint,
            struct intake_outcome *outcome)
{
    struct request_limits limits = {
        .max_body = server->config->max_body,
        .timeout_ms = server->config->request_timeout_ms,
        .watchdog = server->watchdog,
    };
    enum answer answer = ANSWER_FAILED;
    const char *why = "";
    char remote[REMOTE_MAX];
    char *body = NULL;
    remote_find(server->config, mg_get_request_info(conn)->remote_addr,
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
        if (request_body(conn, request, &limits, &body, &post.body_len, &answer,
                         &why) != RC_OK) {
            log_refused(request, remote, why);
            return answer;
        }
        post.body = body;
    }
    intake_accept(server->settings.generation, server->settings.inbox, &post,
                  outcome);
    free(body);
    return outcome->answer;
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
choose(struct server *server, struct mg_connection *conn,
       struct request *request, struct intake_outcome *outcome)
{
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
        find_endpoint(server->config, request->path);
    if (endpoint == NULL) {
        return ANSWER_NOT_FOUND;
    }
    if (strcmp(request->method, "POST") != 0) {
        return ANSWER_POST_ONLY;
    }
    if (atomic_load(&server->draining)) {
        return ANSWER_UNAVAILABLE;
    }
    enum answer answer = accept_post(server, conn, request, endpoint, outcome);
    tail_answered(answer_status(answer), request->path,
                  (clock_mono_us() - request->begun_us) / 1000,
                  answer == ANSWER_DUPLICATE, outcome->event_id);
    return answer;
}

static int
on_request(struct mg_connection *conn)
{
    struct server *server = mg_get_user_data(mg_get_context(conn));
    struct intake_outcome outcome = {.event_id = ""};
    struct request request;
    const char *why;
    enum answer answer = ANSWER_BAD_REQUEST;
    atomic_fetch_add(&server->in_work, 1);

    if (request_head(conn, &request, &why) != RC_OK) {
        log_refused(&request, mg_get_request_info(conn)->remote_addr, why);
    } else {
        answer = choose(server, conn, &request, &outcome);
        if (strcmp(request.method, "POST") != 0 && request.body_len != 0) {
            request.close = 1; /* a body that nobody reads */
        }
    }
    if (atomic_load(&server->draining) ||
        atomic_load(&server->connections) >
            KEEP_ALIVE_SHARE(server->config->threads)) {
        request.close = 1;
    }
    reply(conn, &request, answer);

    atomic_fetch_sub(&server->in_work, 1);
    if (request.body_waits) {
        request_discard(conn, server->watchdog);
    }
    return answer_status(answer);
}

/* ---- CivetWeb's other calls ----------------------------------------- */

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

static int
on_log(const struct mg_connection *conn, const char *text)
{
    (void)conn;
    struct log_value value;
    log_write(LOG_DEBUG, "http", "civetweb says", "text=%s",
              log_quote(&value, text, strlen(text)));
    return 1;
}

static int
on_open(const struct mg_connection *conn, void **data)
{
    (void)data;
    struct server *server = mg_get_user_data(mg_get_context(conn));
    atomic_fetch_add(&server->connections, 1);
    return 0;
}

static void
on_closed(const struct mg_connection *conn)
{
    struct server *server = mg_get_user_data(mg_get_context(conn));
    atomic_fetch_sub(&server->connections, 1);
}

/* ---- Starting and stopping ------------------------------------------ */

#define KEEP_ALIVE_MS "5000"

/* What the settings need as text. */
struct texts {
    char ports[CONFIG_LISTEN_MAX * 24];
    char threads[24], timeout_ms[24], head_max[24];
};

static void
format_texts(struct texts *texts, const struct config *config)
{
    size_t len = 0;
    texts->ports[0] = '\0';
    for (size_t i = 0; i < config->listen_count; i++) {
        char address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &config->listen[i].sin_addr, address,
                  sizeof(address));
        len += (size_t)snprintf(texts->ports + len, sizeof(texts->ports) - len,
                                "%s%s:%u", i > 0 ? "," : "", address,
                                ntohs(config->listen[i].sin_port));
    }
    snprintf(texts->threads, sizeof(texts->threads), "%lld",
             (long long)config->threads);
    snprintf(texts->timeout_ms, sizeof(texts->timeout_ms), "%lld",
             (long long)config->request_timeout_ms);
    snprintf(texts->head_max, sizeof(texts->head_max), "%d", SERVER_HEAD_MAX);
}

static int
start_civetweb(struct server *server, struct error *err)
{
    struct texts texts;
    format_texts(&texts, server->config);
    const char *options[] = {"listening_ports",
                             texts.ports,
                             "num_threads",
                             texts.threads,
                             "request_timeout_ms",
                             texts.timeout_ms,
                             "max_request_size",
                             texts.head_max,
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             KEEP_ALIVE_MS,
                             "tcp_nodelay",
                             "1",
                             "connection_queue",
                             "256",
                             "listen_backlog",
                             "1024",
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
    char text[256] = "";
    struct mg_init_data init = {.callbacks = &callbacks,
                                .user_data = server,
                                .configuration_options = options};
    struct mg_error_data error = {.text = text,
                                  .text_buffer_size = sizeof(text)};
    server->context = mg_start2(&init, &error);
    if (server->context == NULL) {
        return error_set(err, RC_IO,
                         "http: cannot listen on %s: %s (is another program, "
                         "or another pegboard, using the port? choose one with "
                         "`listen`, in dev with --listen)",
                         texts.ports, text);
    }
    return RC_OK;
}

/* Where we can be reached: port 0 has become a real one. */
static void
note_address(struct server *server)
{
    struct mg_server_port ports[CONFIG_LISTEN_MAX];
    char address[INET_ADDRSTRLEN];
    server->address = server->config->listen[0];
    if (mg_get_server_ports(server->context, CONFIG_LISTEN_MAX, ports) > 0) {
        server->address.sin_port = htons((uint16_t)ports[0].port);
    }
    if (server->address.sin_addr.s_addr == htonl(INADDR_ANY)) {
        server->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    inet_ntop(AF_INET, &server->address.sin_addr, address, sizeof(address));
    snprintf(server->url, sizeof(server->url), "http://%s:%u", address,
             ntohs(server->address.sin_port));
}

int
server_start(struct server **out, const struct server_settings *settings,
             struct error *err)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return error_set(err, RC_NOMEM, "http: out of memory");
    }
    server->settings = *settings;
    server->config = settings->generation->config;
    mg_init_library(0);
    int rc = watchdog_start(&server->watchdog, err);
    if (rc == RC_OK) {
        rc = start_civetweb(server, err);
    }
    if (rc != RC_OK) {
        server_stop(server);
        return rc;
    }

    note_address(server);
    *out = server;
    return RC_OK;
}

const char *
server_url(const struct server *server)
{
    return server->url;
}

void
server_refuse(struct server *server)
{
    if (server != NULL) {
        atomic_store(&server->draining, 1);
    }
}

int
server_in_work(struct server *server)
{
    return server != NULL ? atomic_load(&server->in_work) : 0;
}

void
server_stop(struct server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->context != NULL) {
        halt_civetweb(server->context, &server->address);
    }
    watchdog_stop(server->watchdog);
    mg_exit_library();
    free(server);
}
