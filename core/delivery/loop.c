/* core/delivery/loop.c: the loop that brings deliveries to runners.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/loop.h"

#include "clock.h"
#include "delivery/attempt.h"
#include "delivery/crew.h"
#include "delivery/retire.h"
#include "log.h"
#include "plugin/runner.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The loop turns at least this often, which is how others see that it lives. */
#define TURN_MS 1000

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
    for (struct pool *p = d->pools.first; p != NULL; p = p->next) {
        next_ms = pool_check(p, late, next_ms);
    }
    return next_ms;
}

static void
continue_drain(struct dispatcher *d)
{
    unsigned left = 0;
    for (struct pool *p = d->pools.first; p != NULL; p = p->next) {
        left += pool_drain(p);
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
        struct pool *pool = pools_find(&d->pools, claims->plugin);
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

void
loop_take_claims(struct dispatcher *d, struct inbox_claim *claims)
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
        struct pool *pool = pools_find(&d->pools, l->plugin);
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
        struct pool *pool = pools_find(&d->pools, adoptions->runner->is.plugin);
        crew_adopt(&d->host, pool, adoptions->runner);
        free(adoptions);
        adoptions = next;
    }
}

static void
take_pauses(struct dispatcher *d)
{
    for (struct pool *pool = d->pools.first; pool != NULL; pool = pool->next) {
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

/* Before a switch that was asked for later: it retires others. */
static void
take_hurry(struct dispatcher *d)
{
    for (struct pool *p = d->pools.first; p != NULL; p = p->next) {
        if (atomic_exchange(&p->is_hastened, 0)) {
            retire_hasten(p);
        }
    }
}

/* Take over what others brought. Returns 1 to go on, 0 to stop.
 * @param switched  gets the switches that were done, to be answered when the
 *                  round is over and all has come of them that can at once */
static int
take_news(struct dispatcher *d, struct switching **switched)
{
    uint64_t count;
    (void)!read(d->wake, &count, sizeof(count)); /* only resets it */
    pthread_mutex_lock(&d->lock);
    struct adoption *adoptions = d->adoptions;
    struct inbox_claim *claims = d->claims;
    struct inbox_lookup *lookups = d->lookups;
    struct switching *switchings = d->switchings;
    int64_t drain_ms = d->drain_asked_ms;
    int has_pauses = d->has_pauses;
    int stop = d->stop;
    d->adoptions = NULL;
    d->claims = NULL;
    d->lookups = NULL;
    d->switchings = NULL;
    d->has_pauses = 0;
    pthread_mutex_unlock(&d->lock);

    loop_take_claims(d, claims);
    take_lookups(d, lookups);
    take_adoptions(d, adoptions);
    if (has_pauses) {
        take_pauses(d);
    }
    take_hurry(d);
    *switched = switchings;
    for (struct switching *s = switchings; s != NULL; s = s->next) {
        s->rc = pools_switch(&d->pools, s->generation, s->drain_ms);
    }
    if (drain_ms != 0 && !d->draining) {
        d->draining = 1;
        inbox_want_nothing(d->host.inbox);
    }
    d->drain_deadline_ms = drain_ms;
    return !stop;
}

static void
answer_switchings(struct dispatcher *d, struct switching *switchings)
{
    pthread_mutex_lock(&d->lock);
    for (struct switching *s = switchings; s != NULL; s = s->next) {
        s->is_done = 1; /* it is there until we let go of the lock */
    }
    pthread_cond_broadcast(&d->switched);
    pthread_mutex_unlock(&d->lock);
}

/* What follows from the news of a round. */
static void
end_round(struct dispatcher *d)
{
    for (struct pool *p = d->pools.first; p != NULL; p = p->next) {
        crew_sweep(p);
        if (!d->draining) {
            pool_feed(p);
        }
    }
    if (d->draining) {
        continue_drain(d);
    }
    pools_sweep(&d->pools);
}

void *
loop_main(void *arg)
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
        struct switching *switched;
        going = take_news(d, &switched);
        end_round(d);
        if (switched != NULL) {
            answer_switchings(d, switched);
        }
    }
    return NULL;
}

void
loop_wake(struct dispatcher *d)
{
    uint64_t one = 1;
    (void)!write(d->wake, &one, sizeof(one)); /* full means awake already */
}
