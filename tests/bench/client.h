/* tests/bench/client.h: sends events over many connections and times the
 * answers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_CLIENT_H
#define TESTS_BENCH_CLIENT_H

#include "histogram.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_CONNECTIONS_MAX 4096
#define CLIENT_STATUS_MAX      600

struct events; /* events.h */

struct client_plan {
    struct sockaddr_in target;
    size_t connections;  /* 1 to CLIENT_CONNECTIONS_MAX */
    double seconds;      /* how long to begin requests */
    double rate;         /* begun per second on a fixed schedule (open loop); 0:
                            each connection begins the next when it got its
                            answer (closed loop) */
    bool new_connection; /* one for each request */
};

struct client_result {
    uint64_t requests;                    /* begun, or in open loop due */
    uint64_t ok;                          /* answered 2xx */
    uint64_t statuses[CLIENT_STATUS_MAX]; /* every answer */
    uint64_t broken;     /* connection refused, or ended before the answer */
    uint64_t invalid;    /* not an answer that answer.h takes */
    uint64_t unanswered; /* at the end, after some patience */
    uint64_t reconnects; /* the server closed between requests, or said so */
    bool exhausted;      /* events ran out before the time did */
    double seconds;      /* from the start until time or events ran out */
    double acks_per_s;   /* 2xx within these seconds */
    double cpu_user_s, cpu_sys_s; /* of this program meanwhile */
    struct histogram latency; /* of 2xx: from begin, or when due, to answer */
    struct histogram lag;     /* open loop: from when due to begin */
};

/**
 * Send `events` as planned. Ends at the latest a few seconds after
 * `plan->seconds`.
 *
 * @param out  zeroed by the caller; filled on success
 * @return 0, or -1 after a line on standard error
 */
int client_run(const struct client_plan *plan, const struct events *events,
               struct client_result *out);

#endif
