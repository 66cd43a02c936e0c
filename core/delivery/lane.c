/* core/delivery/lane.c: the deliveries and the runners of one plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/lane.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/worker.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/wire.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* Deliveries asked for beyond those in work, per runner: they are at hand the
 * moment a verdict comes. */
#define PREFETCH_PER_WORKER 2

/* A runner whose socket is closed may take this long to end by itself. */
#define LEAVE_MS 1000

/* Reads from the socket of a runner that has ended: all that a socket holds. */
#define LAST_WORDS_MAX 16

static void
finish(struct inbox *inbox, struct inbox_result *result)
{
    if (result == NULL) {
        /* Its lease stays until the next start, which runs it again. */
        log_write(LOG_ERROR, "delivery", "verdict lost", "detail=no_memory");
        return;
    }
    inbox_finish(inbox, result);
}

void
lane_undo(struct inbox *inbox, struct inbox_claim *claim)
{
    struct inbox_result *result = calloc(1, sizeof(*result));
    if (result != NULL) {
        result->seq = claim->seq;
        result->plugin = claim->plugin;
        result->attempt = claim->attempt;
        result->lease = claim->lease;
        result->next = INBOX_UNDO;
    }
    finish(inbox, result);
    free(claim);
}

/* ---- Runners coming and going --------------------------------------- */

static void
watch(const struct lane_host *host, int fd, struct source *source,
      uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(host->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(host->epoll, EPOLL_CTL_MOD, fd, &event);
    }
}

