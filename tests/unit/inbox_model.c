/* tests/unit/inbox_model.c: the inbox's engine as an oracle. Every lookup is a
 * loop over all rows; a failed batch puts all rows back. One file, though a
 * long one: an oracle is read from end to end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one row more. */
static void *
grown(void *rows, size_t count, size_t size)
{
    void *more = realloc(rows, (count + 1) * size);
    if (more == NULL) {
        abort();
    }
    return more;
}

#define APPEND(rows, count, ...)                                               \
    do {                                                                       \
        (rows) = grown((rows), (count), sizeof(*(rows)));                      \
        (rows)[(count)++] = (__VA_ARGS__);                                     \
    } while (0)

static char *
copy(const char *bytes, size_t len)
{
    char *to = grown(NULL, len, 1);
    memcpy(to, bytes, len);
    to[len] = '\0';
    return to;
}

static void
set_text(char to[MODEL_TEXT_MAX], const char *from)
{
    snprintf(to, MODEL_TEXT_MAX, "%s", from);
}

/* ---- Puts ----------------------------------------------------------- */

struct model_delivery *
inbox_model_delivery(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    for (size_t i = 0; i < m->delivery_count; i++) {
        if (m->deliveries[i].seq == seq && m->deliveries[i].plugin == plugin) {
            return &m->deliveries[i];
        }
    }
    return NULL;
}

static void
put_deliveries(struct inbox_model *m, struct inbox_put *put)
{
    for (size_t i = 0; i < put->plugin_count; i++) {
        if (inbox_model_delivery(m, put->seq, put->plugins[i]) == NULL) {
            APPEND(m->deliveries, m->delivery_count,
                   (struct model_delivery){.seq = put->seq,
                                           .plugin = put->plugins[i],
                                           .due_ms = put->received_ms,
                                           .first_ms = -1});
            put->pending++;
        }
    }
}

static int
seen_at_endpoint(const struct inbox_model *m, const struct inbox_put *put)
{
    int seen = strcmp(m->events[put->seq - 1].endpoint, put->endpoint) == 0;
    for (size_t i = 0; i < m->receipt_count; i++) {
        seen |= m->receipts[i].seq == put->seq &&
                strcmp(m->receipts[i].endpoint, put->endpoint) == 0;
    }
    return seen;
}

static void
put_repeat(struct inbox_model *m, struct inbox_put *put)
{
    const struct model_event *known = &m->events[put->seq - 1];
    struct model_receipt receipt = {.seq = put->seq,
                                    .received_ms = put->received_ms,
                                    .signed_s = put->signed_s};
    put->duplicate = 1;
    put->conflict = known->body_len != put->body_len ||
                    memcmp(known->body, put->body, put->body_len) != 0;
    if (!seen_at_endpoint(m, put)) {
        put_deliveries(m, put);
    }
    set_text(receipt.endpoint, put->endpoint);
    set_text(receipt.secret, put->secret);
    if (put->conflict) {
        receipt.conflict = copy(put->body, put->body_len);
        receipt.conflict_len = put->body_len;
    }
    APPEND(m->receipts, m->receipt_count, receipt);
}

static void
put_new(struct inbox_model *m, struct inbox_put *put)
{
    struct model_event row = {.event = *put->event,
                              .body = copy(put->body, put->body_len),
                              .body_len = put->body_len,
                              .signed_s = put->signed_s,
                              .received_ms = put->received_ms,
                              .routed = put->plugin_count > 0};
    set_text(row.endpoint, put->endpoint);
    set_text(row.secret, put->secret);
    set_text(row.signature, put->signature);
    APPEND(m->events, m->event_count, row);
    put->seq = (int64_t)m->event_count;
    put_deliveries(m, put);
}

static void
apply_put(struct inbox_model *m, struct inbox_put *put)
{
    put->duplicate = put->conflict = 0;
    put->pending = 0;
    for (size_t i = 0; i < m->event_count; i++) {
        if (strcmp(m->events[i].event.id, put->event->id) == 0) {
            put->seq = (int64_t)i + 1;
            put_repeat(m, put);
            return;
        }
    }
    put_new(m, put);
}

/* ---- Results and claims --------------------------------------------- */

