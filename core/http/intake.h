/* core/http/intake.h: from a request to a durable event.
 *
 * The order of work is fixed: size, header, HMAC over the raw bytes, age, then
 * JSON, then the inbox. Nothing unverified reaches a parser or the store.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_INTAKE_H
#define CORE_INTAKE_H

#include "http/answer.h"

#include <stddef.h>
#include <stdint.h>

struct config_endpoint;
struct generation;
struct inbox;

/** One POST to an endpoint, read whole. */
struct intake_post {
    const struct config_endpoint *endpoint;
    const char *body;
    size_t body_len;
    const char *signature; /* NULL if absent */
    unsigned signatures;   /* number of such fields */
    int64_t received_ms;   /* wall clock, when the head was complete */
    const char *remote;    /* who sent it, for the log */
};

/** How it went. */
struct intake_outcome {
    enum answer answer;
    char event_id[256]; /* "" until one was read */
};

/**
 * Verify, read, route and store one post. Returns when it is durable, or
 * refused. Logs what it decides.
 */
void intake_accept(const struct generation *generation, struct inbox *inbox,
                   const struct intake_post *post,
                   struct intake_outcome *outcome);

#endif
