/* core/delivery/dispatcher.c: the loop that brings deliveries to runners.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/dispatcher.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/worker.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
#include "plugin/runner.h"
#include "plugin/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Deliveries asked for beyond those in work, per runner: they are at hand the
 * moment a verdict comes. */
#define PREFETCH_PER_WORKER 2

/* The loop turns at least this often, which is how others see that it lives. */
#define TURN_MS 1000

/* A runner whose socket is closed may take this long to end by itself. */
#define LEAVE_MS 1000

/* Reads from the socket of a runner that has ended: all that a socket holds. */
#define LAST_WORDS_MAX 16

/* The deliveries and runners of one plugin. */
struct lane {
    const struct plugin *plugin;
    struct worker *workers;
    unsigned worker_count;
    struct inbox_claim *ready, **ready_end; /* claimed, not begun */
    unsigned ready_count;
    unsigned asked; /* wished for, not come yet */
};

struct adoption {
    struct adoption *next;
    const struct plugin *plugin;
    struct runner *runner;
};

struct dispatcher {
    const struct generation *generation;
    struct inbox *inbox;
    dispatcher_return_fn *return_fn;
    void *return_arg;
    pthread_t thread;
    int epoll;
    int wake; /* eventfd */

    struct lane *lanes; /* one a plugin; only the thread's */
    struct source wake_source;
    int draining;
    int64_t drain_deadline_ms;

    pthread_mutex_t lock;
    /* Guarded by lock: what others bring. */
    struct adoption *adoptions;
    struct inbox_claim *claims;
    int64_t drain_asked_ms; /* 0: not asked */
    int stop;

    atomic_int drained;
    atomic_llong turned_ms;
};

static struct lane *
find_lane(struct dispatcher *d, uint32_t plugin)
{
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        if (d->lanes[i].plugin->id == plugin) {
            return &d->lanes[i];
        }
    }
    return NULL;
}

static void
finish(struct dispatcher *d, struct inbox_result *result)
{
    if (result == NULL) {
        /* Its lease stays until the next start, which runs it again. */
        log_write(LOG_ERROR, "delivery", "verdict lost", "detail=no_memory");
        return;
    }
    inbox_finish(d->inbox, result);
}

/* The attempt was recorded but never began: as if it had not been claimed. */
static void
undo(struct dispatcher *d, struct inbox_claim *claim)
{
    struct inbox_result *result = calloc(1, sizeof(*result));
    if (result != NULL) {
        result->seq = claim->seq;
        result->plugin = claim->plugin;
        result->attempt = claim->attempt;
        result->lease = claim->lease;
        result->next = INBOX_UNDO;
    }
    finish(d, result);
    free(claim);
}

/* ---- Runners coming and going -------------------------------------------- */

static void
watch(struct dispatcher *d, int fd, struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(d->epoll, EPOLL_CTL_MOD, fd, &event);
    }
}

static void
unwatch(struct dispatcher *d, int fd)
{
    if (fd >= 0) {
        epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
}

static void
adopt(struct dispatcher *d, const struct plugin *plugin, struct runner *runner)
{
    struct lane *lane = find_lane(d, plugin->id);
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        runner_kill(runner); /* comes back as ended, and is tried again */
        d->return_fn(d->return_arg, plugin, runner, RETURN_ENDED, 0);
        return;
    }
    worker->runner = runner;
    worker->plugin = plugin;
    worker->socket = (struct source){SOURCE_SOCKET, worker};
    worker->output = (struct source){SOURCE_OUTPUT, worker};
    worker->end = (struct source){SOURCE_END, worker};
    worker->next = lane->workers;
    lane->workers = worker;
    lane->worker_count++;
    watch(d, runner->socket, &worker->socket, EPOLLIN);
    /* A child that the plugin left behind can keep the socket open: the end of
     * the process is news of its own. */
    watch(d, runner->pid_fd, &worker->end, EPOLLIN);
    if (runner->output >= 0) {
        watch(d, runner->output, &worker->output, EPOLLIN);
    }
}

/* Hand the runner back; the worker is freed when the round is over, since
 * epoll may still have news of it. */
static void
give_back(struct dispatcher *d, struct worker *worker,
          enum dispatcher_return why)
{
    struct runner *runner = worker->runner;
    unwatch(d, runner->socket);
    unwatch(d, runner->output);
    unwatch(d, runner->pid_fd);
    worker->runner = NULL;
    worker->state = WORKER_RETURNED;
    d->return_fn(d->return_arg, worker->plugin, runner, why, worker->handled);
}

