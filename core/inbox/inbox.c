/* core/inbox/inbox.c: opening, closing, and the calls of other threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/inbox.h"

#include "clock.h"
#include "error.h"
#include "inbox/engine.h"
#include "inbox/writer.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* How often the disk is asked for its room. */
#define ROOM_MS 250

/* ---- Opening and closing -------------------------------------------- */

static void
init_locks(struct inbox *inbox)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&inbox->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&inbox->lock, NULL);
}

int
inbox_start(struct inbox **out, struct inbox_engine *engine,
            const struct inbox_settings *settings, struct error *err)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));
    if (inbox == NULL) {
        engine->ops->close(engine);
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    inbox->engine = engine;
    inbox->puts_end = &inbox->puts;
    inbox->results_end = &inbox->results;
    inbox->actions_end = &inbox->actions;
    inbox->lookups_end = &inbox->lookups;
    inbox->rolls_end = &inbox->rolls;
    inbox->retention_ms = settings->retention_ms;
    atomic_store(&inbox->min_free_bytes, settings->min_free_bytes);
    inbox->clock_offset_ms = clock_wall_ms() - clock_boot_ms();
    inbox->prune_mono_ms = clock_mono_ms();
    atomic_store(&inbox->has_room, 1);
    atomic_store(&inbox->turned_mono_ms, clock_mono_ms());
    init_locks(inbox);

    int rc = pthread_create(&inbox->writer, NULL, writer_main, inbox);
    if (rc != 0) {
        inbox_close(inbox);
        return error_errno(err, RC_IO, rc, "inbox: cannot start its thread");
    }
    inbox->writer_runs = 1;
    pthread_setname_np(inbox->writer, "peg-inbox");
    *out = inbox;
    return RC_OK;
}

int
inbox_open(struct inbox **out, const struct inbox_settings *settings,
           struct error *err)
{
    struct inbox_engine *engine;
    int rc = sqlite_open(&engine, settings->path, err);
    return rc == RC_OK ? inbox_start(out, engine, settings, err) : rc;
}

void
inbox_close(struct inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    inbox_listen(inbox, NULL);
    if (inbox->writer_runs) {
        pthread_mutex_lock(&inbox->lock);
        inbox->closing = 1;
        pthread_cond_signal(&inbox->work);
        pthread_mutex_unlock(&inbox->lock);
        pthread_join(inbox->writer, NULL);
    }
    /* Only when the store fails: they will be run again. */
    writer_free_results(inbox->results);
    inbox_lookups_free(inbox->lookups);
    inbox->engine->ops->close(inbox->engine);
    pthread_cond_destroy(&inbox->work);
    pthread_mutex_destroy(&inbox->lock);
    free(inbox->demands);
    free(inbox);
}

void
inbox_tune(struct inbox *inbox, int64_t retention_ms, int64_t min_free_bytes)
{
    atomic_store(&inbox->min_free_bytes, min_free_bytes);
    atomic_store(&inbox->room_mono_ms, 0); /* look at once */
    pthread_mutex_lock(&inbox->lock);
    if (inbox->retention_ms != retention_ms) {
        inbox->retention_ms = retention_ms;
        inbox->prune_mono_ms = clock_mono_ms();
        pthread_cond_signal(&inbox->work);
    }
    pthread_mutex_unlock(&inbox->lock);
}

/* ---- The calls of other threads ------------------------------------- */

/* Take a put that the writer has not begun with out of the queue. */
static int
withdraw_locked(struct inbox *inbox, struct inbox_put *put)
{
    if (put->taken) {
        return 0;
    }
    struct inbox_put **at = &inbox->puts;
    while (*at != put) {
        at = &(*at)->next;
    }
    *at = put->next;
    if (put->next == NULL) {
        inbox->puts_end = at;
    }
    return 1;
}

/* Wait for the writer's answer. A put that is in a transaction is waited for,
 * however long: its outcome is not known before. */
