/* core/inbox/writer.c: the thread that writes the inbox.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/writer.h"

#include "clock.h"
#include "error.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Events in one transaction. More gains nothing and makes the first wait. */
#define BATCH_PUTS_MAX 128

/* While the store fails, how often it is asked whether it works again. */
#define PROBE_MS 500

static void
wake_at_locked(struct inbox *inbox, int64_t mono_ms)
{
    if (mono_ms == INT64_MAX) {
        pthread_cond_wait(&inbox->work, &inbox->lock);
        return;
    }
    struct timespec at = {.tv_sec = mono_ms / 1000,
                          .tv_nsec = mono_ms % 1000 * 1000000};
    pthread_cond_timedwait(&inbox->work, &inbox->lock, &at);
}

/* The monotonic time at which the writer has something to do; 0 for now. */
static int64_t
next_work_locked(const struct inbox *inbox)
{
    if (inbox->puts != NULL) {
        return 0;
    }
    if (inbox->failed) {
        return inbox->retry_mono_ms;
    }
    if (inbox->results != NULL) {
        return 0;
    }
    int64_t left_ms = INT64_MAX;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < inbox->demand_count; i++) {
        const struct demand *demand = &inbox->demands[i];
        if (demand->wanted > 0 && demand->due_ms != INT64_MAX &&
            demand->due_ms - now_ms < left_ms) {
            left_ms = demand->due_ms - now_ms;
        }
    }
    if (left_ms == INT64_MAX) {
        return INT64_MAX;
    }
    return left_ms <= 0 ? 0 : clock_mono_ms() + left_ms;
}

/* Wait for work. Returns 0 when the inbox is closing and nothing is left. */
static int
wait_for_work_locked(struct inbox *inbox)
{
    for (;;) {
        if (inbox->closing && inbox->puts == NULL) {
            if (inbox->results == NULL || inbox->last_try) {
                return 0;
            }
            inbox->last_try = 1; /* even if the store failed just now */
            return 1;
        }
        int64_t at_ms = next_work_locked(inbox);
        if (at_ms <= clock_mono_ms()) {
            return 1;
        }
        atomic_store(&inbox->turned_mono_ms, clock_mono_ms());
        wake_at_locked(inbox, at_ms);
    }
}

static void
take_puts_locked(struct inbox *inbox, struct inbox_batch *batch)
{
    struct inbox_put *last = NULL;
    batch->puts = inbox->puts;
    struct inbox_put *put = inbox->puts;
    for (unsigned n = 0; put != NULL && n < BATCH_PUTS_MAX; n++) {
        put->taken = 1;
        last = put;
        put = put->next;
    }
    inbox->puts = put;
    if (last != NULL) {
        last->next = NULL;
    }
    if (put == NULL) {
        inbox->puts_end = &inbox->puts;
    }
}

/* A plugin is asked for when something may be due: its time has come, or this
 * very batch brings it something. Not while the store fails: claims of unknown
 * commits would pile up to be undone. */
static int
take_wants_locked(struct inbox *inbox, struct inbox_batch *batch)
{
    batch->wants = calloc(inbox->demand_count + 1, sizeof(*batch->wants));
    if (batch->wants == NULL) {
        return RC_NOMEM;
    }
    for (const struct inbox_put *put = batch->puts; put; put = put->next) {
        for (size_t i = 0; i < put->plugin_count; i++) {
            for (size_t d = 0; d < inbox->demand_count; d++) {
                if (inbox->demands[d].plugin == put->plugins[i]) {
                    inbox->demands[d].due_ms = 0;
                }
            }
        }
    }
    for (size_t d = 0; d < inbox->demand_count; d++) {
        const struct demand *demand = &inbox->demands[d];
        if (!inbox->failed && demand->wanted > 0 &&
            demand->due_ms <= batch->now_ms) {
            struct inbox_want *want = &batch->wants[batch->want_count++];
            want->plugin = demand->plugin;
            want->count = demand->wanted;
        }
    }
    return RC_OK;
}