static void
log_attempt(struct inbox_model *m, const struct model_delivery *d,
            int64_t started_ms, int64_t duration_us, int outcome,
            const char *note)
{
    struct model_attempt row = {.seq = d->seq,
                                .plugin = d->plugin,
                                .n = d->attempt,
                                .started_ms = started_ms,
                                .duration_us = duration_us,
                                .outcome = outcome};
    set_text(row.note, note);
    APPEND(m->attempts, m->attempt_count, row);
}

static void
apply_result(struct inbox_model *m, const struct inbox_result *r)
{
    struct model_delivery *d = inbox_model_delivery(m, r->seq, r->plugin);
    if (d == NULL || d->state != MODEL_LEASED || d->lease != r->lease) {
        return;
    }
    switch (r->next) {
    case INBOX_CLOSE:
        d->state = MODEL_GONE;
        break;
    case INBOX_AGAIN:
        d->state = MODEL_READY;
        d->due_ms = r->due_ms;
        break;
    case INBOX_BURY:
        d->state = MODEL_DEAD;
        d->due_ms = r->due_ms;
        break;
    case INBOX_UNDO:
        d->state = MODEL_READY;
        d->attempt--;
        if (d->attempt == 0) {
            d->first_ms = -1;
        }
        return; /* no attempt */
    }
    log_attempt(m, d, r->started_ms, r->duration_us, (int)r->outcome, r->note);
}

/* One allocation, as a claim must be: the row's own copy stands behind it. */
static struct inbox_claim *
make_claim(const struct model_event *row, const struct model_delivery *d)
{
    size_t head = sizeof(struct inbox_claim) + sizeof(*row);
    struct inbox_claim *claim = malloc(head + row->body_len + 1);
    if (claim == NULL) {
        abort();
    }
    struct model_event *own = (struct model_event *)(void *)(claim + 1);
    char *body = (char *)(own + 1);
    *own = *row;
    memcpy(body, row->body, row->body_len + 1);
    *claim = (struct inbox_claim){.seq = d->seq,
                                  .plugin = d->plugin,
                                  .attempt = d->attempt,
                                  .lease = d->lease,
                                  .first_ms = d->first_ms,
                                  .created_s = own->event.created_s,
                                  .received_ms = own->received_ms,
                                  .livemode = own->event.livemode,
                                  .thin = own->event.family == EVENT_THIN,
                                  .event_id = own->event.id,
                                  .type = own->event.type,
                                  .account = own->event.account,
                                  .api_version = own->event.api_version,
                                  .object_id = own->event.object_id,
                                  .signature = own->signature,
                                  .body = body,
                                  .body_len = row->body_len};
    return claim;
}

/* The ready delivery of a plugin that is due first; of equals the older. */
static struct model_delivery *
first_ready(struct inbox_model *m, uint32_t plugin)
{
    struct model_delivery *best = NULL;
    for (size_t i = 0; i < m->delivery_count; i++) {
        struct model_delivery *d = &m->deliveries[i];
        if (d->plugin == plugin && d->state == MODEL_READY &&
            (best == NULL || d->due_ms < best->due_ms ||
             (d->due_ms == best->due_ms && d->seq < best->seq))) {
            best = d;
        }
    }
    return best;
}

static void
apply_want(struct inbox_model *m, struct inbox_want *want, int64_t now_ms)
{
    struct inbox_claim **end = &want->claims;
    struct model_delivery *d = first_ready(m, want->plugin);
    while (d != NULL && d->due_ms <= now_ms && want->claimed < want->count) {
        d->state = MODEL_LEASED;
        d->attempt++;
        d->lease++;
        if (d->first_ms < 0) {
            d->first_ms = now_ms;
        }
        *end = make_claim(&m->events[d->seq - 1], d);
        end = &(*end)->next;
        want->claimed++;
        d = first_ready(m, want->plugin);
    }
    want->next_ms = d == NULL ? INT64_MAX : d->due_ms;
}

/* ---- A batch -------------------------------------------------------- */

/* Nothing of the batch happened: rows behind the old counts go, deliveries are
 * as they were. */
