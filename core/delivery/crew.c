/* core/delivery/crew.c: how the runners of a pool come, speak and go.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/crew.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/blame.h"
#include "delivery/health.h"
#include "delivery/pool.h"
#include "delivery/retire.h"
#include "delivery/talk.h"
#include "delivery/worker.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* A runner whose socket is closed may take this long to end by itself. */
#define LEAVE_MS 1000

/* Reads from the socket of a runner that has ended: all that a socket holds. */
#define LAST_WORDS_MAX 16

/* ---- Runners coming and going --------------------------------------- */

static void
watch(const struct pool_host *host, int fd, struct source *source,
      uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(host->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(host->epoll, EPOLL_CTL_MOD, fd, &event);
    }
}

static void
unwatch(const struct pool_host *host, int fd)
{
    if (fd >= 0) {
        epoll_ctl(host->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
}

/* Whether it may get the plugin's events. One that was started for a former
 * generation may come only after the switch to the next. */
static int
is_of(const struct pool *pool, const struct runner *runner)
{
    return pool != NULL && !pool->is_leaving &&
           memcmp(runner->is.fingerprint, pool->plugin->fingerprint,
                  PLUGIN_FINGERPRINT_BYTES) == 0;
}

void
crew_adopt(const struct pool_host *host, struct pool *pool,
           struct runner *runner)
{
    if (!is_of(pool, runner)) {
        host->return_fn(host->arg, runner, RETURN_UNUSED, 0);
        return;
    }
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        runner_kill(runner); /* comes back as ended, and is tried again */
        host->return_fn(host->arg, runner, RETURN_ENDED, 0);
        return;
    }
    worker->pool = pool;
    worker->serial = ++pool->host->serials;
    worker->runner = runner;
    worker->lines.per_s = WORKER_LINES_PER_S;
    recycle_init(&worker->recycling);
    worker->socket = (struct source){SOURCE_SOCKET, worker};
    worker->output = (struct source){SOURCE_OUTPUT, worker};
    worker->end = (struct source){SOURCE_END, worker};
    worker->next = pool->workers;
    pool->workers = worker;
    watch(host, runner->socket, &worker->socket, EPOLLIN);
    /* A child that the plugin left behind can keep the socket open: the end of
     * the process is news of its own. */
    watch(host, runner->pid_fd, &worker->end, EPOLLIN);
    if (!runner->output_ended) {
        watch(host, runner->output, &worker->output, EPOLLIN);
    }
}

/* Hand the runner back; the worker is freed when the round is over, since
 * epoll may still have news of it. */
static void
give_back(struct worker *worker, enum dispatcher_return why)
{
    const struct pool_host *host = worker->pool->host;
    struct runner *runner = worker->runner;
    unwatch(host, runner->socket);
    unwatch(host, runner->output);
    unwatch(host, runner->pid_fd);
    worker->runner = NULL;
    worker->state = WORKER_RETURNED;
    host->return_fn(host->arg, runner, why, worker->handled);
    if (worker->retired != NULL) {
        retire_gone(worker);
    }
}

/* Kill it; the rest follows when its process has ended. */
static void
end_worker(struct worker *worker, enum inbox_outcome outcome)
{
    if (worker->state >= WORKER_ENDING) {
        return;
    }
    worker->state = WORKER_ENDING;
    worker->ending = outcome;
    worker->deadline_ms = INT64_MAX;
    runner_kill(worker->runner);
    unwatch(worker->pool->host, worker->runner->socket);
}

/* Its socket is closed. Most likely its process is ending, and how it ends says
 * more than a SIGKILL of ours would. */
static void
let_end(struct worker *worker)
{
    worker->state = WORKER_ENDING;
    worker->ending = INBOX_CRASH;
    worker->deadline_ms = clock_mono_ms() + LEAVE_MS;
    unwatch(worker->pool->host, worker->runner->socket);
}

/* ---- Work for one --------------------------------------------------- */

static void
watch_socket(struct worker *worker)
{
    watch(worker->pool->host, worker->runner->socket, &worker->socket,
          runner_is_writing(worker->runner) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void
crew_begin(struct worker *worker, struct attempt *attempt)
{
    worker->is_trial = health_is_wary(&worker->pool->health);
    if (worker_begin(worker, attempt) != RC_OK) {
        /* It has not even got the whole of it. */
        attempt_undo(worker_put_down(worker), worker->pool->host->inbox);
        let_end(worker);
    } else if (runner_is_writing(worker->runner)) {
        watch_socket(worker);
    }
}

void
crew_tell(struct worker *worker, const struct inbox_lookup *lookup)
{
    if (worker->state != WORKER_BUSY) {
        return; /* it ended meanwhile, and may have no runner any more */
    }
    if (worker_tell(worker, lookup) != RC_OK) {
        let_end(worker);
    } else if (runner_is_writing(worker->runner)) {
        watch_socket(worker);
    }
}

void
crew_dismiss(struct worker *worker)
{
    give_back(worker, RETURN_UNUSED);
}

void
crew_let_go(struct worker *worker)
{
    let_end(worker);
}

/* ---- News ----------------------------------------------------------- */

static void
read_socket(struct worker *worker)
{
    int received = runner_receive(worker->runner);
    int rc = RC_OK;
    while (rc == RC_OK && worker->state <= WORKER_BUSY) {
        struct wire_frame frame;
        rc = runner_frame(worker->runner, &frame);
        if (rc == RC_OK) {
            rc = talk_on_frame(worker, &frame);
        }
    }
    if (rc == RC_INVALID || received == RC_INVALID) {
        worker->fault = "spoke nonsense (does the plugin write to descriptors "
                        "that it did not open?)";
        log_write(LOG_ERROR, "delivery", "runner speaks nonsense",
                  "plugin=%s pid=%d action=kill", worker->runner->is.name,
                  (int)worker->runner->pid);
    }
    if ((rc != RC_OK && rc != RC_BUSY) || received == RC_INVALID ||
        received == RC_NOMEM) {
        end_worker(worker, INBOX_CRASH);
    } else if (received == RC_CLOSED) {
        let_end(worker);
    }
}

/* Read what a runner has said already: all that a socket holds. */
static void
hear_out(struct worker *worker)
{
    for (int n = 0; n < LAST_WORDS_MAX && worker->state == WORKER_BUSY &&
                    runner_has_news(worker->runner);
         n++) {
        read_socket(worker);
    }
}

int
crew_cut_short(struct worker *worker, const char *by)
{
    hear_out(worker); /* its verdict may be waiting for us */
    if (worker->state != WORKER_BUSY) {
        return 0;
    }
    worker->fault = by;
    end_worker(worker, INBOX_LOST);
    return 1;
}

/* Its runner is gone with an attempt in its hands: whose fault is it? An old
 * one tells nothing of the plugin that is served now: its event is charged
 * without a trial. */
static void
judge(struct worker *worker, int status)
{
    struct pool *pool = worker->pool;
    int starved = worker->ending == INBOX_TIMEOUT && worker->is_looking;
    struct attempt *attempt = worker_accident(worker, status);
    if (worker->ending == INBOX_LOST) {
        attempt_lose(attempt, worker->fault);
    } else if (starved) {
        attempt_spare(attempt, pool->plugin, "it waited for the store");
    } else if (worker->retired == NULL) {
        blame_crash(pool, attempt);
        return;
    } else if (worker->is_excused) {
        attempt_spare(attempt, pool->plugin, "the plugin was broken");
    } else {
        attempt_charge(attempt, pool->plugin, pool_held_ms(pool));
    }
    attempt_finish(attempt, pool->plugin, pool->host->inbox);
}

static void
worker_has_ended(struct worker *worker)
{
    int status;
    if (runner_ended(worker->runner, &status) != RC_OK) {
        return;
    }
    if (worker->state < WORKER_ENDING) {
        runner_kill(worker->runner); /* what it left behind adds nothing */
        hear_out(worker);
        end_worker(worker, INBOX_CRASH);
    }
    worker_output(worker, 1);
    if (worker->attempt != NULL) {
        judge(worker, status);
    }
    give_back(worker, RETURN_ENDED);
}

void
crew_on_source(const struct source *source, uint32_t events)
{
    struct worker *worker = source->worker;
    if (worker->state == WORKER_RETURNED) {
        return; /* earlier news of this round ended it */
    }
    switch (source->kind) {
    case SOURCE_OUTPUT:
        worker_output(worker, 0);
        if (worker->runner->output_ended) {
            unwatch(worker->pool->host, worker->runner->output);
        }
        return;
    case SOURCE_END:
        worker_has_ended(worker);
        return;
    case SOURCE_SOCKET:
        break;
    }
    if (worker->state == WORKER_ENDING) {
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        if (runner_flush(worker->runner) != RC_OK) {
            let_end(worker);
            return;
        }
        if (!runner_is_writing(worker->runner)) {
            watch_socket(worker);
        }
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_socket(worker);
    }
}

/* ---- Deadlines ------------------------------------------------------ */

static void
end_late_worker(struct worker *worker)
{
    if (worker->state == WORKER_BUSY) {
        end_worker(worker, INBOX_TIMEOUT);
    } else {
        worker->fault = "closed its socket (does the plugin close descriptors "
                        "that it did not open?)";
        worker->deadline_ms = INT64_MAX;
        runner_kill(worker->runner);
    }
}

static void
end_in_time(struct worker *worker, int late, int64_t now_ms)
{
    if (late && crew_cut_short(worker, "our stop")) {
        return;
    }
    hear_out(worker); /* its verdict may be waiting for us */
    if (worker->state != WORKER_IDLE && worker->deadline_ms != INT64_MAX &&
        (late || worker->deadline_ms <= now_ms)) {
        end_late_worker(worker);
    }
}

int64_t
crew_check(struct pool *pool, int late, int64_t next_ms)
{
    int64_t now_ms = clock_mono_ms();
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->state != WORKER_BUSY && w->state != WORKER_ENDING) {
            continue;
        }
        if (late || w->deadline_ms <= now_ms) {
            end_in_time(w, late, now_ms);
        }
        if (w->state == WORKER_IDLE) {
            next_ms = now_ms; /* its verdict was there: what now? */
        } else if (w->deadline_ms < next_ms) {
            next_ms = w->deadline_ms;
        }
    }
    return next_ms;
}

void
crew_sweep(struct pool *pool)
{
    struct worker **at = &pool->workers;
    while (*at != NULL) {
        struct worker *worker = *at;
        if (worker->state == WORKER_RETURNED) {
            *at = worker->next;
            free(worker);
        } else {
            at = &worker->next;
        }
    }
}
