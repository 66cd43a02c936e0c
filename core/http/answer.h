/* core/http/answer.h: everything the webhook port can say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ANSWER_H
#define CORE_ANSWER_H

struct mg_connection;

enum answer {
    ANSWER_RECEIVED = 0,  /* 200: durable */
    ANSWER_DUPLICATE,     /* 200: was durable before */
    ANSWER_HEALTHY,       /* 200: /livez, /readyz */
    ANSWER_BAD_REQUEST,   /* 400: framing we do not trust */
    ANSWER_BAD_SIGNATURE, /* 400: whatever is wrong with it */
    ANSWER_NOT_AN_EVENT,  /* 400: authentic, but no event */
    ANSWER_NOT_FOUND,     /* 404 */
    ANSWER_POST_ONLY,     /* 405 */
    ANSWER_GET_ONLY,      /* 405 */
    ANSWER_TOO_SLOW,      /* 408 */
    ANSWER_TOO_LARGE,     /* 413 */
    ANSWER_FAILED,        /* 500 */
    ANSWER_BAD_VERSION,   /* 505 */
    ANSWER_UNAVAILABLE,   /* 503: cannot store, draining or overloaded */
    ANSWER_UNHEALTHY,     /* 503: /livez, /readyz */
    ANSWER_COUNT,
};

/** Its status code. */
int answer_status(enum answer answer);

/**
 * Send it, in one write: with two, Nagle and delayed acks cost 40 ms.
 *
 * @param close      announce that the connection ends here; the caller has
 *                   told CivetWeb so too
 * @param head_only  leave the body out, as HEAD asks
 */
void answer_send(struct mg_connection *conn, enum answer answer, int close,
                 int head_only);

#endif
