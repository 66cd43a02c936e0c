/* core/inbox/writer.c: the thread that writes the inbox.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/writer.h"

#include "clock.h"
#include "error.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* While the store fails, how often it is asked whether it works again. */
#define PROBE_MS 500

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

void
writer_look_again_locked(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->demand_count; i++) {
        inbox->demands[i].due_ms = 0;
    }
}

void
writer_free_results(struct inbox_result *results)
{
    while (results != NULL) {
        struct inbox_result *next = results->link;
        inbox_result_free(results);
        results = next;
    }
}

/* ---- Waiting for work ----------------------------------------------- */

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

/* Milliseconds until a wish can be met; INT64_MAX for never. */
static int64_t
next_due_locked(const struct inbox *inbox)
{
    int64_t left_ms = INT64_MAX;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < inbox->demand_count; i++) {
        const struct demand *demand = &inbox->demands[i];
        if (demand->wanted > 0 && demand->due_ms != INT64_MAX &&
            demand->due_ms - now_ms < left_ms) {
            left_ms = demand->due_ms - now_ms;
        }
    }
    return left_ms;
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
    if (inbox->results != NULL || inbox->actions != NULL ||
        inbox->lookups != NULL || inbox->rolls != NULL ||
        batch_jump_ms(inbox, clock_wall_ms()) != 0) {
        return 0;
    }
    int64_t left_ms = next_due_locked(inbox);
    int64_t at_ms = left_ms == INT64_MAX ? INT64_MAX
                    : left_ms <= 0       ? 0
                                         : clock_mono_ms() + left_ms;
    if (inbox->retention_ms > 0 && inbox->prune_mono_ms < at_ms) {
        at_ms = inbox->prune_mono_ms;
    }
    return at_ms;
}

/* Wait for work. Returns 0 when the inbox is closing and nothing is left. */
static int
wait_for_work_locked(struct inbox *inbox)
{
    for (;;) {
        if (inbox->closing && inbox->puts == NULL && inbox->actions == NULL &&
            inbox->rolls == NULL) {
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

/* ---- One batch ------------------------------------------------------ */

static void
batch_committed(struct inbox *inbox, struct inbox_batch *batch,
                unsigned listener)
{
    pthread_mutex_lock(&inbox->lock);
    int recovered = inbox->failed;
    inbox->failed = 0;
    batch_settle_locked(inbox, batch, listener);
    pthread_mutex_unlock(&inbox->lock);

    if (recovered) {
        log_write(LOG_INFO, "inbox", "store works again", NULL);
    }
    if (batch->jump_ms != 0) {
        log_write(LOG_WARN, "inbox", "the clock was set",
                  "by_ms=%lld action=move_what_waits",
                  (long long)batch->jump_ms);
    }
    batch_answer(batch, RC_OK, NULL);
    writer_free_results(batch->results);
}

static void
batch_failed(struct inbox *inbox, struct inbox_batch *batch, unsigned listener,
             int rc, const struct error *err)
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
    batch_return_locked(inbox, batch, listener, rc);
    pthread_mutex_unlock(&inbox->lock);

    batch_answer(batch, rc, err);
}

/* A store that failed must have written something before it is said to work: a
 * full disk still answers questions. */
static int
commit(struct inbox *inbox, struct inbox_batch *batch, int has_failed,
       struct error *err)
{
    const struct inbox_engine_ops *ops = inbox->engine->ops;
    int rc = RC_OK;
    if (batch_is_empty(batch) || (has_failed && !batch_writes(batch))) {
        rc = ops->probe(inbox->engine, err);
    }
    if (rc == RC_OK && !batch_is_empty(batch)) {
        rc = ops->commit(inbox->engine, batch, err);
    }
    return rc;
}

/* Commit one batch: what waits now, at most. */
static void
write_batch(struct inbox *inbox)
{
    struct inbox_batch batch = {.now_ms = clock_wall_ms()};
    struct error err = {0};

    pthread_mutex_lock(&inbox->lock);
    int rc = batch_take_locked(inbox, &batch);
    unsigned listener = inbox->listener_number;
    int has_failed = inbox->failed;
    pthread_mutex_unlock(&inbox->lock);

    if (rc != RC_OK) {
        error_set(&err, rc, "out of memory");
    } else {
        rc = commit(inbox, &batch, has_failed, &err);
    }
    if (rc == RC_OK) {
        batch_committed(inbox, &batch, listener);
    } else {
        batch_failed(inbox, &batch, listener, rc, &err);
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