static void
put_back(struct inbox_model *m, const struct inbox_model *old)
{
    while (m->event_count > old->event_count) {
        free(m->events[--m->event_count].body);
    }
    while (m->receipt_count > old->receipt_count) {
        free(m->receipts[--m->receipt_count].conflict);
    }
    m->attempt_count = old->attempt_count;
    m->delivery_count = old->delivery_count;
    if (old->delivery_count > 0) {
        memcpy(m->deliveries, old->deliveries,
               old->delivery_count * sizeof(*old->deliveries));
    }
}

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
    for (struct inbox_put *put = batch->puts; put != NULL; put = put->next) {
        apply_put(m, put);
        puts++;
    }
    for (struct inbox_result *r = batch->results; r != NULL; r = r->link) {
        apply_result(m, r);
        results++;
    }
    for (size_t i = 0; i < batch->want_count; i++) {
        apply_want(m, &batch->wants[i], batch->now_ms);
    }
    if (puts > m->calls.most_puts) {
        m->calls.most_puts = puts;
    }
    if (results > m->calls.most_results) {
        m->calls.most_results = results;
    }
}

static int
fail_batch(struct inbox_model *m, const struct inbox_model *old,
           struct inbox_batch *batch, struct error *err)
{
    if (!m->fail_happened) {
        put_back(m, old);
    }
    for (size_t i = 0; m->fail_rc != RC_UNKNOWN && i < batch->want_count; i++) {
        inbox_claims_free(batch->wants[i].claims);
        batch->wants[i].claims = NULL;
        batch->wants[i].claimed = 0;
    }
    return error_set(err, m->fail_rc, "model: asked to fail");
}

static int
model_commit(struct inbox_engine *engine, struct inbox_batch *batch,
             struct error *err)
{
    struct inbox_model *m = (struct inbox_model *)(void *)engine;
    pthread_mutex_lock(&m->lock);
    m->calls.commits++;
    while (m->hold) {
        m->held = 1;
        pthread_cond_broadcast(&m->changed);
        pthread_cond_wait(&m->changed, &m->lock);
    }
    m->held = 0;

    struct inbox_model old = *m;
    old.deliveries = grown(NULL, m->delivery_count, sizeof(*m->deliveries));
    if (m->delivery_count > 0) {
        memcpy(old.deliveries, m->deliveries,
               m->delivery_count * sizeof(*m->deliveries));
    }
    apply(m, batch);
    int rc = fails_now(m) ? fail_batch(m, &old, batch, err) : RC_OK;
    free(old.deliveries);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

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
model_plugin_id(struct inbox_engine *engine, const char *name, uint32_t *id,
                struct error *err)
{
    struct inbox_model *m = (struct inbox_model *)(void *)engine;
    size_t i = 0;
    while (i < m->plugin_count && strcmp(m->plugins[i], name) != 0) {
        i++;
    }
    if (i == MODEL_PLUGINS) {
        return error_set(err, RC_FULL, "model: no room for a plugin");
    }
    if (i == m->plugin_count) {
        set_text(m->plugins[m->plugin_count++], name);
    }
    *id = (uint32_t)i + 1;
    return RC_OK;
}

/* The rows stay, for the test to look at. */
static void
model_close(struct inbox_engine *engine)
{
    ((struct inbox_model *)(void *)engine)->calls.closed = 1;
}

static const struct inbox_engine_ops model_ops = {
    .commit = model_commit,
    .plugin_id = model_plugin_id,
    .probe = model_probe,
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
    put_back(m, &(struct inbox_model){0});
    free(m->events);
    free(m->receipts);
    free(m->deliveries);
    free(m->attempts);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void
inbox_model_restart(struct inbox_model *m)
{
    for (size_t i = 0; i < m->delivery_count; i++) {
        struct model_delivery *d = &m->deliveries[i];
        if (d->state == MODEL_LEASED) {
            d->state = MODEL_READY;
            log_attempt(m, d, d->first_ms, 0, INBOX_LOST,
                        "the daemon ended before a verdict");
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
    return read_count(m, &m->event_count);
}

size_t
inbox_model_attempts(struct inbox_model *m)
{
    return read_count(m, &m->attempt_count);
}

size_t
inbox_model_deliveries(struct inbox_model *m, int state)
{
    size_t count = 0;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->delivery_count; i++) {
        count += m->deliveries[i].state == state;
    }
    pthread_mutex_unlock(&m->lock);
    return count;
}
