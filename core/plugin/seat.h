/* core/plugin/seat.h: a place for one runner: from its start to its end;
 * private to the supervisor, and used on the main thread only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SEAT_H
#define CORE_SEAT_H

#include "error.h"
#include "log.h"
#include "plugin/supervisor.h"

#include <stdint.h>

enum seat_state {
    SEAT_EMPTY = 0,   /* due_ms: when to start a runner */
    SEAT_LOADING = 1, /* MANIFEST is awaited until due_ms */
    SEAT_INIT = 2,    /* READY is awaited until due_ms */
    SEAT_SERVING = 3, /* somebody else has the runner */
    SEAT_LEAVING = 4, /* QUIT was sent; killed at due_ms */
    SEAT_ENDING = 5,  /* its end is awaited; killed at due_ms */
};

/* What all seats share. */
struct seat_host {
    supervisor_ready_fn *ready_fn;
    void *ready_arg;
    int epoll;
    int stopping; /* start no more runners */
};

/* A place for one runner. */
struct seat {
    const struct seat_host *host;
    const struct plugin *plugin;
    enum seat_state state;
    struct runner *runner;
    int64_t due_ms;           /* monotonic */
    struct log_limit lines;   /* what it prints while it starts or leaves */
    int served;               /* its runner was ready once */
    unsigned failures;        /* since the last event handled */
    char why[ERROR_TEXT_MAX]; /* why it had to be killed; "": its end tells */
};

/** Deal with news of one of its runner's descriptors. */
void seat_on_event(struct seat *seat);

/** Do what is due at seat->due_ms. */
void seat_on_deadline(struct seat *seat);

/** Its runner comes back: to be collected if it has `ended`, else to be sent
 * away. */
void seat_return(struct seat *seat, int ended, unsigned long handled);

/** Its plugin works again: forget failures, and wait no longer. */
void seat_recover(struct seat *seat);

/** We are stopping: a runner that is still starting ends here. */
void seat_stop(struct seat *seat);

#endif
