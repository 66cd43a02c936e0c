/* core/inbox/batch.c: what goes into one transaction, and what becomes of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/writer.h"

#include "clock.h"
#include "error.h"

#include <stdlib.h>

/* Events in one transaction. More gains nothing and makes the first wait. */
#define BATCH_PUTS_MAX 128

/* Old events looked at in one transaction, and the pauses between such: at most
 * a twentieth of the time goes into it. */
#define PRUNE_STEP     64
#define PRUNE_STEP_MS  50
#define PRUNE_PASS_MS  60000 /* ... when there is nothing old any more */
#define PRUNE_LEAST_MS 100

/* ---- Taking --------------------------------------------------------- */

/* From one offset of the wall clock to the other; 0 for what may be a
 * correction. */
static int64_t
step(int64_t from_ms, int64_t to_ms)
{
    int64_t step_ms = to_ms - from_ms;
    return step_ms >= -CLOCK_JUMP_MS && step_ms <= CLOCK_JUMP_MS ? 0 : step_ms;
}

int64_t
batch_jump_ms(const struct inbox *inbox, int64_t wall_ms)
{
    return step(inbox->clock_offset_ms, wall_ms - clock_boot_ms());
}

/* Results can wait long, while the store fails; if the clock was set since,
 * when they are due moves along. */
static void
move_results(struct inbox_batch *batch)
{
    int64_t clock_ms = batch->now_ms - clock_boot_ms();
    for (struct inbox_result *r = batch->results; r != NULL; r = r->link) {
        int64_t step_ms = step(r->clock_ms, clock_ms);
        r->due_ms += step_ms;
        r->clock_ms += step_ms;
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

static void
look_again_locked(struct inbox *inbox, uint32_t plugin)
{
    struct demand *demand = writer_demand_locked(inbox, plugin);
    if (demand != NULL) {
        demand->due_ms = 0;
    }
}

/* A plugin is asked for when something may be due: its time has come, or this
 * very batch brings it something; the end of one attempt can let the next of
 * its lane go. Not while the store fails: claims of unknown commits would pile
 * up to be undone. */
static int
take_wants_locked(struct inbox *inbox, struct inbox_batch *batch)
{
    batch->wants = calloc(inbox->demand_count + 1, sizeof(*batch->wants));
    if (batch->wants == NULL) {
        return RC_NOMEM;
    }
    for (const struct inbox_put *put = batch->puts; put; put = put->next) {
        for (size_t i = 0; i < put->plugin_count; i++) {
            look_again_locked(inbox, put->plugins[i]);
        }
    }
    for (const struct inbox_result *r = batch->results; r; r = r->link) {
        look_again_locked(inbox, r->plugin);
    }
    if (batch->actions != NULL || batch->jump_ms != 0) {
        writer_look_again_locked(inbox);
    }
    for (size_t d = 0; d < inbox->demand_count; d++) {
        const struct demand *demand = &inbox->demands[d];
        if (!inbox->failed && demand->wanted > 0 &&
            demand->due_ms <= batch->now_ms) {
            struct inbox_want *want = &batch->wants[batch->want_count++];
            want->plugin = demand->plugin;
            want->count = demand->wanted;
            want->turn = demand->turn;
        }
    }
    return RC_OK;
}

static void
take_prune(struct inbox *inbox, struct inbox_batch *batch)
{
    if (inbox->retention_ms > 0 && inbox->prune_mono_ms <= clock_mono_ms()) {
        batch->prune.before_ms = batch->now_ms - inbox->retention_ms;
        batch->prune.after_seq = inbox->prune_after_seq;
        batch->prune.limit = PRUNE_STEP;
    }
}

/* Alone in its transaction, so that whatever is wrong with a generation costs
 * no event its place. All else goes with the next. */
static void
take_roll_locked(struct inbox *inbox, struct inbox_batch *batch)
{
    batch->roll = inbox->rolls;
    inbox->rolls = batch->roll->next;
    if (inbox->rolls == NULL) {
        inbox->rolls_end = &inbox->rolls;
    }
}

int
batch_take_locked(struct inbox *inbox, struct inbox_batch *batch)
{
    if (inbox->rolls != NULL) {
        take_roll_locked(inbox, batch);
        return RC_OK;
    }
    take_puts_locked(inbox, batch);
    batch->results = inbox->results;
    batch->actions = inbox->actions;
    batch->lookups = inbox->lookups;
    inbox->results = NULL;
    inbox->results_end = &inbox->results;
    inbox->actions = NULL;
    inbox->actions_end = &inbox->actions;
    inbox->lookups = NULL;
    inbox->lookups_end = &inbox->lookups;
    /* By the very time by which the batch is made: or all would be due. */
    batch->jump_ms = batch_jump_ms(inbox, batch->now_ms);
    move_results(batch);
    take_prune(inbox, batch);
    return take_wants_locked(inbox, batch);
}

int
batch_is_empty(const struct inbox_batch *batch)
{
    return batch->roll == NULL && batch->puts == NULL &&
           batch->results == NULL && batch->actions == NULL &&
           batch->lookups == NULL && batch->jump_ms == 0 &&
           batch->prune.before_ms == 0 && batch->want_count == 0;
}

int
batch_writes(const struct inbox_batch *batch)
{
    return batch->puts != NULL || batch->results != NULL ||
           batch->actions != NULL || batch->jump_ms != 0 ||
           (batch->roll != NULL && batch->roll->enrolment != NULL);
}

/* ---- Giving claims and answers -------------------------------------- */

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
    if (listener != inbox->listener_number) {
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
        inbox->listener.claims(inbox->listener.arg, claims);
    }
}

static void
answer_lookups_locked(struct inbox *inbox, struct inbox_batch *batch,
                      unsigned listener)
{
    if (batch->lookups == NULL) {
        return;
    }
    if (listener != inbox->listener_number || inbox->listener.lookups == NULL) {
        inbox_lookups_free(batch->lookups);
    } else {
        inbox->listener.lookups(inbox->listener.arg, batch->lookups);
    }
    batch->lookups = NULL;
}

/* ---- Committed ------------------------------------------------------ */

static void
count_locked(struct inbox *inbox, const struct inbox_batch *batch)
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
    stats->closed += batch->closed;
    stats->buried += batch->buried;
    stats->pruned += batch->prune.pruned;
}

