/* core/delivery/worker.h: a serving runner and the delivery in its hands;
 * private to the dispatcher's files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "delivery/evidence.h"
#include "delivery/recycle.h"
#include "inbox/inbox.h"
#include "log.h"

#include <stddef.h>
#include <stdint.h>

struct attempt;
struct pool;
struct retirement; /* retire.h */
struct runner;
struct worker;

/** What epoll tells of: one of a worker's three descriptors. */
enum source_kind { SOURCE_SOCKET, SOURCE_OUTPUT, SOURCE_END };

struct source {
    enum source_kind kind;
    struct worker *worker;
};

enum worker_state {
    WORKER_IDLE = 0,
    WORKER_BUSY = 1,
    WORKER_ENDING = 2,   /* killed or gone: waiting for its process to end */
    WORKER_RETURNED = 3, /* given back; freed at the end of the round */
};

struct worker {
    struct worker *next; /* of its pool */
    struct pool *pool;
    struct runner *runner; /* whose it is: runner->is. The plugin of the pool
                              may be newer */
    uint64_t serial;       /* names it for lookups, which may outlive it */
    enum worker_state state;
    struct attempt *attempt;   /* in work, or NULL */
    int is_trial;              /* ... begun while the plugin was in doubt */
    int is_looking;            /* ... and waits for a key's value */
    int64_t timeout_ms;        /* ... how long it may take, */
    int64_t deadline_ms;       /* ... and until when; monotonic */
    enum inbox_outcome ending; /* why it ends: CRASH, TIMEOUT, LOST */
    const char *fault;         /* what it was killed for; NULL: its end tells */
    unsigned long handled;
    struct recycling recycling;
    struct retirement *retired; /* by this switch: it is old; NULL: it serves */
    int64_t leave_by_ms;        /* when old: then it is killed; monotonic */
    int is_excused; /* when old: its plugin was broken, and what it does with
                       its event says nothing of that */
    struct log_limit lines; /* what the plugin may say and print */
    struct evidence evidence;
    struct source socket, output, end;
};

/** Send the attempt, which the worker takes over, to its idle runner.
 * @return RC_OK, or RC_CLOSED / RC_NOMEM: end the worker */
int worker_begin(struct worker *worker, struct attempt *attempt);

/** Lines that one runner may log in a second: a flood is the plugin's trouble,
 * not that of the others. */
#define WORKER_LINES_PER_S 500

/** The event in work, for the log: "-" when there is none. */
const char *worker_event(const struct worker *worker, struct log_value *room);

/** The plugin has one more line for the log: keep it as evidence, and tell of
 * lines that were dropped before it.
 * @return 1 to log it, 0 when there are too many */
int worker_may_log(struct worker *worker, const char *line, size_t len);

/** Pass on what the plugin printed, as log lines. */
void worker_output(struct worker *worker, int flush);

/** Tell its runner what it looked for. The answer is dropped when the runner
 * does not wait for one any more.
 * @return as worker_begin() */
int worker_tell(struct worker *worker, const struct inbox_lookup *lookup);

/** Take the attempt out of the worker's hands. */
struct attempt *worker_put_down(struct worker *worker);

/** Its runner ended with wait status `status`, with an attempt in work: note
 * what there is to know of it, and take it out of the worker's hands. */
struct attempt *worker_accident(struct worker *worker, int status);

#endif
