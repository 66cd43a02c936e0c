/* core/http/reply.c: answers of the admin port, each in one write.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/reply.h"

#include "admin/api.h"
#include "admin/problem.h"

#include <civetweb.h>
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {202, "Accepted"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Internal Server Error";
}

/* The head; `out` has room for any. */
#define HEAD_MAX 1024

static int
write_head(char *out, const struct api_answer *answer, const char *type,
           size_t len, int close)
{
    int at = snprintf(out, HEAD_MAX,
                      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                      "Content-Length: %zu\r\nCache-Control: no-store\r\n"
                      "X-Content-Type-Options: nosniff\r\n",
                      answer->status, phrase_of(answer->status), type, len);
    if (answer->location[0] != '\0') {
        at += snprintf(out + at, (size_t)(HEAD_MAX - at), "Location: %s\r\n",
                       answer->location);
    }
    if (answer->allow[0] != '\0') {
        at += snprintf(out + at, (size_t)(HEAD_MAX - at), "Allow: %s\r\n",
                       answer->allow);
    }
    if (answer->status == 401) {
        at += snprintf(out + at, (size_t)(HEAD_MAX - at),
                       "WWW-Authenticate: Bearer\r\n");
    }
    if (answer->status == 503 || answer->status == 429) {
        at += snprintf(out + at, (size_t)(HEAD_MAX - at), "Retry-After: %d\r\n",
                       answer->status == 429 ? 60 : 5);
    }
    at += snprintf(out + at, (size_t)(HEAD_MAX - at), "%s\r\n",
                   close ? "Connection: close\r\n" : "");
    return at;
}

static void
send_bytes(struct mg_connection *conn, const struct api_answer *answer,
           const char *body, size_t len, int close)
{
    const char *type =
        answer->status >= 400 ? "application/problem+json" : "application/json";
    char *text = malloc(HEAD_MAX + len);
    if (text == NULL) {
        mg_disable_connection_keep_alive(conn); /* it just ends */
        return;
    }
    size_t head = (size_t)write_head(text, answer, type, len, close);
    memcpy(text + head, body, len);
    mg_write(conn, text, head + len); /* gone: nobody is there to be told */
    free(text);
}

void
reply_send(struct mg_connection *conn, const struct api_answer *answer,
           int close)
{
    if (close) {
        mg_disable_connection_keep_alive(conn);
    }
    if (answer->bytes != NULL) {
        send_bytes(conn, answer, answer->bytes, answer->len, close);
        return;
    }
    char *body = cJSON_PrintUnformatted(answer->json);
    if (body == NULL) {
        const struct api_answer failed = {.status = 500};
        send_bytes(conn, &failed, "{}", 2, close);
        return;
    }
    send_bytes(conn, answer, body, strlen(body), close);
    cJSON_free(body);
}

void
reply_problem(struct mg_connection *conn, const struct problem *problem,
              const char *path)
{
    struct api_answer answer = {.status = problem_status(problem),
                                .json = problem_json(problem, path)};
    if (problem->code == PROBLEM_METHOD) {
        snprintf(answer.allow, sizeof(answer.allow), "GET"); /* the stream */
    }
    reply_send(conn, &answer, 1);
    api_answer_fini(&answer);
}

void
reply_text(struct mg_connection *conn, int status, const char *body,
           int head_only)
{
    const struct api_answer answer = {.status = status};
    size_t len = strlen(body);
    char *text = malloc(HEAD_MAX + len);
    mg_disable_connection_keep_alive(conn);
    if (text == NULL) {
        return; /* it just ends */
    }
    size_t head =
        (size_t)write_head(text, &answer, "text/plain; charset=utf-8", len, 1);
    memcpy(text + head, body, len);
    mg_write(conn, text, head + (head_only ? 0 : len)); /* gone: nobody told */
    free(text);
}
