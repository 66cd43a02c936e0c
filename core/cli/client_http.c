/* core/cli/client_http.c: the admin API of a running daemon, with libcurl.
 *
 * One connection is kept alive. Redirects are not followed: they would take the
 * token with them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client_parts.h"

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api.h"
#include "command.h"

#define CONNECT_TIMEOUT_MS 5000L
#define ANSWER_MAX         (256U << 20) /* bytes; more is no answer of ours */
#define SILENCE_S          60L /* of a stream, which is never silent so long */

struct http_way {
    CURL *curl;
    const struct where *where;
    struct curl_slist *fields, *json_fields;
    char why[CURL_ERROR_SIZE];
    int64_t timeout_ms;
    struct reply *reply; /* of the call in work */
    struct sse *sse;     /* NULL: not a stream */
    int is_ended;        /* by the stream's function */
    int is_hushed;
};

static void
wipe_fields(struct curl_slist *fields)
{
    for (struct curl_slist *one = fields; one != NULL; one = one->next) {
        explicit_bzero(one->data, strlen(one->data));
    }
    curl_slist_free_all(fields);
}

/* ---- Opening -------------------------------------------------------- */

static int
add_field(struct curl_slist **fields, const char *field)
{
    struct curl_slist *longer = curl_slist_append(*fields, field);
    if (longer == NULL) {
        return 0;
    }
    *fields = longer;
    return 1;
}

static int
make_fields(struct http_way *way)
{
    char line[TOKEN_MAX + 64];
    snprintf(line, sizeof(line), "Authorization: Bearer %s", way->where->token);
    int made = add_field(&way->fields, line) &&
               add_field(&way->json_fields, line) &&
               add_field(&way->json_fields, "Expect:") &&
               add_field(&way->json_fields, "Content-Type: application/json");
    explicit_bzero(line, sizeof(line));
    return made;
}

static size_t
take_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_way *way = arg;
    struct reply *reply = way->reply;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(way->curl, CURLINFO_RESPONSE_CODE, &status);
    if (way->sse != NULL && status == 200) {
        way->is_ended = sse_feed(way->sse, bytes, len) != 0;
        return way->is_ended ? 0 : len;
    }
    if (len > ANSWER_MAX - reply->len) {
        return 0;
    }
    char *larger = realloc(reply->bytes, reply->len + len + 1);
    if (larger == NULL) {
        return 0;
    }
    memcpy(larger + reply->len, bytes, len);
    reply->bytes = larger;
    reply->len += len;
    reply->bytes[reply->len] = '\0';
    return len;
}

/* A proxy from the environment must not see the token; https goes where it is
 * told to, and only there. */
static int
set_options(struct http_way *way)
{
    CURL *curl = way->curl;
    if (curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") !=
            CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_USERAGENT,
                         "pegboard/" PEGBOARD_VERSION) != CURLE_OK) {
        return 0;
    }
    /* These only store what they get and cannot fail. */
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, way->why);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, way);
    return 1;
}

int
http_way_open(struct http_way **out, const struct where *where,
              int64_t timeout_ms)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return command_error(EXIT_FAILED, "libcurl cannot start");
    }
    struct http_way *way = calloc(1, sizeof(*way));
    if (way != NULL) {
        way->curl = curl_easy_init();
        way->where = where;
        way->timeout_ms = timeout_ms;
    }
    if (way == NULL || way->curl == NULL || !make_fields(way) ||
        !set_options(way)) {
        http_way_close(way);
        return command_error(EXIT_FAILED, "out of memory");
    }
    *out = way;
    return 0;
}

void
http_way_close(struct http_way *way)
{
    if (way == NULL) {
        return;
    }
    curl_easy_cleanup(way->curl);
    wipe_fields(way->fields);
    wipe_fields(way->json_fields);
    free(way);
}

/* ---- Calling -------------------------------------------------------- */

void
http_way_limit(struct http_way *way, int64_t timeout_ms)
{
    way->timeout_ms = timeout_ms;
}

void
http_way_hush(struct http_way *way)
{
    way->is_hushed = 1;
}

static int
explain(const struct http_way *way, CURLcode code)
{
    if (way->is_hushed) {
        return EXIT_NO_DAEMON;
    }
    const char *why = way->why[0] != '\0' ? way->why : curl_easy_strerror(code);
    const char *url = way->where->url;
    switch ((int)code) { /* few of libcurl's many codes need words of ours */
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return command_error(EXIT_NO_DAEMON, "no daemon answers at %s: %s", url,
                             way->where->start_hint);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return command_error(EXIT_NO_DAEMON,
                             "the daemon at %s closed the connection (%s)", url,
                             why);
    case CURLE_OPERATION_TIMEDOUT:
        return command_error(EXIT_TIMED_OUT, "no answer from %s in time (%s)",
                             url, why);
    default:
        return command_error(EXIT_FAILED, "cannot ask %s: %s", url, why);
    }
}

static CURLcode
perform(struct http_way *way, const char *path, struct reply *reply)
{
    char *url;
    if (asprintf(&url, "%s%s%s", way->where->url, API_PREFIX, path) < 0) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLcode code = curl_easy_setopt(way->curl, CURLOPT_URL, url);
    free(url);
    if (code != CURLE_OK) {
        return code;
    }
    way->reply = reply;
    way->why[0] = '\0';
    code = curl_easy_perform(way->curl);
    curl_easy_getinfo(way->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    way->reply = NULL;
    return code;
}

int
http_way_call(struct http_way *way, const char *method, const char *path,
              const char *body, struct reply *reply)
{
    CURL *curl = way->curl;
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)way->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 0L);
    if (strcmp(method, "GET") == 0) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, way->fields);
    } else {
        const char *sent = body != NULL ? body : "{}";
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, way->json_fields);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)strlen(sent));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
    }
    CURLcode code = perform(way, path, reply);
    return code == CURLE_OK ? 0 : explain(way, code);
}

int
http_way_stream(struct http_way *way, const char *path, client_stream_fn *fn,
                void *arg, struct reply *reply)
{
    struct sse *sse = calloc(1, sizeof(*sse));
    if (sse == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    sse->fn = fn;
    sse->arg = arg;
    way->sse = sse;
    way->is_ended = 0;
    curl_easy_setopt(way->curl, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(way->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(way->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    curl_easy_setopt(way->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(way->curl, CURLOPT_HTTPHEADER, way->fields);
    CURLcode code = perform(way, path, reply);
    way->sse = NULL;
    free(sse);
    if (way->is_ended || (code == CURLE_OK && reply->status != 200)) {
        return 0;
    }
    if (code == CURLE_OK) {
        return command_error(EXIT_NO_DAEMON, "the daemon ended the stream");
    }
    return explain(way, code);
}