/* Kill it; the rest follows when its process has ended. */
static void
end_worker(struct dispatcher *d, struct worker *worker,
           enum inbox_outcome outcome)
{
    if (worker->state >= WORKER_ENDING) {
        return;
    }
    worker->state = WORKER_ENDING;
    worker->ending = outcome;
    worker->deadline_ms = INT64_MAX;
    runner_kill(worker->runner);
    unwatch(d, worker->runner->socket);
}

/* Its socket is closed. Most likely its process is ending, and how it ends says
 * more than a SIGKILL of ours would. */
static void
let_end(struct dispatcher *d, struct worker *worker)
{
    worker->state = WORKER_ENDING;
    worker->ending = INBOX_CRASH;
    worker->deadline_ms = clock_mono_ms() + LEAVE_MS;
    unwatch(d, worker->runner->socket);
}

static void
sweep(struct lane *lane)
{
    struct worker **at = &lane->workers;
    while (*at != NULL) {
        struct worker *worker = *at;
        if (worker->state == WORKER_RETURNED) {
            *at = worker->next;
            lane->worker_count--;
            free(worker);
        } else {
            at = &worker->next;
        }
    }
}

/* ---- Feeding ---------------------------------------------------------------- */

static void
begin(struct dispatcher *d, struct worker *worker, struct inbox_claim *claim)
{
    if (worker_begin(worker, claim) != RC_OK) {
        worker->claim = NULL; /* it has not even got the whole of it */
        undo(d, claim);
        let_end(d, worker);
    } else if (runner_is_writing(worker->runner)) {
        watch(d, worker->runner->socket, &worker->socket, EPOLLIN | EPOLLOUT);
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

/* Give idle runners work, and ask for what they can do next. */
static void
feed(struct dispatcher *d, struct lane *lane)
{
    unsigned busy = 0, able = 0;
    for (struct worker *w = lane->workers; w != NULL; w = w->next) {
        if (w->state == WORKER_IDLE && lane->ready != NULL && !d->draining) {
            begin(d, w, next_ready(lane));
        }
        busy += w->state == WORKER_BUSY;
        able += w->state == WORKER_IDLE || w->state == WORKER_BUSY;
    }
    unsigned room = able * (1 + PREFETCH_PER_WORKER);
    unsigned have = busy + lane->ready_count + lane->asked;
    if (!d->draining && room > have) {
        lane->asked += room - have;
        inbox_want(d->inbox, lane->plugin->id, room - have);
    }
}

/* ---- What runners say --------------------------------------------------------- */

static void
log_says(struct worker *worker, struct wire_frame *frame)
{
    size_t len;
    struct log_value text;
    uint32_t level = wire_get_u32(&frame->payload);
    const char *line = wire_get_str(&frame->payload, &len);
    if (wire_done(&frame->payload) != RC_OK) {
        return;
    }
    log_write(level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level, "plugin",
              "says", "plugin=%s event=%s text=%s",
              worker->plugin->config->name,
              worker->claim != NULL ? worker->claim->event_id : "-",
              log_quote(&text, line, len));
}

/* One frame. Returns RC_INVALID for what a sound runner would not send. */
static int
on_frame(struct dispatcher *d, struct worker *worker,
         struct wire_frame *frame)
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
    finish(d, worker_verdict(worker, verdict, delay_ms, reason));
    return RC_OK;
}

static void
read_socket(struct dispatcher *d, struct worker *worker)
{
    int received = runner_receive(worker->runner);
    int rc = RC_OK;
    while (rc == RC_OK && worker->state <= WORKER_BUSY) {
        struct wire_frame frame;
        rc = runner_frame(worker->runner, &frame);
        if (rc == RC_OK) {
            rc = on_frame(d, worker, &frame);
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
        end_worker(d, worker, INBOX_CRASH);
    } else if (received == RC_CLOSED) {
        let_end(d, worker);
    }
}

static void
worker_has_ended(struct dispatcher *d, struct worker *worker)
{
    int status;
    if (runner_ended(worker->runner, &status) != RC_OK) {
        return;
    }
    if (worker->state < WORKER_ENDING) {
        runner_kill(worker->runner); /* what it left behind adds nothing */
        for (int n = 0; n < LAST_WORDS_MAX && worker->state < WORKER_ENDING &&
                        runner_has_news(worker->runner);
             n++) {
            read_socket(d, worker);
        }
        end_worker(d, worker, INBOX_CRASH);
    }
    worker_output(worker, 1);
    if (worker->claim != NULL) {
        finish(d, worker_accident(worker, status));
    }
    give_back(d, worker, RETURN_ENDED);
}

static void
on_source(struct dispatcher *d, const struct source *source, uint32_t events)
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
        worker_has_ended(d, worker);
        return;
    case SOURCE_SOCKET:
        break;
    }
    if (worker->state == WORKER_ENDING) {
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        if (runner_flush(worker->runner) != RC_OK) {
            let_end(d, worker);
            return;
        }
        if (!runner_is_writing(worker->runner)) {
            watch(d, worker->runner->socket, &worker->socket, EPOLLIN);
        }
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_socket(d, worker);
    }
}