static void
settle_prune(struct inbox *inbox, const struct inbox_batch *batch)
{
    if (batch->prune.before_ms == 0) {
        return;
    }
    int64_t pause_ms = PRUNE_STEP_MS;
    inbox->prune_after_seq = batch->prune.after_seq;
    if (inbox->prune_after_seq == 0) {
        pause_ms = inbox->retention_ms / 4;
        pause_ms = pause_ms < PRUNE_PASS_MS ? pause_ms : PRUNE_PASS_MS;
        pause_ms = pause_ms > PRUNE_LEAST_MS ? pause_ms : PRUNE_LEAST_MS;
    }
    inbox->prune_mono_ms = clock_mono_ms() + pause_ms;
}

void
batch_settle_locked(struct inbox *inbox, struct inbox_batch *batch,
                    unsigned listener)
{
    inbox->clock_offset_ms += batch->jump_ms;
    count_locked(inbox, batch);
    settle_prune(inbox, batch);
    if (batch->roll != NULL && batch->roll->enrolment != NULL) {
        writer_look_again_locked(inbox); /* another order: others are ready */
    }
    for (size_t i = 0; i < batch->want_count; i++) {
        const struct inbox_want *want = &batch->wants[i];
        struct demand *demand = writer_demand_locked(inbox, want->plugin);
        demand->due_ms = want->next_ms;
        demand->turn = want->turn;
    }
    answer_lookups_locked(inbox, batch, listener);
    hand_over_locked(inbox, batch, listener);
}

/* ---- Not committed -------------------------------------------------- */

void
batch_return_locked(struct inbox *inbox, struct inbox_batch *batch,
                    unsigned listener, int rc)
{
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
    for (struct inbox_lookup *l = batch->lookups; l != NULL; l = l->next) {
        l->rc = rc;
    }
    answer_lookups_locked(inbox, batch, listener);
    return_claims_locked(inbox, join_claims(batch)); /* of an unknown commit */
}

/* ---- Both ----------------------------------------------------------- */

static void
answer_roll(struct inbox_roll *roll, int rc, const struct error *err)
{
    if (rc != RC_OK && roll->err != NULL) {
        *roll->err = *err;
        roll->err->rc = rc;
    }
    atomic_store(&roll->rc, rc);
    sem_post(&roll->finished);
}

void
batch_answer(struct inbox_batch *batch, int rc, const struct error *err)
{
    if (batch->roll != NULL) {
        answer_roll(batch->roll, rc, err);
    }
    while (batch->puts != NULL) {
        struct inbox_put *put = batch->puts;
        batch->puts = put->next; /* it is gone once its owner wakes */
        atomic_store(&put->rc, rc);
        sem_post(&put->finished);
    }
    while (batch->actions != NULL) {
        struct inbox_action *action = batch->actions;
        batch->actions = action->next;
        if (action->is_async) {
            free(action);
        } else {
            atomic_store(&action->rc, rc);
            sem_post(&action->finished);
        }
    }
}
