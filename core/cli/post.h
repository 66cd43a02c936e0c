/* core/cli/post.h: posts bodies to a webhook endpoint, as Stripe does.
 *
 * One connection is kept alive from post to post. Redirects are not followed,
 * as Stripe does not follow them. Not thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POST_H
#define CORE_POST_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct post;

#define POST_ANSWER_MAX 65536 /* bytes of an answer; what is behind is cut */

/** What came back. */
struct post_answer {
    long status; /* of HTTP */
    int64_t elapsed_ms;
    const char *body; /* borrowed until the next post_send(); NUL-terminated */
    size_t len;
};

/**
 * Prepare to post to `url`, which must be http or https. Nothing is sent yet.
 *
 * @param out  set on success only; the caller owns it: post_close()
 * @return RC_OK, RC_INVALID (not such a URL), RC_NOMEM, RC_IO
 */
int post_open(struct post **out, const char *url, struct error *err);

/**
 * Post one body and wait for the answer, at most half a minute.
 *
 * @param signature  value of the Stripe-Signature field
 * @param answer     filled on success, that is whatever the status
 * @return RC_OK, RC_CLOSED (nobody answers there), RC_TIMEOUT, RC_IO, RC_NOMEM
 */
int post_send(struct post *post, const char *signature, const char *body,
              size_t len, struct post_answer *answer, struct error *err);

/** Accepts NULL. */
void post_close(struct post *post);

#endif
