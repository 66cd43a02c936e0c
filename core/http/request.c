/* core/http/request.c: one request, read strictly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"

#include "clock.h"
#include "error.h"
#include "http/server.h"
#include "http/watchdog.h"

#include <civetweb.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* More digits than any length we accept. */
#define LENGTH_DIGITS_MAX 15

/* First step for a body of unknown length; doubled as needed. */
#define CHUNKED_BYTES 16384

/* How much of a refused body is still taken, and for how long. */
#define DISCARD_BYTES 262144
#define DISCARD_MS    1000

/* ---- The head ------------------------------------------------------- */

/* The length a field's text announces, or -1: digits and nothing else but
 * blanks at its ends. */
static int64_t
parse_length(const char *text)
{
    int64_t value = 0;
    size_t digits = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
        if (++digits > LENGTH_DIGITS_MAX) {
            return -1;
        }
    }
    text += strspn(text, " \t");
    return digits > 0 && *text == '\0' ? value : -1;
}

/* CivetWeb ends its words with NULs in place: what followed a header's name
 * and value can still be seen. */
static int
name_is_clean(const struct mg_header *header)
{
    size_t len = strlen(header->name);
    const char *behind = header->name + len + 1;
    if (behind != header->value && *behind == '\0') {
        return 0; /* a blank stood before the colon */
    }
    return len > 0 && strspn(header->name, "!#$%&'*+-.^_`|~0123456789"
                                           "abcdefghijklmnopqrstuvwxyz"
                                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
}

static const char *
end_of(const char *word)
{
    return word + strlen(word);
}

/* Whether one blank stands between the words of the request line. CivetWeb
 * takes any number of blanks and line ends there. */
static int
line_is_exact(const struct mg_request_info *info)
{
    const char *target =
        info->query_string != NULL ? info->query_string : info->request_uri;
    return end_of(info->request_method) + 1 == info->request_uri &&
           end_of(target) + 1 == info->http_version - strlen("HTTP/");
}

/* Whether the headers that we were shown are all there are, each in a line of
 * its own. A line ended in CR LF, both NUL now, so that the next name stands
 * two bytes behind it: a bare LF, or a line that was dropped, moves it. Behind
 * the last one the empty line's CR must stand, and its LF (the head's last
 * byte) be NUL. */
static int
head_is_whole(const struct mg_request_info *info)
{
    if (info->num_headers == 0) {
        return 1; /* nothing can hide: such a connection is closed */
    }
    const char *end = end_of(info->http_version);
    for (int i = 0; i < info->num_headers; i++) {
        if (info->http_headers[i].name != end + 2) {
            return 0;
        }
        end = end_of(info->http_headers[i].value);
    }
    if (end + 3 - info->request_method >= SERVER_HEAD_MAX) {
        return 0;
    }
    return end[1] == '\0' && end[2] == '\r' && end[3] == '\0';
}

/* Count the fields that decide where the body ends. */
struct framing {
    unsigned lengths, encodings;
    int64_t length;
    int chunked;
};

static void
take_header(struct request *request, struct framing *framing,
            const struct mg_header *header)
{
    if (strcasecmp(header->name, "Content-Length") == 0) {
        framing->lengths++;
        framing->length = parse_length(header->value);
    } else if (strcasecmp(header->name, "Transfer-Encoding") == 0) {
        framing->encodings++;
        framing->chunked = strcasecmp(header->value, "chunked") == 0;
    } else if (strcasecmp(header->name, "Stripe-Signature") == 0) {
        if (request->signatures++ == 0) {
            request->signature = header->value;
        }
    } else if (strcasecmp(header->name, "Expect") == 0) {
        request->expects_continue =
            strcasecmp(header->value, "100-continue") == 0;
    } else if (strcasecmp(header->name, "Connection") == 0) {
        if (strcasecmp(header->value, "keep-alive") != 0) {
            request->close = 1;
        }
    } else if (strcasecmp(header->name, "X-Forwarded-For") == 0) {
        request->forwarded_for = header->value;
    }
}

static const char *
judge_framing(const struct framing *framing)
{
    if (framing->encodings > 0 && framing->lengths > 0) {
        return "Transfer-Encoding beside Content-Length";
    }
    if (framing->encodings > 1 ||
        (framing->encodings == 1 && !framing->chunked)) {
        return "Transfer-Encoding other than chunked";
    }
    if (framing->lengths > 1) {
        return "Content-Length twice";
    }
    if (framing->lengths == 1 && framing->length < 0) {
        return "Content-Length is not a number";
    }
    return NULL;
}

int
request_head(struct mg_connection *conn, struct request *request,
             const char **why)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct framing framing = {0};
    memset(request, 0, sizeof(*request));
    request->received_ms = clock_wall_ms();
    request->begun_us = clock_mono_us();
    request->method = info->request_method;
    request->path = info->request_uri;
    if (request->path[0] != '/' && info->local_uri != NULL) {
        request->path = info->local_uri; /* http://host:port/path */
    }
    int is_old = strcmp(info->http_version, "1.1") != 0;
    request->close = is_old || info->num_headers == 0;

    *why = line_is_exact(info) ? NULL : "odd request line";
    for (int i = 0; i < info->num_headers; i++) {
        if (!name_is_clean(&info->http_headers[i])) {
            *why = "odd header name";
        }
        take_header(request, &framing, &info->http_headers[i]);
    }
    if (*why == NULL && !head_is_whole(info)) {
        *why = "header lines that cannot be read, or more than 64";
    }
    if (*why == NULL) {
        *why = judge_framing(&framing);
    }
    request->expects_continue &= !is_old;
    request->body_len = framing.chunked ? -1 : framing.length;
    if (framing.chunked) {
        request->close = 1; /* whether it may go on cannot be seen from here */
    }
    if (*why != NULL) {
        request->close = 1;
        return RC_INVALID;
    }
    request->body_waits = request->body_len != 0 && !request->expects_continue;
    return RC_OK;
}

