/* core/delivery/dispatcher.c: the loop that brings deliveries to runners.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/dispatcher.h"

#include "clock.h"
#include "delivery/attempt.h"
#include "delivery/crew.h"
#include "delivery/pool.h"
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
    struct pool_host host;
    pthread_t thread;
    struct inbox_listener listener;
    int wake; /* eventfd */

    struct pool *pools; /* one a plugin; only the thread's */
    struct source wake_source;
    struct inbox_claim *late; /* no memory for them yet */
    int draining;
    int64_t drain_deadline_ms;

    pthread_mutex_t lock;
    /* Guarded by lock: what others bring. */
    struct adoption *adoptions;
    struct inbox_claim *claims;
    struct inbox_lookup *lookups;
    int64_t drain_asked_ms; /* 0: not asked */
    int has_pauses;         /* a pool has news */
    int stop;

    atomic_int drained;
    atomic_llong turned_ms;
};

static struct pool *
find_pool(struct dispatcher *d, uint32_t plugin)
{
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        if (d->pools[i].plugin->id == plugin) {
            return &d->pools[i];
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
        next_ms = pool_check(&d->pools[i], late, next_ms);
    }
    return next_ms;
}

static void
continue_drain(struct dispatcher *d)
{
    unsigned left = 0;
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        left += pool_drain(&d->pools[i]);
    }
    if (left == 0) {
        atomic_store(&d->drained, 1);
    }
}

/* Bring claims to their pools. For some there may be no memory: they are looked
 * at again in the next round. */
static void
sort_claims(struct dispatcher *d, struct inbox_claim *claims)
{
    while (claims != NULL) {
        struct inbox_claim *next = claims->next;
        struct pool *pool = find_pool(d, claims->plugin);
        struct attempt *attempt = attempt_open(claims);
        if (attempt == NULL) {
            log_write(LOG_ERROR, "delivery", "no memory for a delivery",
                      "action=try_again");
            d->late = claims;
            return;
        }
        if (pool != NULL) {
            pool_queue(pool, attempt);
        } else {
            attempt_undo(attempt, d->host.inbox);
        }
        claims = next;
    }
}

static void
take_claims(struct dispatcher *d, struct inbox_claim *claims)
{
    struct inbox_claim *late = d->late;
    d->late = NULL;
    sort_claims(d, late);
    struct inbox_claim **end = &d->late;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    if (end == &d->late) {
        sort_claims(d, claims);
    } else {
        *end = claims;
    }
}

static void
take_lookups(struct dispatcher *d, struct inbox_lookup *lookups)
{
    for (const struct inbox_lookup *l = lookups; l != NULL; l = l->next) {
        struct pool *pool = find_pool(d, l->plugin);
        if (pool != NULL) {
            pool_on_lookup(pool, l);
        }
    }
    inbox_lookups_free(lookups);
}

static void
take_adoptions(struct dispatcher *d, struct adoption *adoptions)
{
    while (adoptions != NULL) {
        struct adoption *next = adoptions->next;
        crew_adopt(find_pool(d, adoptions->plugin->id), adoptions->runner);
        free(adoptions);
        adoptions = next;
    }
}

