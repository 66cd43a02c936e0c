/* core/delivery/dispatcher.c: what other threads say to the dispatcher, its
 * start and its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/dispatcher.h"

#include "clock.h"
#include "delivery/loop.h"
#include "delivery/pools.h"
#include "error.h"
#include "inbox/inbox.h"
#include "plugin/runner.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- What others bring ---------------------------------------------- */

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
    loop_wake(d);
}

static void
on_lookups(void *arg, struct inbox_lookup *lookups)
{
    struct dispatcher *d = arg;
    pthread_mutex_lock(&d->lock);
    struct inbox_lookup **end = &d->lookups;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = lookups;
    pthread_mutex_unlock(&d->lock);
    loop_wake(d);
}

void
dispatcher_adopt(struct dispatcher *d, struct runner *runner)
{
    struct adoption *adoption = malloc(sizeof(*adoption));
    if (adoption == NULL) {
        runner_kill(runner);
        d->host.return_fn(d->host.arg, runner, RETURN_ENDED, 0);
        return;
    }
    adoption->runner = runner;
    pthread_mutex_lock(&d->lock);
    adoption->next = d->adoptions;
    d->adoptions = adoption;
    pthread_mutex_unlock(&d->lock);
    loop_wake(d);
}

/* ---- A new generation ----------------------------------------------- */

int
dispatcher_switch(struct dispatcher *d, struct generation *generation,
                  int64_t drain_ms)
{
    struct switching switching = {.generation = generation,
                                  .drain_ms = drain_ms};
    pthread_mutex_lock(&d->lock);
    struct switching **end = &d->switchings;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = &switching;
    loop_wake(d);
    while (!switching.is_done) {
        pthread_cond_wait(&d->switched, &d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return switching.rc;
}

void
dispatcher_draining(struct dispatcher *d, unsigned generation,
                    struct dispatcher_drain *out)
{
    pthread_mutex_lock(&d->lock);
    pools_count_old_locked(&d->pools, generation, out);
    pthread_mutex_unlock(&d->lock);
}

int
dispatcher_drain_fd(const struct dispatcher *d)
{
    return d->host.drain_fd;
}

void
dispatcher_hasten(struct dispatcher *d, uint32_t plugin)
{
    pthread_mutex_lock(&d->lock);
    struct pool *pool = pools_find(&d->pools, plugin);
    if (pool != NULL) {
        atomic_store(&pool->is_hastened, 1);
    }
    pthread_mutex_unlock(&d->lock);
    loop_wake(d);
}

unsigned
dispatcher_draining_of(struct dispatcher *d, uint32_t plugin)
{
    pthread_mutex_lock(&d->lock);
    const struct pool *pool = pools_find(&d->pools, plugin);
    unsigned old = pool != NULL ? atomic_load(&pool->old) : 0;
    pthread_mutex_unlock(&d->lock);
    return old;
}

/* ---- Looking and holding -------------------------------------------- */

void
dispatcher_pause(struct dispatcher *d, const struct inbox_plugin *state)
{
    pthread_mutex_lock(&d->lock);
    pools_pause_locked(&d->pools, state);
    d->has_pauses = 1;
    pthread_mutex_unlock(&d->lock);
    loop_wake(d);
}

int
dispatcher_status(struct dispatcher *d, uint32_t plugin,
                  struct dispatcher_status *out)
{
    pthread_mutex_lock(&d->lock);
    const struct pool *pool = pools_find(&d->pools, plugin);
    if (pool != NULL) {
        *out = (struct dispatcher_status){
            .runners = atomic_load(&pool->runners),
            .running = atomic_load(&pool->running),
            .old = atomic_load(&pool->old),
            .is_broken = atomic_load(&pool->is_broken),
            .is_paused = atomic_load(&pool->is_paused),
        };
    }
    pthread_mutex_unlock(&d->lock);
    return pool != NULL ? RC_OK : RC_NOT_FOUND;
}

void
dispatcher_drain(struct dispatcher *d, int64_t deadline_ms)
{
    pthread_mutex_lock(&d->lock);
    d->drain_asked_ms = deadline_ms;
    pthread_mutex_unlock(&d->lock);
    loop_wake(d);
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
    const int fds[] = {d->host.epoll, d->host.drain_fd, d->wake};
    pools_fini(&d->pools);
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pthread_cond_destroy(&d->switched);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static int
open_descriptors(struct dispatcher *d)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &d->wake_source};
    d->host.epoll = epoll_create1(EPOLL_CLOEXEC);
    d->host.drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->host.epoll < 0 || d->host.drain_fd < 0 || d->wake < 0) {
        return -1;
    }
    return epoll_ctl(d->host.epoll, EPOLL_CTL_ADD, d->wake, &event);
}

int
dispatcher_start(struct dispatcher **out, struct inbox *inbox,
                 dispatcher_return_fn *fn, dispatcher_recovered_fn *recovered,
                 void *arg, struct error *err)
{
    struct dispatcher *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return error_set(err, RC_NOMEM, "dispatcher: out of memory");
    }
    d->host = (struct pool_host){
        .inbox = inbox,
        .lock = &d->lock,
        .return_fn = fn,
        .recovered_fn = recovered,
        .arg = arg,
    };
    d->pools.host = &d->host;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->switched, NULL);
    atomic_store(&d->turned_ms, clock_mono_ms());
    if (open_descriptors(d) != 0) {
        int saved = errno;
        free_dispatcher(d);
        return error_errno(err, RC_IO, saved, "dispatcher: no descriptors");
    }

    d->listener = (struct inbox_listener){
        .claims = on_claims, .lookups = on_lookups, .arg = d};
    inbox_listen(inbox, &d->listener);
    int rc = pthread_create(&d->thread, NULL, loop_main, d);
    if (rc != 0) {
        inbox_listen(inbox, NULL);
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
    loop_wake(d);
    pthread_join(d->thread, NULL);
    inbox_listen(d->host.inbox, NULL);
    loop_take_claims(d, d->claims); /* the pools give them back */
    while (d->late != NULL) { /* no memory even now: run at the next start */
        struct inbox_claim *next = d->late->next;
        free(d->late);
        d->late = next;
    }
    inbox_lookups_free(d->lookups);
    while (d->adoptions != NULL) { /* their runners are the starter's */
        struct adoption *next = d->adoptions->next;
        free(d->adoptions);
        d->adoptions = next;
    }
    free_dispatcher(d);
}