/* ---- Deadlines, draining, and what others bring --------------------------------- */

static void
end_late_worker(struct dispatcher *d, struct worker *worker)
{
    if (worker->state == WORKER_BUSY) {
        end_worker(d, worker, INBOX_TIMEOUT);
    } else {
        worker->fault = "closed its socket (does the plugin close descriptors "
                        "that it did not open?)";
        worker->deadline_ms = INT64_MAX;
        runner_kill(worker->runner);
    }
}

/* End what takes too long; returns when to look again. */
static int64_t
check_deadlines(struct dispatcher *d)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = now_ms + TURN_MS;
    int late = d->draining && now_ms >= d->drain_deadline_ms;
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        for (struct worker *w = d->lanes[i].workers; w != NULL; w = w->next) {
            if (w->state != WORKER_BUSY && w->state != WORKER_ENDING) {
                continue;
            }
            if (late) {
                end_worker(d, w, INBOX_LOST);
            } else if (w->deadline_ms <= now_ms) {
                end_late_worker(d, w);
            }
            if (w->deadline_ms < next_ms) {
                next_ms = w->deadline_ms;
            }
        }
    }
    if (d->draining && d->drain_deadline_ms > now_ms &&
        d->drain_deadline_ms < next_ms) {
        next_ms = d->drain_deadline_ms;
    }
    return next_ms;
}

static void
continue_drain(struct dispatcher *d)
{
    unsigned left = 0;
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        struct lane *lane = &d->lanes[i];
        struct inbox_claim *claim;
        while ((claim = next_ready(lane)) != NULL) {
            undo(d, claim);
        }
        for (struct worker *w = lane->workers; w != NULL; w = w->next) {
            if (w->state == WORKER_IDLE) {
                give_back(d, w, RETURN_UNUSED);
            }
            left += w->state != WORKER_RETURNED;
        }
    }
    if (left == 0) {
        atomic_store(&d->drained, 1);
    }
}

static void
sort_claims(struct dispatcher *d, struct inbox_claim *claims)
{
    while (claims != NULL) {
        struct inbox_claim *next = claims->next;
        struct lane *lane = find_lane(d, claims->plugin);
        claims->next = NULL;
        *lane->ready_end = claims;
        lane->ready_end = &claims->next;
        lane->ready_count++;
        if (lane->asked > 0) {
            lane->asked--;
        }
        claims = next;
    }
}

/* Take over what others brought. Returns 1 to go on, 0 to stop. */
static int
take_news(struct dispatcher *d)
{
    uint64_t count;
    (void)!read(d->wake, &count, sizeof(count)); /* only resets it */
    pthread_mutex_lock(&d->lock);
    struct adoption *adoptions = d->adoptions;
    struct inbox_claim *claims = d->claims;
    int64_t drain_ms = d->drain_asked_ms;
    int stop = d->stop;
    d->adoptions = NULL;
    d->claims = NULL;
    pthread_mutex_unlock(&d->lock);

    sort_claims(d, claims);
    while (adoptions != NULL) {
        struct adoption *next = adoptions->next;
        adopt(d, adoptions->plugin, adoptions->runner);
        free(adoptions);
        adoptions = next;
    }
    if (drain_ms != 0 && !d->draining) {
        d->draining = 1;
        inbox_want_nothing(d->inbox);
    }
    d->drain_deadline_ms = drain_ms;
    return !stop;
}

