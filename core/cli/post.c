/* core/cli/post.c: posts bodies to a webhook endpoint, as Stripe does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "post.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"

#define CONNECT_TIMEOUT_MS 5000L
#define TIMEOUT_MS         30000L /* of the whole exchange */
#define FIELD_ROOM         512    /* of one header field */

struct post {
    CURL *curl;
    char *url;
    char why[CURL_ERROR_SIZE]; /* libcurl's words for the last failure */
    char answer[POST_ANSWER_MAX + 1];
    size_t len;
};

static size_t
take_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct post *post = arg;
    size_t len = size * count;
    size_t room = POST_ANSWER_MAX - post->len;
    size_t kept = len < room ? len : room;
    memcpy(post->answer + post->len, bytes, kept);
    post->len += kept;
    return len; /* the rest is read and dropped: the connection stays usable */
}

/* Whether the URL leads to this machine. A proxy from the environment must not
 * take such posts away. */
static int
is_loopback(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    int found =
        parts != NULL &&
        curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        (strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0);
    curl_free(host);
    curl_url_cleanup(parts);
    return found;
}

static int
set_options(struct post *post)
{
    CURL *curl = post->curl;
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_URL, post->url);
    if (rc != CURLE_OK) {
        return RC_NOMEM;
    }
    /* These only store what they get and cannot fail. */
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, post->why);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
    if (is_loopback(post->url) &&
        curl_easy_setopt(curl, CURLOPT_PROXY, "") != CURLE_OK) {
        return RC_NOMEM;
    }
    return RC_OK;
}

int
post_open(struct post **out, const char *url, struct error *err)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return error_set(err, RC_INVALID,
                         "\"%.200s\" is not a URL such as "
                         "http://127.0.0.1:4242/webhook",
                         url);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, RC_IO, "libcurl cannot start");
    }
    struct post *post = calloc(1, sizeof(*post));
    if (post != NULL) {
        post->curl = curl_easy_init();
        post->url = strdup(url);
    }
    if (post == NULL || post->curl == NULL || post->url == NULL ||
        set_options(post) != RC_OK) {
        post_close(post);
        return error_set(err, RC_NOMEM, "post: out of memory");
    }
    *out = post;
    return RC_OK;
}

void
post_close(struct post *post)
{
    if (post == NULL) {
        return;
    }
    curl_easy_cleanup(post->curl);
    free(post->url);
    free(post);
}

static int
append_field(struct curl_slist **fields, const char *field)
{
    struct curl_slist *longer = curl_slist_append(*fields, field);
    if (longer == NULL) {
        return RC_NOMEM;
    }
    *fields = longer;
    return RC_OK;
}

/* The fields that Stripe sends. An empty "Expect:" keeps libcurl from waiting
 * for a "100 Continue" before bodies over a megabyte. */
static int
make_fields(struct curl_slist **fields, const char *signature)
{
    char line[FIELD_ROOM];
    snprintf(line, sizeof(line), "Stripe-Signature: %s", signature);
    if (append_field(fields, "Content-Type: application/json; charset=utf-8") !=
            RC_OK ||
        append_field(fields, "User-Agent: pegboard/" PEGBOARD_VERSION) !=
            RC_OK ||
        append_field(fields, "Expect:") != RC_OK ||
        append_field(fields, line) != RC_OK) {
        return RC_NOMEM;
    }
    return RC_OK;
}

static int
explain(const struct post *post, CURLcode code, struct error *err)
{
    const char *why =
        post->why[0] != '\0' ? post->why : curl_easy_strerror(code);
    switch ((int)code) { /* few of libcurl's many codes need words of ours */
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, RC_CLOSED,
                         "nobody answers at %.200s (%.160s). Is pegboard "
                         "running? Start \"pegboard dev\", or name the place "
                         "with --url",
                         post->url, why);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, RC_TIMEOUT,
                         "no answer from %.200s in time (%.160s)", post->url,
                         why);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return error_set(err, RC_CLOSED,
                         "%.200s closed the connection without an answer "
                         "(%.160s); its log may say why",
                         post->url, why);
    default:
        return error_set(err, RC_IO, "cannot post to %.200s: %.160s", post->url,
                         why);
    }
}

int
post_send(struct post *post, const char *signature, const char *body,
          size_t len, struct post_answer *answer, struct error *err)
{
    struct curl_slist *fields = NULL;
    if (len > LONG_MAX || make_fields(&fields, signature) != RC_OK) {
        curl_slist_free_all(fields);
        return error_set(err, RC_NOMEM, "post: out of memory");
    }
    post->len = 0;
    post->why[0] = '\0';
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, body);

    int64_t start_us = clock_mono_us();
    CURLcode code = curl_easy_perform(post->curl);
    int64_t elapsed_us = clock_mono_us() - start_us;
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(fields);
    if (code != CURLE_OK) {
        return explain(post, code, err);
    }
    post->answer[post->len] = '\0';
    answer->status = 0;
    curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->elapsed_ms = (elapsed_us + 500) / 1000;
    answer->body = post->answer;
    answer->len = post->len;
    return RC_OK;
}
