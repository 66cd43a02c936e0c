/* core/inbox/inbox.c: opening, closing, and the calls of other threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/inbox.h"

#include "clock.h"
#include "error.h"
#include "inbox/engine.h"
#include "inbox/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

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
    pthread_mutex_init(&inbox->engine_lock, NULL);
}

int
inbox_start(struct inbox **out, struct inbox_engine *engine, struct error *err)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));
    if (inbox == NULL) {
        engine->ops->close(engine);
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    inbox->engine = engine;
    inbox->puts_end = &inbox->puts;
    inbox->results_end = &inbox->results;
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
inbox_open(struct inbox **out, const char *path, struct error *err)
{
    struct inbox_engine *engine;
    int rc = sqlite_open(&engine, path, err);
    return rc == RC_OK ? inbox_start(out, engine, err) : rc;
}

void
inbox_close(struct inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    inbox_listen(inbox, NULL, NULL);
    if (inbox->writer_runs) {
        pthread_mutex_lock(&inbox->lock);
        inbox->closing = 1;
        pthread_cond_signal(&inbox->work);
        pthread_mutex_unlock(&inbox->lock);
        pthread_join(inbox->writer, NULL);
    }
    writer_free_results(
        inbox->results); /* only when the store fails: run again */
    inbox->engine->ops->close(inbox->engine);
    pthread_cond_destroy(&inbox->work);
    pthread_mutex_destroy(&inbox->lock);
    pthread_mutex_destroy(&inbox->engine_lock);
    free(inbox->demands);
    free(inbox);
}

int
inbox_plugin_id(struct inbox *inbox, const char *name, uint32_t *id,
                struct error *err)
{
    pthread_mutex_lock(&inbox->engine_lock);
    int rc = inbox->engine->ops->plugin_id(inbox->engine, name, id, err);
    pthread_mutex_unlock(&inbox->engine_lock);
    if (rc != RC_OK) {
        return rc;
    }

    pthread_mutex_lock(&inbox->lock);
    if (writer_demand_locked(inbox, *id) == NULL) {
        struct demand *more =
            realloc(inbox->demands,
                    (inbox->demand_count + 1) * sizeof(*inbox->demands));
        if (more == NULL) {
            rc = error_set(err, RC_NOMEM, "inbox: out of memory");
        } else {
            inbox->demands = more;
            inbox->demands[inbox->demand_count++] =
                (struct demand){.plugin = *id};
        }
    }
    pthread_mutex_unlock(&inbox->lock);
    return rc;
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

int
inbox_put(struct inbox *inbox, struct inbox_put *put, int64_t wait_ms)
{
    if (inbox_stalled_ms(inbox) > wait_ms) {
        return RC_BUSY; /* the disk hangs: it would not come to its turn */
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
inbox_listen(struct inbox *inbox, inbox_claims_fn *fn, void *arg)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->claims_fn = fn;
    inbox->claims_arg = arg;
    inbox->listener++;
    forget_wishes_locked(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

void
inbox_want(struct inbox *inbox, uint32_t plugin, unsigned count)
{
    pthread_mutex_lock(&inbox->lock);
    struct demand *demand = writer_demand_locked(inbox, plugin);
    if (demand != NULL && inbox->claims_fn != NULL) {
        demand->wanted += count;
        pthread_cond_signal(&inbox->work);
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
    pthread_mutex_lock(&inbox->lock);
    *inbox->results_end = result;
    inbox->results_end = &result->link;
    pthread_cond_signal(&inbox->work);
    pthread_mutex_unlock(&inbox->lock);
}

int
inbox_ready(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    int ready = !inbox->failed && !inbox->closing;
    pthread_mutex_unlock(&inbox->lock);
    return ready;
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
