/* plugins/forward/post.h: POST over a connection that is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_FORWARD_POST_H
#define PLUGINS_FORWARD_POST_H

#include <curl/curl.h>
#include <pegboard/plugin.h>

struct post; /* opaque */
struct settings;

/* Bytes kept of an answer's body. Far more than a reason holds, so that what it
 * must not tell is found whole, before the end is cut off. */
#define POST_TEXT_MAX 8192
#define POST_HOST_MAX 256

/** What came back. Of the body only the beginning is kept, on one line. */
struct answer {
    int status;                   /* 0: no answer; `text` says why */
    int64_t retry_after_s;        /* above 0, or nothing of use is said */
    char moved_to[POST_HOST_MAX]; /* with 3xx: the host in Location, or "" */
    char text[POST_TEXT_MAX + 1];
};

/**
 * Get ready; nothing is connected.
 *
 * @param settings  borrowed until post_close()
 * @return 0; anything else: peg_error() has been told why not
 */
int post_open(struct post **out, const struct settings *settings, peg_ctx *ctx);

/** Accepts NULL. */
void post_close(struct post *post);

/**
 * Send one body, and wait for the answer.
 *
 * The answer counts as soon as its head is there: a body that is cut off, too
 * long or too slow changes nothing, but costs the connection.
 *
 * @param fields    headers; borrowed
 * @param limit_ms  for all of it; at least 1
 */
void post_send(struct post *post, peg_str body, struct curl_slist *fields,
               long limit_ms, struct answer *out);

#endif
