/* plugins/forward/post.c: POST over a connection that is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "post.h"

#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USER_AGENT     "pegboard-forward/1.0"
#define HEAD_BYTES_MAX (64U << 10) /* of an answer, "100 Continue" included */
#define BODY_BYTES_MAX (64U << 10) /* a longer one costs the connection */
#define CA_CACHE_S     60L /* so long a ca_file that was changed is unseen */
#define RETRY_AFTER_MAX                                                        \
    (365 * 24 * 3600) /* seconds; far beyond what is obeyed */

struct post {
    CURL *curl;
    struct answer *answer; /* of the exchange that is under way */
    size_t head_bytes, body_bytes;
    size_t text_len;
    int unanswered;            /* the last exchange was */
    char why[CURL_ERROR_SIZE]; /* libcurl's words for its last failure */
};

/* ---- What libcurl calls --------------------------------------------- */

/* One line of a head. The blank one ends it; a head with 1xx is followed by
 * another. */
static size_t
take_head(char *line, size_t size, size_t count, void *arg)
{
    struct post *post = arg;
    size_t len = size * count;
    long status = 0;
    post->head_bytes += len;
    if (post->head_bytes > HEAD_BYTES_MAX) {
        return 0; /* ends the exchange */
    }
    if (len > 0 && (line[0] == '\r' || line[0] == '\n') &&
        curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status) ==
            CURLE_OK &&
        status >= 200) {
        post->answer->status = (int)status;
    }
    return len;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct post *post = arg;
    size_t len = size * count;
    size_t room = POST_TEXT_MAX - post->text_len;
    size_t kept = len < room ? len : room;
    memcpy(post->answer->text + post->text_len, bytes, kept);
    post->text_len += kept;
    post->body_bytes += len;
    /* What is dropped leaves the connection fit for the next event. */
    return post->body_bytes > BODY_BYTES_MAX ? 0 : len;
}

/* ---- Getting ready -------------------------------------------------- */

/* Of the calls below those with numbers cannot fail once libcurl knows the
 * option, and init() has asked for a libcurl that does. */
static CURLcode
set_texts(CURL *curl, const struct settings *s)
{
    const struct {
        CURLoption option;
        const char *text;
    } texts[] = {
        {CURLOPT_PROTOCOLS_STR, "http,https"},
        {CURLOPT_URL, s->url},
        {CURLOPT_USERAGENT, USER_AGENT},
        {CURLOPT_PROXY, s->proxy}, /* "" keeps the environment's out */
        {CURLOPT_NOPROXY, ""},     /* likewise */
    };
    CURLcode rc = CURLE_OK;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (rc == CURLE_OK) {
            rc = curl_easy_setopt(curl, texts[i].option, texts[i].text);
        }
    }
    if (rc == CURLE_OK && s->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* the system's */
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca_file);
    }
    return rc;
}

static CURLcode
set_options(struct post *post, const struct settings *s)
{
    CURL *curl = post->curl;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
    curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L); /* the newest */
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, s->connect_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* A proxy's own "200" is not the receiver's. */
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, post);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, post->why);
    CURLcode rc = set_texts(curl, s);
    /* Without it a name server that is silent holds us beyond every timeout:
     * libcurl would wait for the thread that asks it. */
    return rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
}

/* The libcurl that runs can be another one than that of the headers. */
static int
check_library(peg_ctx *ctx)
{
    const curl_version_info_data *is = curl_version_info(CURLVERSION_NOW);
    if (is->version_num < 0x075700 ||
        (is->features & CURL_VERSION_ASYNCHDNS) == 0 ||
        (is->features & CURL_VERSION_SSL) == 0) {
        peg_error(ctx,
                  "libcurl %s will not do: it must be 7.87 or newer, with TLS "
                  "and asynchronous names",
                  is->version);
        return 1;
    }
    return 0;
}

