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
    SEAT_EMPTY = 0,   /* due_ms: when to start a runner, if its squad serves */
    SEAT_LOADING = 1, /* MANIFEST is awaited until due_ms */
    SEAT_INIT = 2,    /* READY is awaited until due_ms */
    SEAT_PARKED = 3,  /* the runner is ready, and waits until its squad serves*/
    SEAT_SERVING = 4, /* somebody else has the runner */
    SEAT_LEAVING = 5, /* QUIT was sent; killed at due_ms */
    SEAT_ENDING = 6,  /* its end is awaited; killed at due_ms */
};

/** What becomes of the runners of a squad. */
enum squad_state {
    SQUAD_STAGED = 0,  /* those that are ready are parked; none is replaced */
    SQUAD_SERVING = 1, /* ... are handed over; those that ended are replaced */
    SQUAD_RETIRED = 2, /* none is started; those that come back leave */
};

/** What the seats of a squad share; the squad's own, who changes it. */
struct seat_host {
    supervisor_ready_fn *ready_fn;
    void *ready_arg;
    int epoll;
    enum squad_state state;
    struct generation *generation; /* held by the squad */
    const struct plugin *plugin;   /* of that generation */
    /** Who wants to know whether staged runners start; NULL: nobody (more). */
    struct stage_plugin *outcome;
    char why[ERROR_TEXT_MAX]; /* of the last failure; "" for none */
};

/** A place for one runner. */
struct seat {
    struct seat_host *host;
    enum seat_state state;
    struct runner *runner;
    int64_t due_ms;           /* monotonic */
    struct log_limit lines;   /* what it prints while it starts or leaves */
    const char *doing;        /* what it is at; NULL: it was handed over */
    unsigned failures;        /* since the last event handled */
    char why[ERROR_TEXT_MAX]; /* why it had to be killed; "": its end tells */
};

/** Start a runner in an empty seat. */
void seat_start(struct seat *seat);

/** When seat_on_deadline() is to be called; INT64_MAX: not at all. */
int64_t seat_due_ms(const struct seat *seat);

/** Deal with news of one of its runner's descriptors. */
void seat_on_event(struct seat *seat);

/** Do what is due. */
void seat_on_deadline(struct seat *seat);

/** Its squad serves now: hand over a parked runner. */
void seat_serve(struct seat *seat);

/** Its runner comes back: to be collected if it has `ended`, else to be sent
 * away. */
void seat_return(struct seat *seat, int ended, unsigned long handled);

/** Its plugin works again: forget failures, and wait no longer. */
void seat_recover(struct seat *seat);

/** Its squad is retired now: a runner that nobody has leaves. */
void seat_retire(struct seat *seat);

/** Hear of `events` at one of its runner's descriptors. */
void seat_watch(struct seat *seat, int fd, uint32_t events);

/** Kill its runner, if there is one, and wait until it is gone. */
void seat_clear(struct seat *seat);

#endif
