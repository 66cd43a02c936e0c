/* core/http/request.h: one request, read strictly.
 *
 * CivetWeb accepts much that two parsers in a row could read differently:
 * Transfer-Encoding beside Content-Length, doubled or odd lengths, blanks
 * before a colon, header lines that it drops in silence (those behind the 64th,
 * or behind a line it does not understand). All of that is refused here, and
 * the connection closed before a byte is taken for the next request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "http/answer.h"

#include <stddef.h>
#include <stdint.h>

struct mg_connection;
struct watchdog;

/** A request's head. Text is borrowed from CivetWeb until it is answered. */
struct request {
    const char *method, *path; /* path without the query, undecoded */
    const char *signature;     /* Stripe-Signature of the first such field */
    unsigned signatures;       /* how many such fields there are */
    const char *forwarded_for; /* the last X-Forwarded-For, or NULL */
    int64_t body_len;          /* announced; -1 for chunked */
    int expects_continue;
    int body_waits; /* the sender has begun a body that was not read to its end
                     */
    int close;      /* the connection ends with the answer */
    int64_t received_ms; /* wall clock, when the head was complete */
    int64_t begun_us;    /* the same moment, monotonic */
};

/**
 * Read the head.
 *
 * @param why  when refused: what is wrong, for the log; constant text
 * @return RC_OK, or RC_INVALID: answer ANSWER_BAD_REQUEST, ->close is set
 */
int request_head(struct mg_connection *conn, struct request *request,
                 const char **why);

/** Bounds for a body. */
struct request_limits {
    int64_t max_body;
    int64_t timeout_ms; /* for the whole body */
    struct watchdog *watchdog;
};

/**
 * Read the body, whole or not at all.
 *
 * @param body    set on success only; free() it; never NULL then
 * @param answer  set on failure: what to say; ->close is set too
 * @return RC_OK or a failure
 */
int request_body(struct mg_connection *conn, struct request *request,
                 const struct request_limits *limits, char **body, size_t *len,
                 enum answer *answer, const char **why);

/**
 * After a refusal, take what the sender has under way of a body that waits, up
 * to a bound: closing a connection with unread bytes resets it, and the sender
 * or a proxy would report that instead of the answer.
 */
void request_discard(struct mg_connection *conn, struct watchdog *watchdog);

#endif