static void *
dispatcher_main(void *arg)
{
    struct dispatcher *d = arg;
    struct epoll_event events[64];
    int going = 1;
    while (going) {
        int64_t next_ms = check_deadlines(d);
        int n = epoll_wait(d->epoll, events, 64, clock_poll_ms(next_ms));
        atomic_store(&d->turned_ms, clock_mono_ms());
        for (int i = 0; i < n; i++) {
            const struct source *source = events[i].data.ptr;
            if (source != &d->wake_source) {
                on_source(d, source, events[i].events);
            }
        }
        going = take_news(d);
        for (size_t i = 0; i < d->generation->plugin_count; i++) {
            sweep(&d->lanes[i]);
            feed(d, &d->lanes[i]);
        }
        if (d->draining) {
            continue_drain(d);
        }
    }
    return NULL;
}

/* ---- For other threads ---------------------------------------------------------- */

static void
wake(struct dispatcher *d)
{
    uint64_t one = 1;
    (void)!write(d->wake, &one, sizeof(one)); /* full means awake already */
}

static void
on_claims(void *arg, struct inbox_claim *claims)
{
    struct dispatcher *d = arg;
    pthread_mutex_lock(&d->lock);
    struct inbox_claim **end = &d->claims;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = claims;
    pthread_mutex_unlock(&d->lock);
    wake(d);
}

void
dispatcher_adopt(struct dispatcher *d, const struct plugin *plugin,
                 struct runner *runner)
{
    struct adoption *adoption = malloc(sizeof(*adoption));
    if (adoption == NULL) {
        runner_kill(runner);
        d->return_fn(d->return_arg, plugin, runner, RETURN_ENDED, 0);
        return;
    }
    adoption->plugin = plugin;
    adoption->runner = runner;
    pthread_mutex_lock(&d->lock);
    adoption->next = d->adoptions;
    d->adoptions = adoption;
    pthread_mutex_unlock(&d->lock);
    wake(d);
}

void
dispatcher_drain(struct dispatcher *d, int64_t deadline_ms)
{
    pthread_mutex_lock(&d->lock);
    d->drain_asked_ms = deadline_ms;
    pthread_mutex_unlock(&d->lock);
    wake(d);
}

int
dispatcher_drained(struct dispatcher *d)
{
    return atomic_load(&d->drained);
}

int64_t
dispatcher_stalled_ms(struct dispatcher *d)
{
    return clock_mono_ms() - atomic_load(&d->turned_ms);
}

/* ---- Starting and stopping -------------------------------------------------------- */

static void
free_dispatcher(struct dispatcher *d)
{
    if (d->epoll >= 0) {
        close(d->epoll);
    }
    if (d->wake >= 0) {
        close(d->wake);
    }
    pthread_mutex_destroy(&d->lock);
    free(d->lanes);
    free(d);
}

int
dispatcher_start(struct dispatcher **out, const struct generation *generation,
                 struct inbox *inbox, dispatcher_return_fn *fn, void *arg,
                 struct error *err)
{
    struct dispatcher *d = calloc(1, sizeof(*d));
    struct lane *lanes = calloc(generation->plugin_count + 1, sizeof(*lanes));
    if (d == NULL || lanes == NULL) {
        free(d);
        free(lanes);
        return error_set(err, RC_NOMEM, "dispatcher: out of memory");
    }
    d->generation = generation;
    d->inbox = inbox;
    d->return_fn = fn;
    d->return_arg = arg;
    d->lanes = lanes;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        lanes[i].plugin = &generation->plugins[i];
        lanes[i].ready_end = &lanes[i].ready;
    }
    pthread_mutex_init(&d->lock, NULL);
    atomic_store(&d->turned_ms, clock_mono_ms());
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->epoll < 0 || d->wake < 0) {
        int saved = errno;
        free_dispatcher(d);
        return error_errno(err, RC_IO, saved, "dispatcher: no descriptors");
    }
    watch(d, d->wake, &d->wake_source, EPOLLIN);

    inbox_listen(inbox, on_claims, d);
    int rc = pthread_create(&d->thread, NULL, dispatcher_main, d);
    if (rc != 0) {
        inbox_listen(inbox, NULL, NULL);
        free_dispatcher(d);
        return error_errno(err, RC_IO, rc, "dispatcher: cannot start");
    }
    pthread_setname_np(d->thread, "peg-dispatcher");
    *out = d;
    return RC_OK;
}

void
dispatcher_stop(struct dispatcher *d)
{
    if (d == NULL) {
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->stop = 1;
    pthread_mutex_unlock(&d->lock);
    wake(d);
    pthread_join(d->thread, NULL);
    inbox_listen(d->inbox, NULL, NULL);
    for (struct inbox_claim *c = d->claims; c != NULL;) {
        struct inbox_claim *next = c->next;
        undo(d, c);
        c = next;
    }
    free_dispatcher(d);
}