static int
await_put(struct inbox *inbox, struct inbox_put *put, int64_t wait_ms)
{
    int64_t until_ms = clock_mono_ms() + wait_ms;
    struct timespec at = {.tv_sec = until_ms / 1000,
                          .tv_nsec = until_ms % 1000 * 1000000};
    while (sem_clockwait(&put->finished, CLOCK_MONOTONIC, &at) != 0) {
        if (errno == EINTR) {
            continue;
        }
        pthread_mutex_lock(&inbox->lock);
        int withdrawn = withdraw_locked(inbox, put);
        pthread_mutex_unlock(&inbox->lock);
        if (withdrawn) {
            return RC_BUSY;
        }
        while (sem_wait(&put->finished) != 0) {
            /* interrupted: go on waiting */
        }
        break;
    }
    return atomic_load(&put->rc);
}

/* Whether the disk has room for more, looked at now and then: with less than
 * the reserve nothing new is taken, so that verdicts can still be written. */
static int
has_room(struct inbox *inbox)
{
    int64_t now_ms = clock_mono_ms();
    int64_t min_free = atomic_load(&inbox->min_free_bytes);
    if (min_free == 0) {
        return 1;
    }
    if (now_ms - atomic_load(&inbox->room_mono_ms) < ROOM_MS) {
        return atomic_load(&inbox->has_room);
    }
    atomic_store(&inbox->room_mono_ms, now_ms);
    int room = inbox->engine->ops->has_room(inbox->engine, min_free);
    if (atomic_exchange(&inbox->has_room, room) != room) {
        log_write(room ? LOG_INFO : LOG_ERROR, "inbox",
                  room ? "the disk has room again" : "the disk is nearly full",
                  "min_free=%lld action=%s", (long long)min_free,
                  room ? "take_posts" : "reply_503");
    }
    return room;
}

int
inbox_put(struct inbox *inbox, struct inbox_put *put, int64_t wait_ms)
{
    if (inbox_stalled_ms(inbox) > wait_ms) {
        return RC_BUSY; /* the disk hangs: it would not come to its turn */
    }
    if (!has_room(inbox)) {
        return RC_FULL;
    }
    put->next = NULL;
    put->taken = 0;
    atomic_store(&put->rc, RC_UNKNOWN);
    sem_init(&put->finished, 0, 0);

    pthread_mutex_lock(&inbox->lock);
    int closing = inbox->closing;
    if (!closing) {
        *inbox->puts_end = put;
        inbox->puts_end = &put->next;
        pthread_cond_signal(&inbox->work);
    }
    pthread_mutex_unlock(&inbox->lock);

    int rc = closing ? RC_CLOSED : await_put(inbox, put, wait_ms);
    sem_destroy(&put->finished);
    return rc;
}

static void
forget_wishes_locked(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->demand_count; i++) {
        inbox->demands[i].wanted = 0;
    }
}

void
inbox_listen(struct inbox *inbox, const struct inbox_listener *listener)
{
    static const struct inbox_listener nobody;
    pthread_mutex_lock(&inbox->lock);
    struct inbox_lookup *unheard = inbox->lookups;
    inbox->listener = listener != NULL ? *listener : nobody;
    inbox->listener_number++;
    inbox->lookups = NULL;
    inbox->lookups_end = &inbox->lookups;
    forget_wishes_locked(inbox);
    pthread_mutex_unlock(&inbox->lock);
    inbox_lookups_free(unheard);
}

void
inbox_want(struct inbox *inbox, uint32_t plugin, unsigned count)
{
    pthread_mutex_lock(&inbox->lock);
    struct demand *demand = writer_demand_locked(inbox, plugin);
    if (demand != NULL && inbox->listener.claims != NULL) {
        demand->wanted += count;
        pthread_cond_signal(&inbox->work);
    }
    pthread_mutex_unlock(&inbox->lock);
}

void
inbox_unwant(struct inbox *inbox, uint32_t plugin)
{
    pthread_mutex_lock(&inbox->lock);
    struct demand *demand = writer_demand_locked(inbox, plugin);
    if (demand != NULL) {
        demand->wanted = 0;
    }
    pthread_mutex_unlock(&inbox->lock);
}

