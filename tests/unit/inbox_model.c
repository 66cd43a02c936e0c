/* tests/unit/inbox_model.c: the inbox's engine as an oracle: its batches, and
 * what tests do to it. A failed batch puts all rows back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model.h"

#include "error.h"
#include "inbox_model_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A batch -------------------------------------------------------- */

static int
fails_now(struct inbox_model *m)
{
    if (m->fail_times == 0) {
        return 0;
    }
    m->fail_times -= m->fail_times != UINT_MAX;
    return 1;
}

static void
apply(struct inbox_model *m, struct inbox_batch *batch)
{
    unsigned puts = 0, results = 0;
    batch->closed = batch->buried = 0;
    if (batch->jump_ms != 0) {
        model_jump(m, batch->jump_ms);
    }
    if (batch->roll != NULL) {
        model_roll(m, batch->roll, batch->now_ms);
    }
    for (struct inbox_put *put = batch->puts; put; put = put->next) {
        model_put(m, put);
        puts++;
    }
    for (struct inbox_result *r = batch->results; r; r = r->link) {
        model_result(m, r, batch);
        results++;
    }
    for (struct inbox_action *a = batch->actions; a; a = a->next) {
        model_act(m, a);
    }
    for (struct inbox_lookup *l = batch->lookups; l; l = l->next) {
        model_look_up(m, l);
    }
    model_prune(m, &batch->prune, batch->now_ms);
    for (size_t i = 0; i < batch->want_count; i++) {
        model_want(m, &batch->wants[i], batch->now_ms);
    }
    if (puts > m->calls.most_puts) {
        m->calls.most_puts = puts;
    }
    if (results > m->calls.most_results) {
        m->calls.most_results = results;
    }
}

/* What a failed batch may not leave in the hands of its caller. */
static void
reset_outputs(struct inbox_batch *batch, const struct inbox_model *m)
{
    for (size_t i = 0; m->fail_rc != RC_UNKNOWN && i < batch->want_count; i++) {
        inbox_claims_free(batch->wants[i].claims);
        batch->wants[i].claims = NULL;
        batch->wants[i].claimed = 0;
    }
    for (struct inbox_lookup *l = batch->lookups; l; l = l->next) {
        free(l->value);
        l->value = NULL;
        l->value_len = 0;
        l->version = 0;
        l->rc = m->fail_rc;
    }
}

static int
model_commit(struct inbox_engine *engine, struct inbox_batch *batch,
             struct error *err)
{
    struct inbox_model *m = (struct inbox_model *)(void *)engine;
    int rc = RC_OK;
    pthread_mutex_lock(&m->lock);
    m->calls.commits += batch->roll == NULL;
    m->calls.rolls += batch->roll != NULL;
    while (m->hold) {
        m->held = 1;
        pthread_cond_broadcast(&m->changed);
        pthread_cond_wait(&m->changed, &m->lock);
    }
    m->held = 0;

    struct model_rows old = model_rows_copy(&m->rows);
    int64_t after_seq = batch->prune.after_seq;
    apply(m, batch);
    if (fails_now(m)) {
        if (!m->fail_happened) {
            struct model_rows new = m->rows;
            m->rows = old;
            old = new;
        }
        batch->prune.after_seq = after_seq;
        reset_outputs(batch, m);
        rc = error_set(err, m->fail_rc, "model: asked to fail");
    }
    model_rows_free(&old);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* ---- The other calls ------------------------------------------------ */

static int
model_probe(struct inbox_engine *engine, struct error *err)
{
    struct inbox_model *m = (struct inbox_model *)(void *)engine;
    pthread_mutex_lock(&m->lock);
    m->calls.probes++;
    int rc = fails_now(m) ? error_set(err, m->fail_rc, "model: asked to fail")
                          : RC_OK;
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int
model_has_room(struct inbox_engine *engine, int64_t min_free)
{
    struct inbox_model *m = (struct inbox_model *)(void *)engine;
    pthread_mutex_lock(&m->lock);
    int room = min_free == 0 || !m->full;
    pthread_mutex_unlock(&m->lock);
    return room;
}

/* The rows stay, for the test to look at. */
static void
model_close(struct inbox_engine *engine)
{
    ((struct inbox_model *)(void *)engine)->calls.closed = 1;
}

static const struct inbox_engine_ops model_ops = {
    .commit = model_commit,
    .probe = model_probe,
    .has_room = model_has_room,
    .close = model_close,
};

/* ---- For tests ------------------------------------------------------ */

struct inbox_model *
inbox_model_open(void)
{
    struct inbox_model *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        abort();
    }
    m->base.ops = &model_ops;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    return m;
}

void
inbox_model_free(struct inbox_model *m)
{
    model_rows_free(&m->rows);
    model_keep_nothing(m);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void
inbox_model_restart(struct inbox_model *m)
{
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->state == INBOX_LEASED) {
            d->state = model_place_lost(m, d->seq, d->plugin);
            d->spared++;
            model_log(m, (struct model_attempt){
                             .seq = d->seq,
                             .plugin = d->plugin,
                             .n = d->attempt,
                             .outcome = INBOX_LOST,
                             .note = "the daemon ended before a verdict"});
        }
    }
}

void
inbox_model_fail(struct inbox_model *m, int rc, int happened, unsigned times)
{
    pthread_mutex_lock(&m->lock);
    m->fail_rc = rc;
    m->fail_happened = happened;
    m->fail_times = times;
    pthread_mutex_unlock(&m->lock);
}

void
inbox_model_set_full(struct inbox_model *m, int full)
{
    pthread_mutex_lock(&m->lock);
    m->full = full;
    pthread_mutex_unlock(&m->lock);
}

void
inbox_model_hold(struct inbox_model *m)
{
    pthread_mutex_lock(&m->lock);
    m->hold = 1;
    pthread_mutex_unlock(&m->lock);
}

void
inbox_model_await_held(struct inbox_model *m)
{
    pthread_mutex_lock(&m->lock);
    while (!m->held) {
        pthread_cond_wait(&m->changed, &m->lock);
    }
    pthread_mutex_unlock(&m->lock);
}

void
inbox_model_release(struct inbox_model *m)
{
    pthread_mutex_lock(&m->lock);
    m->hold = 0;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

struct model_calls
inbox_model_calls(struct inbox_model *m)
{
    pthread_mutex_lock(&m->lock);
    struct model_calls calls = m->calls;
    pthread_mutex_unlock(&m->lock);
    return calls;
}

static size_t
read_count(struct inbox_model *m, const size_t *count)
{
    pthread_mutex_lock(&m->lock);
    size_t now = *count;
    pthread_mutex_unlock(&m->lock);
    return now;
}

size_t
inbox_model_events(struct inbox_model *m)
{
    return read_count(m, &m->rows.event_count);
}

size_t
inbox_model_attempts(struct inbox_model *m)
{
    return read_count(m, &m->rows.attempt_count);
}

size_t
inbox_model_deliveries(struct inbox_model *m, int state)
{
    size_t count = 0;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        count += state < 0 || (int)m->rows.deliveries[i].state == state;
    }
    pthread_mutex_unlock(&m->lock);
    return count;
}