int
post_open(struct post **out, const struct settings *settings, peg_ctx *ctx)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        peg_error(ctx, "libcurl cannot start");
        return 1;
    }
    if (check_library(ctx) != 0) {
        return 1;
    }
    struct post *post = calloc(1, sizeof(*post));
    if (post != NULL) {
        post->curl = curl_easy_init();
    }
    CURLcode rc = post == NULL || post->curl == NULL
                      ? CURLE_OUT_OF_MEMORY
                      : set_options(post, settings);
    if (rc != CURLE_OK) {
        peg_error(ctx, "libcurl: %s", curl_easy_strerror(rc));
        post_close(post);
        return 1;
    }
    *out = post;
    return 0;
}

void
post_close(struct post *post)
{
    if (post != NULL) {
        curl_easy_cleanup(post->curl);
        free(post);
    }
}

/* ---- An exchange ---------------------------------------------------- */

/* "120", or an HTTP date. */
static int64_t
retry_after_s(CURL *curl)
{
    struct curl_header *field;
    if (curl_easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &field) !=
        CURLHE_OK) {
        return 0;
    }
    size_t digits = strspn(field->value, "0123456789");
    int64_t seconds;
    if (digits > 0 && field->value[digits] == '\0') {
        seconds = strtoll(field->value, NULL, 10); /* at most LLONG_MAX */
    } else {
        time_t then = curl_getdate(field->value, NULL);
        seconds = then == -1 ? 0 : (int64_t)then - (int64_t)time(NULL);
    }
    return seconds < RETRY_AFTER_MAX ? seconds : RETRY_AFTER_MAX;
}

static void
tell_moved(CURL *curl, char out[POST_HOST_MAX])
{
    char *url = NULL, *host = NULL;
    CURLU *parts = curl_url();
    if (parts != NULL &&
        curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &url) == CURLE_OK &&
        url != NULL &&
        curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ==
            CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        snprintf(out, POST_HOST_MAX, "%s", host);
    }
    curl_free(host);
    curl_url_cleanup(parts);
}

static void
explain(const struct post *post, CURLcode code, long limit_ms, char *out)
{
    const char *why =
        post->why[0] != '\0' ? post->why : curl_easy_strerror(code);
    const char *what = "no answer";
    switch ((int)code) { /* a few of libcurl's many */
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(out, POST_TEXT_MAX, "no answer in time (%ld ms): %s", limit_ms,
                 why);
        return;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        what = "no connection";
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        what = "TLS";
        break;
    case CURLE_WRITE_ERROR: /* take_head() */
        why = "its head is too long";
        break;
    default:
        break;
    }
    snprintf(out, POST_TEXT_MAX, "%s: %s", what, why);
}

/* On one line. The host cuts it, between characters. */
static void
tidy(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            text[i] = ' ';
        }
    }
    while (len > 0 && text[len - 1] == ' ') {
        len--;
    }
    text[len] = '\0';
}

void
post_send(struct post *post, peg_str body, struct curl_slist *fields,
          long limit_ms, struct answer *out)
{
    CURL *curl = post->curl;
    out->status = 0;
    out->retry_after_s = 0;
    out->moved_to[0] = '\0';
    post->answer = out;
    post->head_bytes = post->body_bytes = post->text_len = 0;
    post->why[0] = '\0';

    /* None of these is copied, or can fail. */
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit_ms);
    /* libcurl keeps an HTTP/2 connection when one of its streams has no answer
     * in time, even if nobody is there any more. The new one takes its place.
     */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, (long)post->unanswered);
    CURLcode code = curl_easy_perform(curl);
    post->unanswered = out->status == 0;
    if (out->status != 0) {
        out->retry_after_s = retry_after_s(curl);
        if (out->status / 100 == 3) {
            tell_moved(curl, out->moved_to);
        }
        tidy(out->text, post->text_len);
    } else {
        explain(post, code, limit_ms, out->text);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
}