void
inbox_want_nothing(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    forget_wishes_locked(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

void
inbox_finish(struct inbox *inbox, struct inbox_result *result)
{
    result->link = NULL;
    result->clock_ms = clock_wall_ms() - clock_boot_ms();
    pthread_mutex_lock(&inbox->lock);
    *inbox->results_end = result;
    inbox->results_end = &result->link;
    pthread_cond_signal(&inbox->work);
    pthread_mutex_unlock(&inbox->lock);
}

void
inbox_look_up(struct inbox *inbox, struct inbox_lookup *lookup)
{
    lookup->next = NULL;
    lookup->value = NULL;
    pthread_mutex_lock(&inbox->lock);
    *inbox->lookups_end = lookup;
    inbox->lookups_end = &lookup->next;
    pthread_cond_signal(&inbox->work);
    pthread_mutex_unlock(&inbox->lock);
}

/* @return RC_OK, or RC_CLOSED: it was not queued */
static int
queue_action(struct inbox *inbox, struct inbox_action *action)
{
    action->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    int closing = inbox->closing;
    if (!closing) {
        *inbox->actions_end = action;
        inbox->actions_end = &action->next;
        pthread_cond_signal(&inbox->work);
    }
    pthread_mutex_unlock(&inbox->lock);
    return closing ? RC_CLOSED : RC_OK;
}

int
inbox_act(struct inbox *inbox, struct inbox_action *action)
{
    int64_t job = action->job != NULL ? action->job->id : 0;
    action->is_async = 0;
    atomic_store(&action->rc, RC_UNKNOWN);
    sem_init(&action->finished, 0, 0);
    int rc = queue_action(inbox, action);
    if (rc == RC_OK) {
        while (sem_wait(&action->finished) != 0) {
            /* interrupted: go on waiting */
        }
        rc = atomic_load(&action->rc);
    }
    sem_destroy(&action->finished);
    if (rc != RC_OK && action->job != NULL) {
        action->job->id = job; /* a new one is not there */
    }
    return rc;
}

void
inbox_keep_held(struct inbox *inbox, const struct inbox_plugin *plugin)
{
    struct inbox_action *action = calloc(1, sizeof(*action));
    if (action == NULL) {
        return; /* a little time held will count as age: no more than that */
    }
    action->kind = INBOX_KEEP_HELD;
    action->plugin = plugin->id;
    action->state = *plugin;
    action->is_async = 1;
    if (queue_action(inbox, action) != RC_OK) {
        free(action);
    }
}

int
inbox_ready(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    int ready = !inbox->failed && !inbox->closing;
    pthread_mutex_unlock(&inbox->lock);
    return ready && has_room(inbox);
}

int64_t
inbox_stalled_ms(struct inbox *inbox)
{
    if (!atomic_load(&inbox->busy)) {
        return 0; /* asleep: it turns when there is work */
    }
    return clock_mono_ms() - atomic_load(&inbox->turned_mono_ms);
}

void
inbox_stats(struct inbox *inbox, struct inbox_stats *out)
{
    pthread_mutex_lock(&inbox->lock);
    *out = inbox->stats;
    pthread_mutex_unlock(&inbox->lock);
}

void
inbox_claims_free(struct inbox_claim *claims)
{
    while (claims != NULL) {
        struct inbox_claim *next = claims->next;
        free(claims);
        claims = next;
    }
}

void
inbox_result_free(struct inbox_result *result)
{
    if (result == NULL) {
        return;
    }
    while (result->changes != NULL) {
        struct inbox_change *next = result->changes->next;
        free(result->changes);
        result->changes = next;
    }
    free(result->evidence);
    free(result);
}

void
inbox_lookups_free(struct inbox_lookup *lookups)
{
    while (lookups != NULL) {
        struct inbox_lookup *next = lookups->next;
        free(lookups->value);
        free(lookups);
        lookups = next;
    }
}
