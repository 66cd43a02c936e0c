/* tests/unit/inbox_model_act.c: what the model does for operators, for the
 * clock and for retention.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model_rows.h"

#include <string.h>

void
model_jump(struct inbox_model *m, int64_t jump_ms)
{
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->state == INBOX_WAITING) {
            d->due_ms += jump_ms;
        }
        if (d->state != INBOX_DEAD && d->first_ms != 0) {
            d->first_ms += jump_ms;
        }
    }
    for (size_t i = 0; i < m->rows.plugin_count; i++) {
        struct inbox_plugin *state = &m->rows.plugins[i].state;
        if (state->held_since_ms != 0) {
            state->held_since_ms += jump_ms;
        }
    }
}

/* ---- Replay and discard --------------------------------------------- */

/* Deliver again what has no row any more, or never had. */
static void
replay_ended(struct inbox_model *m, const struct inbox_item *item,
             const struct inbox_action *action)
{
    uint32_t attempt = model_last_attempt(m, item->seq, item->plugin);
    struct model_delivery d = {.seq = item->seq,
                               .plugin = item->plugin,
                               .state = model_place(m, item->seq, item->plugin),
                               .class = INBOX_REPLAYED,
                               .attempt = attempt,
                               .spared = attempt,
                               .lease = action->now_ms,
                               .job =
                                   action->job == NULL ? 0 : action->job->id};
    MODEL_APPEND(m->rows.deliveries, m->rows.delivery_count, d);
}

static int
replay(struct inbox_model *m, const struct inbox_item *item,
       const struct inbox_action *action)
{
    struct model_delivery *d = inbox_model_delivery(m, item->seq, item->plugin);
    if (d == NULL) {
        if (model_event(m, item->seq) == NULL) {
            return 0;
        }
        replay_ended(m, item, action);
        return 1;
    }
    if (d->state != INBOX_DEAD && d->state != INBOX_WAITING) {
        return 0; /* it is about to run, or running */
    }
    if (d->state == INBOX_DEAD) {
        d->spared = d->attempt;
        d->crashes = 0;
        d->first_ms = 0;
        d->state = model_place(m, d->seq, d->plugin);
    } else { /* due now */
        d->state = model_place_due(m, d->seq, d->plugin);
    }
    d->due_ms = 0;
    d->class = INBOX_REPLAYED;
    d->job = action->job == NULL ? 0 : action->job->id;
    return 1;
}

static int
discard(struct inbox_model *m, const struct inbox_item *item,
        const struct inbox_action *action)
{
    const struct model_delivery *d =
        inbox_model_delivery(m, item->seq, item->plugin);
    if (d == NULL || d->state != INBOX_DEAD) {
        return 0;
    }
    model_log(m, (struct model_attempt){.seq = d->seq,
                                        .plugin = d->plugin,
                                        .n = d->attempt + 1,
                                        .started_ms = action->now_ms,
                                        .outcome = INBOX_DISCARD,
                                        .note = action->note});
    model_delivery_remove(m, item->seq, item->plugin);
    return 1;
}

/* ---- Actions -------------------------------------------------------- */

/* Its done and dead are counted by results, not written from here. */
static void
keep_job(struct inbox_model *m, struct inbox_job *job)
{
    if (job->id == 0) {
        job->id = (int64_t)m->rows.job_count + 1;
        MODEL_APPEND(m->rows.jobs, m->rows.job_count, *job);
        m->rows.jobs[job->id - 1].done = m->rows.jobs[job->id - 1].dead = 0;
        return;
    }
    struct inbox_job *row = model_job(m, job->id);
    int64_t done = row->done, dead = row->dead;
    *row = *job;
    row->done = done;
    row->dead = dead;
}

void
model_act(struct inbox_model *m, struct inbox_action *action)
{
    struct model_plugin *p = model_plugin(m, action->plugin);
    action->changed = 0;
    if (action->job != NULL) {
        keep_job(m, action->job);
    }
    switch (action->kind) {
    case INBOX_PAUSE:
        p->state.paused_ms = action->state.paused_ms;
        p->state.paused_until_ms = action->state.paused_until_ms;
        memcpy(p->state.reason, action->state.reason, sizeof(p->state.reason));
        break;
    case INBOX_KEEP_HELD:
        p->state.held_ms = action->state.held_ms;
        p->state.held_since_ms = action->state.held_since_ms;
        break;
    case INBOX_REPLAY_ALL:
        for (size_t i = 0; i < action->item_count; i++) {
            action->changed += (size_t)replay(m, &action->items[i], action);
        }
        break;
    case INBOX_DISCARD_ALL:
        for (size_t i = 0; i < action->item_count; i++) {
            action->changed += (size_t)discard(m, &action->items[i], action);
        }
        break;
    case INBOX_KEEP_JOB:
        break;
    }
}

/* ---- Retention ------------------------------------------------------ */

static int
is_owed(const struct inbox_model *m, int64_t seq)
{
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        if (m->rows.deliveries[i].seq == seq) {
            return 1;
        }
    }
    return 0;
}

#define REMOVE_ALL_OF(seq_, rows, count)                                       \
    for (size_t i_ = (count); i_-- > 0;) {                                     \
        if ((rows)[i_]->seq == (seq_)) {                                       \
            MODEL_REMOVE((rows), (count), i_);                                 \
        }                                                                      \
    }

static void
remove_event(struct inbox_model *m, int64_t seq)
{
    REMOVE_ALL_OF(seq, m->rows.receipts, m->rows.receipt_count)
    REMOVE_ALL_OF(seq, m->rows.attempts, m->rows.attempt_count)
    REMOVE_ALL_OF(seq, m->rows.events, m->rows.event_count)
}

/* The next event behind `seq`. They stand in the order of their numbers. */
static const struct model_event *
next_event(const struct inbox_model *m, int64_t seq)
{
    for (size_t i = 0; i < m->rows.event_count; i++) {
        if (m->rows.events[i]->seq > seq) {
            return m->rows.events[i];
        }
    }
    return NULL;
}

/* A pass ends with the first event that is too young. */
void
model_prune(struct inbox_model *m, struct inbox_prune *prune, int64_t now_ms)
{
    prune->pruned = 0;
    if (prune->before_ms == 0) {
        return;
    }
    for (unsigned looked = 0; looked < prune->limit; looked++) {
        const struct model_event *event = next_event(m, prune->after_seq);
        int is_young = event != NULL && event->received_ms >= prune->before_ms;
        if (event == NULL || (is_young && event->received_ms <= now_ms)) {
            prune->after_seq = 0;
            return;
        }
        prune->after_seq = event->seq;
        int is_last = next_event(m, event->seq) == NULL;
        if (!is_young && !is_owed(m, event->seq) && !is_last) {
            remove_event(m, event->seq);
            prune->pruned++;
        }
    }
}
