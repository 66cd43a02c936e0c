/* core/http/checkup.c: GET /livez, /readyz and /healthz of the admin port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/checkup.h"

#include "admin/api.h"
#include "http/answer.h"
#include "http/reply.h"
#include "http/request.h"

#include <civetweb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether ?verbose is asked for, with whatever value. */
static int
is_verbose(const struct mg_connection *conn)
{
    const char *query = mg_get_request_info(conn)->query_string;
    size_t len = strlen("verbose");
    return query != NULL && strncmp(query, "verbose", len) == 0 &&
           strchr("=&", query[len]) != NULL; /* or the end */
}

int
checkup_is_meant(const struct request *request)
{
    return strcmp(request->path, "/livez") == 0 ||
           strcmp(request->path, "/readyz") == 0 ||
           strcmp(request->path, "/healthz") == 0;
}

int
checkup_is_open(const struct mg_connection *conn, const struct request *request)
{
    return checkup_is_meant(request) && !is_verbose(conn);
}

static void
serve_detail(const struct checkup *checkup, struct mg_connection *conn,
             const struct request *request, int is_good, int head_only)
{
    int is_ready = 0, is_live = strcmp(request->path, "/livez") == 0;
    char *lines = api_readiness(checkup->api, &is_ready);
    char *text = NULL;
    is_good &= lines != NULL && (is_live || is_ready);
    int len = asprintf(&text, "%s%s check %s\n", lines != NULL ? lines : "",
                       request->path + 1, is_good ? "passed" : "failed");
    free(lines);
    if (len < 0) {
        answer_send(conn, ANSWER_UNHEALTHY, 1, head_only);
        return;
    }
    reply_text(conn, is_good ? 200 : 503, text, head_only);
    free(text);
}

void
checkup_serve(const struct checkup *checkup, struct mg_connection *conn,
              const struct request *request)
{
    server_health_fn *fn = strcmp(request->path, "/livez") == 0
                               ? checkup->is_live
                               : checkup->is_ready;
    int head_only = strcmp(request->method, "HEAD") == 0;
    mg_disable_connection_keep_alive(conn);
    if (!head_only && strcmp(request->method, "GET") != 0) {
        answer_send(conn, ANSWER_GET_ONLY, 1, 0);
        return;
    }
    int is_good = fn(checkup->arg);
    if (is_verbose(conn)) {
        serve_detail(checkup, conn, request, is_good, head_only);
        return;
    }
    answer_send(conn, is_good ? ANSWER_HEALTHY : ANSWER_UNHEALTHY, 1,
                head_only);
}
