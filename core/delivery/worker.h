/* core/delivery/worker.h: a serving runner and the delivery in its hands;
 * private to the dispatcher's files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "inbox/inbox.h"
#include "log.h"

#include <stddef.h>
#include <stdint.h>

struct lane;
struct plugin;
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
    struct worker *next; /* of its lane */
    struct lane *lane;
    struct runner *runner;
    const struct plugin *plugin;
    enum worker_state state;
    struct inbox_claim *claim; /* in work, or NULL */
    int64_t deadline_ms;       /* monotonic; of the claim in work */
    int64_t begun_us;          /* monotonic */
    int64_t begun_ms;          /* wall clock */
    enum inbox_outcome ending; /* why it ends: CRASH, TIMEOUT, LOST */
    const char *fault;         /* what it was killed for; NULL: its end tells */
    unsigned long handled;
    struct log_limit lines; /* what the plugin may say and print */
    struct source socket, output, end;
};

/** Send the claim, which the worker takes over, to its idle runner.
 * @return RC_OK, or RC_CLOSED / RC_NOMEM: end the worker */
int worker_begin(struct worker *worker, struct inbox_claim *claim);

/** Lines that one runner may log in a second: a flood is the plugin's trouble,
 * not that of the others. */
#define WORKER_LINES_PER_S 500

/** The event in work, for the log: "-" when there is none. */
const char *worker_event(const struct worker *worker, struct log_value *room);

/** Whether the plugin may have one more line in the log; tells of those that
 * were dropped before it. */
int worker_may_log(struct worker *worker);

/** Pass on what the plugin printed, as log lines. */
void worker_output(struct worker *worker, int flush);

/** Turn a verdict frame's content into the claim's result, for the inbox. The
 * worker is idle after it. NULL when out of memory. */
struct inbox_result *worker_verdict(struct worker *worker, uint32_t verdict,
                                    int64_t delay_ms, const char *reason);

/** The result of a claim whose worker ended with wait status `status`.
 * NULL when out of memory. */
struct inbox_result *worker_accident(struct worker *worker, int status);

#endif