static void
take_pauses(struct dispatcher *d)
{
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        struct pool *pool = &d->pools[i];
        pthread_mutex_lock(&d->lock);
        int has_news = pool->has_news;
        struct inbox_plugin news = pool->news;
        pool->has_news = 0;
        pthread_mutex_unlock(&d->lock);
        if (has_news) {
            pool_pause(pool, &news);
        }
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
    struct inbox_lookup *lookups = d->lookups;
    int64_t drain_ms = d->drain_asked_ms;
    int has_pauses = d->has_pauses;
    int stop = d->stop;
    d->adoptions = NULL;
    d->claims = NULL;
    d->lookups = NULL;
    d->has_pauses = 0;
    pthread_mutex_unlock(&d->lock);

    take_claims(d, claims);
    take_lookups(d, lookups);
    take_adoptions(d, adoptions);
    if (has_pauses) {
        take_pauses(d);
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
                crew_on_source(source, events[i].events);
            }
        }
        going = take_news(d);
        for (size_t i = 0; i < d->generation->plugin_count; i++) {
            crew_sweep(&d->pools[i]);
            if (!d->draining) {
                pool_feed(&d->pools[i]);
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
    wake(d);
}

void
dispatcher_adopt(struct dispatcher *d, const struct plugin *plugin,
                 struct runner *runner)
{
    struct adoption *adoption = malloc(sizeof(*adoption));
    if (adoption == NULL) {
        runner_kill(runner);
        d->host.return_fn(d->host.arg, plugin, runner, RETURN_ENDED, 0);
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
dispatcher_pause(struct dispatcher *d, const struct inbox_plugin *state)
{
    struct pool *pool = find_pool(d, state->id);
    if (pool == NULL) {
        return; /* not being served: held anyway */
    }
    pthread_mutex_lock(&d->lock);
    pool->news = *state;
    pool->has_news = 1;
    d->has_pauses = 1;
    pthread_mutex_unlock(&d->lock);
    atomic_store(&pool->is_paused, state->paused_ms != 0);
    wake(d);
}

int
dispatcher_status(struct dispatcher *d, uint32_t plugin,
                  struct dispatcher_status *out)
{
    const struct pool *pool = find_pool(d, plugin);
    if (pool == NULL) {
        return RC_NOT_FOUND;
    }
    *out = (struct dispatcher_status){
        .runners = atomic_load(&pool->runners),
        .running = atomic_load(&pool->running),
        .is_broken = atomic_load(&pool->is_broken),
        .is_paused = atomic_load(&pool->is_paused),
    };
    return RC_OK;
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
    for (size_t i = 0; i < d->generation->plugin_count; i++) {
        pool_fini(&d->pools[i]);
    }
    if (d->host.epoll >= 0) {
        close(d->host.epoll);
    }
    if (d->wake >= 0) {
        close(d->wake);
    }
    pthread_mutex_destroy(&d->lock);
    free(d->pools);
    free(d);
}

static int
open_descriptors(struct dispatcher *d)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &d->wake_source};
    d->host.epoll = epoll_create1(EPOLL_CLOEXEC);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->host.epoll < 0 || d->wake < 0) {
        return -1;
    }
    return epoll_ctl(d->host.epoll, EPOLL_CTL_ADD, d->wake, &event);
}

int
dispatcher_start(struct dispatcher **out, const struct generation *generation,
                 struct inbox *inbox, dispatcher_return_fn *fn,
                 dispatcher_recovered_fn *recovered, void *arg,
                 struct error *err)
{
    struct dispatcher *d = calloc(1, sizeof(*d));
    struct pool *pools = calloc(generation->plugin_count + 1, sizeof(*pools));
    if (d == NULL || pools == NULL) {
        free(d);
        free(pools);
        return error_set(err, RC_NOMEM, "dispatcher: out of memory");
    }
    d->generation = generation;
    d->host = (struct pool_host){
        .inbox = inbox,
        .generation = generation->number,
        .return_fn = fn,
        .recovered_fn = recovered,
        .arg = arg,
    };
    d->pools = pools;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        pool_init(&pools[i], &d->host, &generation->plugins[i]);
    }
    pthread_mutex_init(&d->lock, NULL);
    atomic_store(&d->turned_ms, clock_mono_ms());
    if (open_descriptors(d) != 0) {
        int saved = errno;
        free_dispatcher(d);
        return error_errno(err, RC_IO, saved, "dispatcher: no descriptors");
    }

    d->listener = (struct inbox_listener){
        .claims = on_claims, .lookups = on_lookups, .arg = d};
    inbox_listen(inbox, &d->listener);
    int rc = pthread_create(&d->thread, NULL, dispatcher_main, d);
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
    wake(d);
    pthread_join(d->thread, NULL);
    inbox_listen(d->host.inbox, NULL);
    take_claims(d, d->claims); /* the pools give them back */
    while (d->late != NULL) {  /* no memory even now: run at the next start */
        struct inbox_claim *next = d->late->next;
        free(d->late);
        d->late = next;
    }
    inbox_lookups_free(d->lookups);
    free_dispatcher(d);
}