static void
unwatch(const struct lane_host *host, int fd)
{
    if (fd >= 0) {
        epoll_ctl(host->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
}

void
lane_adopt(struct lane *lane, struct runner *runner)
{
    const struct lane_host *host = lane->host;
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        runner_kill(runner); /* comes back as ended, and is tried again */
        host->return_fn(host->return_arg, lane->plugin, runner, RETURN_ENDED,
                        0);
        return;
    }
    worker->lane = lane;
    worker->runner = runner;
    worker->lines.per_s = WORKER_LINES_PER_S;
    worker->plugin = lane->plugin;
    worker->socket = (struct source){SOURCE_SOCKET, worker};
    worker->output = (struct source){SOURCE_OUTPUT, worker};
    worker->end = (struct source){SOURCE_END, worker};
    worker->next = lane->workers;
    lane->workers = worker;
    watch(host, runner->socket, &worker->socket, EPOLLIN);
    /* A child that the plugin left behind can keep the socket open: the end of
     * the process is news of its own. */
    watch(host, runner->pid_fd, &worker->end, EPOLLIN);
    if (runner->output >= 0) {
        watch(host, runner->output, &worker->output, EPOLLIN);
    }
}

/* Hand the runner back; the worker is freed when the round is over, since
 * epoll may still have news of it. */
static void
give_back(struct worker *worker, enum dispatcher_return why)
{
    const struct lane_host *host = worker->lane->host;
    struct runner *runner = worker->runner;
    unwatch(host, runner->socket);
    unwatch(host, runner->output);
    unwatch(host, runner->pid_fd);
    worker->runner = NULL;
    worker->state = WORKER_RETURNED;
    host->return_fn(host->return_arg, worker->plugin, runner, why,
                    worker->handled);
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
    unwatch(worker->lane->host, worker->runner->socket);
}

/* Its socket is closed. Most likely its process is ending, and how it ends says
 * more than a SIGKILL of ours would. */
static void
let_end(struct worker *worker)
{
    worker->state = WORKER_ENDING;
    worker->ending = INBOX_CRASH;
    worker->deadline_ms = clock_mono_ms() + LEAVE_MS;
    unwatch(worker->lane->host, worker->runner->socket);
}

void
lane_sweep(struct lane *lane)
{
    struct worker **at = &lane->workers;
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

/* ---- Feeding -------------------------------------------------------- */

static void
begin(struct worker *worker, struct inbox_claim *claim)
{
    if (worker_begin(worker, claim) != RC_OK) {
        worker->claim = NULL; /* it has not even got the whole of it */
        lane_undo(worker->lane->host->inbox, claim);
        let_end(worker);
    } else if (runner_is_writing(worker->runner)) {
        watch(worker->lane->host, worker->runner->socket, &worker->socket,
              EPOLLIN | EPOLLOUT);
    }
}

static struct inbox_claim *
next_ready(struct lane *lane)
{
    struct inbox_claim *claim = lane->ready;
    if (claim != NULL) {
        lane->ready = claim->next;
        lane->ready_count--;
        if (lane->ready == NULL) {
            lane->ready_end = &lane->ready;
        }
        claim->next = NULL;
    }
    return claim;
}

void
lane_feed(struct lane *lane)
{
    unsigned busy = 0, able = 0;
    for (struct worker *w = lane->workers; w != NULL; w = w->next) {
        if (w->state == WORKER_IDLE && lane->ready != NULL) {
            begin(w, next_ready(lane));
        }
        busy += w->state == WORKER_BUSY;
        able += w->state == WORKER_IDLE || w->state == WORKER_BUSY;
    }
    unsigned room = able * (1 + PREFETCH_PER_WORKER);
    unsigned have = busy + lane->ready_count + lane->asked;
    if (room > have) {
        lane->asked += room - have;
        inbox_want(lane->host->inbox, lane->plugin->id, room - have);
    }
}

/* ---- What runners say ----------------------------------------------- */

static void
log_says(struct worker *worker, struct wire_frame *frame)
{
    size_t len;
    struct log_value text, event;
    uint32_t level = wire_get_u32(&frame->payload);
    const char *line = wire_get_str(&frame->payload, &len);
    if (wire_done(&frame->payload) != RC_OK || !worker_may_log(worker)) {
        return;
    }
    log_write(level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level, "plugin",
              "says", "plugin=%s event=%s text=%s",
              worker->plugin->config->name, worker_event(worker, &event),
              log_quote(&text, line, len));
}

/* One frame. Returns RC_INVALID for what a sound runner would not send. */
static int
on_frame(struct worker *worker, struct wire_frame *frame)
{
    size_t len;
    if (frame->header.type == WIRE_LOG) {
        log_says(worker, frame);
        return RC_OK;
    }
    if (frame->header.type != WIRE_VERDICT || worker->state != WORKER_BUSY ||
        frame->header.id != (uint64_t)worker->claim->seq) {
        return RC_INVALID;
    }
    uint32_t verdict = wire_get_u32(&frame->payload);
    int64_t delay_ms = wire_get_i64(&frame->payload);
    const char *reason = wire_get_str(&frame->payload, &len);
    wire_get_i64(&frame->payload); /* time in handle(); ours includes it */
    if (wire_done(&frame->payload) != RC_OK) {
        return RC_INVALID;
    }
    worker_output(worker, 1); /* printed before the verdict: its event's */
    finish(worker->lane->host->inbox,
           worker_verdict(worker, verdict, delay_ms, reason));
    return RC_OK;
}

static void
read_socket(struct worker *worker)
{
    int received = runner_receive(worker->runner);
    int rc = RC_OK;
    while (rc == RC_OK && worker->state <= WORKER_BUSY) {
        struct wire_frame frame;
        rc = runner_frame(worker->runner, &frame);
        if (rc == RC_OK) {
            rc = on_frame(worker, &frame);
        }
    }
    if (rc == RC_INVALID || received == RC_INVALID) {
        worker->fault = "spoke nonsense (does the plugin write to descriptors "
                        "that it did not open?)";
        log_write(LOG_ERROR, "delivery", "runner speaks nonsense",
                  "plugin=%s pid=%d action=kill", worker->plugin->config->name,
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
    if (worker->claim != NULL) {
        finish(worker->lane->host->inbox, worker_accident(worker, status));
    }
    give_back(worker, RETURN_ENDED);
}

void
lane_on_source(const struct source *source, uint32_t events)
{
    struct worker *worker = source->worker;
    if (worker->state == WORKER_RETURNED) {
        return; /* earlier news of this round ended it */
    }
    switch (source->kind) {
    case SOURCE_OUTPUT:
        worker_output(worker, 0);
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
            watch(worker->lane->host, worker->runner->socket, &worker->socket,
                  EPOLLIN);
        }
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_socket(worker);
    }
}

/* ---- Deadlines, draining, and what others bring --------------------- */

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
    if (worker->state == WORKER_BUSY) {
        hear_out(worker); /* its verdict may be waiting for us */
    }
    if (worker->state == WORKER_BUSY && late) {
        end_worker(worker, INBOX_LOST);
    } else if (worker->state != WORKER_IDLE &&
               worker->deadline_ms != INT64_MAX &&
               (late || worker->deadline_ms <= now_ms)) {
        end_late_worker(worker);
    }
}

int64_t
lane_check(struct lane *lane, int late, int64_t next_ms)
{
    int64_t now_ms = clock_mono_ms();
    for (struct worker *w = lane->workers; w != NULL; w = w->next) {
        if (w->state != WORKER_BUSY && w->state != WORKER_ENDING) {
            continue;
        }
        if (late || w->deadline_ms <= now_ms) {
            end_in_time(w, late, now_ms);
        }
        if (w->state != WORKER_IDLE && w->deadline_ms < next_ms) {
            next_ms = w->deadline_ms;
        }
    }
    return next_ms;
}

unsigned
lane_drain(struct lane *lane)
{
    unsigned left = 0;
    struct inbox_claim *claim;
    while ((claim = next_ready(lane)) != NULL) {
        lane_undo(lane->host->inbox, claim);
    }
    for (struct worker *w = lane->workers; w != NULL; w = w->next) {
        if (w->state == WORKER_IDLE) {
            give_back(w, RETURN_UNUSED);
        }
        left += w->state != WORKER_RETURNED;
    }
    return left;
}

void
lane_queue(struct lane *lane, struct inbox_claim *claim)
{
    claim->next = NULL;
    *lane->ready_end = claim;
    lane->ready_end = &claim->next;
    lane->ready_count++;
    if (lane->asked > 0) {
        lane->asked--;
    }
}

void
lane_init(struct lane *lane, const struct lane_host *host,
          const struct plugin *plugin)
{
    *lane = (struct lane){.host = host, .plugin = plugin};
    lane->ready_end = &lane->ready;
}
