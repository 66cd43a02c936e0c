/* core/http/answer.c: everything the webhook port can say.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/answer.h"

#include <civetweb.h>

#include <stdio.h>
#include <string.h>

#define JSON    "application/json"
#define PROBLEM "application/problem+json"
#define TEXT    "text/plain"

/* RFC 9457. The reason of a bad signature stays in the log: it must not help a
 * forger. */
#define PROBLEM_BODY(code, title, status)                                      \
    "{\"type\":\"urn:pegboard:problem:" code "\",\"title\":\"" title           \
    "\",\"status\":" status ",\"code\":\"" code "\"}"

/* Stripe tries again by itself; others are told when. */
#define RETRY_AFTER "Retry-After: 5\r\n"

static const struct {
    int status;
    const char *phrase, *type, *headers, *body;
} answers[ANSWER_COUNT] = {
    [ANSWER_RECEIVED] = {200, "OK", JSON, "", "{\"received\":true}"},
    [ANSWER_DUPLICATE] = {200, "OK", JSON, "",
                          "{\"received\":true,\"duplicate\":true}"},
    [ANSWER_HEALTHY] = {200, "OK", TEXT, "", "ok\n"},
    [ANSWER_BAD_REQUEST] = {400, "Bad Request", PROBLEM, "",
                            PROBLEM_BODY("bad-request", "Malformed request",
                                         "400")},
    [ANSWER_BAD_SIGNATURE] = {400, "Bad Request", PROBLEM, "",
                              PROBLEM_BODY("invalid-signature",
                                           "Signature not accepted", "400")},
    [ANSWER_NOT_AN_EVENT] = {400, "Bad Request", PROBLEM, "",
                             PROBLEM_BODY("not-an-event",
                                          "The body is not an event", "400")},
    [ANSWER_NOT_FOUND] = {404, "Not Found", PROBLEM, "",
                          PROBLEM_BODY("not-found", "No such path", "404")},
    [ANSWER_POST_ONLY] = {405, "Method Not Allowed", PROBLEM, "Allow: POST\r\n",
                          PROBLEM_BODY("method-not-allowed",
                                       "Events are sent with POST", "405")},
    [ANSWER_GET_ONLY] = {405, "Method Not Allowed", PROBLEM,
                         "Allow: GET, HEAD\r\n",
                         PROBLEM_BODY("method-not-allowed",
                                      "Health is read with GET", "405")},
    [ANSWER_TOO_SLOW] = {408, "Request Timeout", PROBLEM, "",
                         PROBLEM_BODY("timeout", "The request came too slowly",
                                      "408")},
    [ANSWER_TOO_LARGE] = {413, "Content Too Large", PROBLEM, "",
                          PROBLEM_BODY("too-large", "The body is too large",
                                       "413")},
    [ANSWER_FAILED] = {500, "Internal Server Error", PROBLEM, "",
                       PROBLEM_BODY("internal", "Internal error", "500")},
    [ANSWER_BAD_VERSION] = {505, "HTTP Version Not Supported", PROBLEM, "",
                            PROBLEM_BODY("bad-version", "Speak HTTP/1.1 or 1.0",
                                         "505")},
    [ANSWER_UNAVAILABLE] = {503, "Service Unavailable", PROBLEM, RETRY_AFTER,
                            PROBLEM_BODY("unavailable",
                                         "The event was not stored", "503")},
    [ANSWER_UNHEALTHY] = {503, "Service Unavailable", TEXT, RETRY_AFTER,
                          "unavailable\n"},
};

int
answer_status(enum answer answer)
{
    return answers[answer].status;
}

void
answer_send(struct mg_connection *conn, enum answer answer, int close,
            int head_only)
{
    char text[1024];
    const char *body = answers[answer].body;
    int len =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n%s%s\r\n%s",
                 answers[answer].status, answers[answer].phrase,
                 answers[answer].type, strlen(body), answers[answer].headers,
                 close ? "Connection: close\r\n" : "", head_only ? "" : body);
    mg_write(conn, text, (size_t)len); /* gone: the sender will repeat */
}
