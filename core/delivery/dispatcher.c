/* core/delivery/dispatcher.c: the loop that brings deliveries to runners.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/dispatcher.h"

#include "clock.h"
#include "delivery/lane.h"
#include "delivery/worker.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The loop turns at least this often, which is how others see that it lives. */
#define TURN_MS 1000

struct adoption {
    struct adoption *next;
    const struct plugin *plugin;
    struct runner *runner;
};

struct dispatcher {
    const struct generation *generation;
    struct lane_host host;
    pthread_t thread;
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

/* End what takes too long; returns when to look again. */
static int64_t
check_deadlines(struct dispatcher *d)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = now_ms + TURN_MS;
    int late = d->draining && now_ms >= d->drain_deadline_ms;
    if (d->draining && !late && d->drain_deadline_ms < next_ms) {
        next_ms = d->drain_deadline_ms;
    }
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        next_ms = lane_check(&d->lanes[i], late, next_ms);
    }
    return next_ms;
}

static void
continue_drain(struct dispatcher *d)
{
    unsigned left = 0;
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        left += lane_drain(&d->lanes[i]);
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
        if (lane != NULL) {
            lane_queue(lane, claims);
        } else {
            lane_undo(d->host.inbox, claims);
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
        lane_adopt(find_lane(d, adoptions->plugin->id), adoptions->runner);
        free(adoptions);
        adoptions = next;
    }
    if (drain_ms != 0 && !d->draining) {
        d->draining = 1;
        inbox_want_nothing(d->host.inbox);
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
        int n = epoll_wait(d->host.epoll, events, 64, clock_poll_ms(next_ms));
        atomic_store(&d->turned_ms, clock_mono_ms());
        for (int i = 0; i < n; i++) {
            const struct source *source = events[i].data.ptr;
            if (source != &d->wake_source) {
                lane_on_source(source, events[i].events);
            }
        }
        going = take_news(d);
        for (size_t i = 0; i < d->generation->plugin_count; i++) {
            lane_sweep(&d->lanes[i]);
            if (!d->draining) {
                lane_feed(&d->lanes[i]);
            }
        }
        if (d->draining) {
            continue_drain(d);
        }
    }
    return NULL;
}

/* ---- For other threads ---------------------------------------------- */

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
        d->host.return_fn(d->host.return_arg, plugin, runner, RETURN_ENDED, 0);
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

/* ---- Starting and stopping ------------------------------------------ */

static void
free_dispatcher(struct dispatcher *d)
{
    if (d->host.epoll >= 0) {
        close(d->host.epoll);
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
    d->host.inbox = inbox;
    d->host.return_fn = fn;
    d->host.return_arg = arg;
    d->lanes = lanes;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        lane_init(&lanes[i], &d->host, &generation->plugins[i]);
    }
    pthread_mutex_init(&d->lock, NULL);
    atomic_store(&d->turned_ms, clock_mono_ms());
    d->host.epoll = epoll_create1(EPOLL_CLOEXEC);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &d->wake_source};
    if (d->host.epoll < 0 || d->wake < 0 ||
        epoll_ctl(d->host.epoll, EPOLL_CTL_ADD, d->wake, &event) != 0) {
        int saved = errno;
        free_dispatcher(d);
        return error_errno(err, RC_IO, saved, "dispatcher: no descriptors");
    }

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
    inbox_listen(d->host.inbox, NULL, NULL);
    for (struct inbox_claim *c = d->claims; c != NULL;) {
        struct inbox_claim *next = c->next;
        lane_undo(d->host.inbox, c);
        c = next;
    }
    free_dispatcher(d);
}