struct demand *
writer_demand_locked(struct inbox *inbox, uint32_t plugin)
{
    for (size_t i = 0; i < inbox->demand_count; i++) {
        if (inbox->demands[i].plugin == plugin) {
            return &inbox->demands[i];
        }
    }
    return NULL;
}

/* After a commit: when to look again. */
static void
settle_due_locked(struct inbox *inbox, const struct inbox_batch *batch)
{
    for (size_t i = 0; i < batch->want_count; i++) {
        const struct inbox_want *want = &batch->wants[i];
        writer_demand_locked(inbox, want->plugin)->due_ms = want->next_ms;
    }
    for (const struct inbox_result *r = batch->results; r; r = r->link) {
        struct demand *demand = writer_demand_locked(inbox, r->plugin);
        if (demand == NULL) {
            continue;
        }
        if (r->next == INBOX_UNDO) {
            demand->due_ms = 0;
        } else if (r->next == INBOX_AGAIN && r->due_ms < demand->due_ms) {
            demand->due_ms = r->due_ms;
        }
    }
}

/* All claims of a batch as one list. */
static struct inbox_claim *
join_claims(struct inbox_batch *batch)
{
    struct inbox_claim *all = NULL, **end = &all;
    for (size_t i = 0; i < batch->want_count; i++) {
        *end = batch->wants[i].claims;
        while (*end != NULL) {
            end = &(*end)->next;
        }
    }
    return all;
}

/* Undo claims that nobody will get, or they would stay leased until the next
 * start. Ahead of all that waits: the very next transaction undoes them before
 * it claims, so that no later claim of the same number can be meant. */
static void
return_claims_locked(struct inbox *inbox, struct inbox_claim *claims)
{
    for (const struct inbox_claim *c = claims; c != NULL; c = c->next) {
        struct inbox_result *result = calloc(1, sizeof(*result));
        if (result == NULL) {
            break; /* then it is the next start that finds them */
        }
        result->seq = c->seq;
        result->plugin = c->plugin;
        result->attempt = c->attempt;
        result->lease = c->lease;
        result->next = INBOX_UNDO;
        result->link = inbox->results;
        if (inbox->results == NULL) {
            inbox->results_end = &result->link;
        }
        inbox->results = result;
    }
    inbox_claims_free(claims);
}

/* Give the claims to the listener who asked. One who came meanwhile did not,
 * and its wishes are still to be met. Under the lock, so that a listener who
 * has left is not called any more. */
static void
hand_over_locked(struct inbox *inbox, struct inbox_batch *batch,
                 unsigned listener)
{
    struct inbox_claim *claims = join_claims(batch);
    if (listener != inbox->listener) {
        return_claims_locked(inbox, claims);
        return;
    }
    for (size_t i = 0; i < batch->want_count; i++) {
        const struct inbox_want *want = &batch->wants[i];
        struct demand *demand = writer_demand_locked(inbox, want->plugin);
        demand->wanted -=
            want->claimed < demand->wanted ? want->claimed : demand->wanted;
    }
    if (claims != NULL) {
        inbox->claims_fn(inbox->claims_arg, claims);
    }
}

static void
answer_puts(struct inbox_put *puts, int rc)
{
    while (puts != NULL) {
        struct inbox_put *next = puts->next; /* gone once its owner wakes */
        atomic_store(&puts->rc, rc);
        sem_post(&puts->finished);
        puts = next;
    }
}

void
writer_free_results(struct inbox_result *results)
{
    while (results != NULL) {
        struct inbox_result *next = results->link;
        free(results);
        results = next;
    }
}

