/* tests/bench/events.h: signed webhook requests, made before the clock starts.
 *
 * All requests share one template; the bytes that differ are the event's id,
 * its object's id and the signature. Only signatures are kept (32 bytes an
 * event), ids follow from the number.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_EVENTS_H
#define TESTS_BENCH_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#define EVENTS_MAX 4000000 /* 128 MB of signatures */

struct events; /* opaque */

struct events_plan {
    const char *host;   /* for the Host header */
    const char *path;   /* request target */
    const char *secret; /* "whsec_..."; NULL: signatures of zeros, which have
                           the same size and are valid nowhere */
    bool close;         /* ask for `Connection: close` */
    size_t count;       /* 1 to EVENTS_MAX */
};

/**
 * Make and sign `plan->count` events. Ids are in order of time and unique, also
 * among runs of the program.
 *
 * @param out  set on success only; the caller owns it: events_close()
 * @return 0, or -1 after a line on standard error
 */
int events_open(struct events **out, const struct events_plan *plan);

/** Free them. Accepts NULL. */
void events_close(struct events *events);

size_t events_count(const struct events *events);

/** Size of every request, head and body. */
size_t events_request_bytes(const struct events *events);

/** Write the parts that all requests share: once per buffer. */
void events_template(const struct events *events, char *request);

/** Turn a buffer that holds the template into request `number`. */
void events_patch(const struct events *events, size_t number, char *request);

#endif