/* ---- The body ------------------------------------------------------- */

static void
fill_watch(struct mg_connection *conn, struct watch *watch, int64_t timeout_ms)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    memset(watch, 0, sizeof(*watch));
    inet_pton(AF_INET, info->remote_addr, &watch->peer);
    watch->peer_port = (uint16_t)info->remote_port;
    watch->local_port = (uint16_t)info->server_port;
    watch->deadline_ms = clock_mono_ms() + timeout_ms;
}

/* Read exactly `len` bytes. Returns how many came. */
static size_t
read_exactly(struct mg_connection *conn, char *to, size_t len)
{
    size_t got = 0;
    while (got < len) {
        int n = mg_read(conn, to + got, len - got);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    return got;
}

static int
read_announced(struct mg_connection *conn, const struct request *request,
               char **body, size_t *len)
{
    *len = (size_t)request->body_len;
    *body = malloc(*len + 1);
    if (*body == NULL) {
        return RC_NOMEM;
    }
    return read_exactly(conn, *body, *len) == *len ? RC_OK : RC_CLOSED;
}

/* Chunked: until its end, or one byte more than allowed. */
static int
read_chunked(struct mg_connection *conn, size_t max, char **body, size_t *len)
{
    size_t room = CHUNKED_BYTES < max + 1 ? CHUNKED_BYTES : max + 1;
    size_t got = 0;
    *body = malloc(room + 1);
    while (*body != NULL) {
        int n = mg_read(conn, *body + got, room - got);
        if (n < 0) {
            return RC_CLOSED;
        }
        got += (size_t)n;
        *len = got;
        if (n == 0) {
            return RC_OK;
        }
        if (got > max) {
            return RC_FULL;
        }
        if (got == room) {
            room = room * 2 < max + 1 ? room * 2 : max + 1;
            char *more = realloc(*body, room + 1);
            if (more == NULL) {
                return RC_NOMEM;
            }
            *body = more;
        }
    }
    return RC_NOMEM;
}

static int
refuse(struct request *request, int rc, int slow, enum answer *answer,
       const char **why)
{
    request->close = 1;
    if (slow) {
        *answer = ANSWER_TOO_SLOW;
        *why = "body took too long";
    } else if (rc == RC_FULL) {
        *answer = ANSWER_TOO_LARGE;
        *why = "body larger than max_body";
    } else if (rc == RC_NOMEM) {
        *answer = ANSWER_UNAVAILABLE;
        *why = "out of memory";
    } else {
        *answer = ANSWER_BAD_REQUEST;
        *why = "body shorter than announced, or broken chunks";
    }
    return rc;
}

int
request_body(struct mg_connection *conn, struct request *request,
             const struct request_limits *limits, char **body, size_t *len,
             enum answer *answer, const char **why)
{
    if (request->body_len > limits->max_body) {
        return refuse(request, RC_FULL, 0, answer, why);
    }
    if (request->expects_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        mg_write(conn, go_on, sizeof(go_on) - 1);
    }

    struct watch watch;
    char *bytes = NULL;
    request->body_waits = 0;
    fill_watch(conn, &watch, limits->timeout_ms);
    watchdog_begin(limits->watchdog, &watch);
    int rc = request->body_len >= 0
                 ? read_announced(conn, request, &bytes, len)
                 : read_chunked(conn, (size_t)limits->max_body, &bytes, len);
    watchdog_end(limits->watchdog, &watch);
    if (rc != RC_OK) {
        int slow = rc == RC_CLOSED &&
                   (watch.fired || clock_mono_us() - request->begun_us >=
                                       limits->timeout_ms * 1000);
        free(bytes);
        request->body_waits = rc == RC_FULL;
        return refuse(request, rc, slow, answer, why);
    }
    bytes[*len] = '\0';
    *body = bytes;
    return RC_OK;
}

void
request_discard(struct mg_connection *conn, struct watchdog *watchdog)
{
    struct watch watch;
    char room[4096];
    fill_watch(conn, &watch, DISCARD_MS);
    watchdog_begin(watchdog, &watch);
    int n = 1;
    for (int got = 0; n > 0 && got < DISCARD_BYTES; got += n) {
        n = mg_read(conn, room, sizeof(room));
    }
    watchdog_end(watchdog, &watch);
}