static void
count_batch_locked(struct inbox *inbox, const struct inbox_batch *batch)
{
    struct inbox_stats *stats = &inbox->stats;
    stats->commits++;
    for (const struct inbox_put *put = batch->puts; put; put = put->next) {
        if (put->duplicate) {
            stats->duplicates++;
        } else {
            stats->events++;
        }
        stats->deliveries += put->pending;
    }
    for (const struct inbox_result *r = batch->results; r; r = r->link) {
        stats->closed += r->next == INBOX_CLOSE || r->next == INBOX_BURY;
        stats->buried += r->next == INBOX_BURY;
    }
}

static void
batch_committed(struct inbox *inbox, struct inbox_batch *batch,
                unsigned listener)
{
    pthread_mutex_lock(&inbox->lock);
    int recovered = inbox->failed;
    inbox->failed = 0;
    count_batch_locked(inbox, batch);
    settle_due_locked(inbox, batch);
    hand_over_locked(inbox, batch, listener);
    pthread_mutex_unlock(&inbox->lock);

    if (recovered) {
        log_write(LOG_INFO, "inbox", "store works again", NULL);
    }
    answer_puts(batch->puts, RC_OK);
    writer_free_results(batch->results);
}

static void
batch_failed(struct inbox *inbox, struct inbox_batch *batch, int rc,
             const struct error *err)
{
    static struct log_limit limit;
    unsigned dropped;
    if (log_limit_pass(&limit, &dropped)) {
        struct log_value why;
        log_write(LOG_ERROR, "inbox", "commit failed",
                  "rc=%s detail=%s dropped=%u action=reply_503", rc_name(rc),
                  log_quote(&why, err->text, strlen(err->text)), dropped);
    }

    pthread_mutex_lock(&inbox->lock);
    inbox->failed = 1;
    inbox->stats.failures++;
    inbox->retry_mono_ms = clock_mono_ms() + PROBE_MS;
    /* Results go back to the head of the queue: they must not be lost. */
    if (batch->results != NULL) {
        struct inbox_result *last = batch->results;
        while (last->link != NULL) {
            last = last->link;
        }
        if (inbox->results == NULL) {
            inbox->results_end = &last->link;
        }
        last->link = inbox->results;
        inbox->results = batch->results;
    }
    return_claims_locked(inbox, join_claims(batch)); /* of an unknown commit */
    pthread_mutex_unlock(&inbox->lock);

    answer_puts(batch->puts, rc);
}

/* Commit one batch: what waits now, at most. */
static void
write_batch(struct inbox *inbox)
{
    struct inbox_batch batch = {.now_ms = clock_wall_ms()};
    struct error err = {0};

    pthread_mutex_lock(&inbox->lock);
    take_puts_locked(inbox, &batch);
    batch.results = inbox->results;
    inbox->results = NULL;
    inbox->results_end = &inbox->results;
    int rc = take_wants_locked(inbox, &batch);
    unsigned listener = inbox->listener;
    pthread_mutex_unlock(&inbox->lock);

    if (rc != RC_OK) {
        error_set(&err, rc, "out of memory");
    } else {
        pthread_mutex_lock(&inbox->engine_lock);
        if (batch.puts == NULL && batch.results == NULL &&
            batch.want_count == 0) {
            rc = inbox->engine->ops->probe(inbox->engine, &err);
        } else {
            rc = inbox->engine->ops->commit(inbox->engine, &batch, &err);
        }
        pthread_mutex_unlock(&inbox->engine_lock);
    }
    if (rc == RC_OK) {
        batch_committed(inbox, &batch, listener);
    } else {
        batch_failed(inbox, &batch, rc, &err);
    }
    free(batch.wants);
}

void *
writer_main(void *arg)
{
    struct inbox *inbox = arg;
    for (;;) {
        pthread_mutex_lock(&inbox->lock);
        int more = wait_for_work_locked(inbox);
        pthread_mutex_unlock(&inbox->lock);
        if (!more) {
            return NULL;
        }
        atomic_store(&inbox->turned_mono_ms, clock_mono_ms());
        atomic_store(&inbox->busy, 1);
        write_batch(inbox);
        atomic_store(&inbox->busy, 0);
    }
}
