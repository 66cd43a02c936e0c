/* tests/unit/inbox_model_rows.c: the model's rows, and what a lane allows.
 * Every lookup is a loop over all rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model_rows.h"

#include <string.h>

/* ---- Memory --------------------------------------------------------- */

struct model_piece {
    struct model_piece *next;
    max_align_t bytes[];
};

void *
model_keep(struct inbox_model *m, const void *bytes, size_t len)
{
    struct model_piece *piece = malloc(sizeof(*piece) + len + 1);
    if (piece == NULL) {
        abort();
    }
    piece->next = m->pieces;
    m->pieces = piece;
    char *to = (char *)piece->bytes;
    if (len > 0) {
        memcpy(to, bytes, len);
    }
    to[len] = '\0';
    return to;
}

void
model_keep_nothing(struct inbox_model *m)
{
    while (m->pieces != NULL) {
        struct model_piece *next = m->pieces->next;
        free(m->pieces);
        m->pieces = next;
    }
}

const char *
model_keep_text(struct inbox_model *m, const char *text)
{
    return text == NULL ? "" : model_keep(m, text, strlen(text));
}

void *
model_grown(void *rows, size_t count, size_t size)
{
    void *more = realloc(rows, (count + 1) * size);
    if (more == NULL) {
        abort();
    }
    return more;
}

static void *
copied(const void *rows, size_t count, size_t size)
{
    void *copy = model_grown(NULL, count, size);
    if (count > 0) {
        memcpy(copy, rows, count * size);
    }
    return copy;
}

#define COPY(rows, count) (rows) = copied((rows), (count), sizeof(*(rows)))

struct model_rows
model_rows_copy(const struct model_rows *rows)
{
    struct model_rows copy = *rows;
    COPY(copy.events, copy.event_count);
    COPY(copy.receipts, copy.receipt_count);
    COPY(copy.attempts, copy.attempt_count);
    COPY(copy.deliveries, copy.delivery_count);
    COPY(copy.keys, copy.key_count);
    COPY(copy.jobs, copy.job_count);
    COPY(copy.plugins, copy.plugin_count);
    return copy;
}

void
model_rows_free(struct model_rows *rows)
{
    free(rows->events);
    free(rows->receipts);
    free(rows->attempts);
    free(rows->deliveries);
    free(rows->keys);
    free(rows->jobs);
    free(rows->plugins);
    *rows = (struct model_rows){0};
}

/* ---- Finding -------------------------------------------------------- */

const struct model_event *
model_event(const struct inbox_model *m, int64_t seq)
{
    for (size_t i = 0; i < m->rows.event_count; i++) {
        if (m->rows.events[i]->seq == seq) {
            return m->rows.events[i];
        }
    }
    return NULL;
}

const struct model_event *
model_event_named(const struct inbox_model *m, const char *id)
{
    for (size_t i = 0; i < m->rows.event_count; i++) {
        if (strcmp(m->rows.events[i]->event.id, id) == 0) {
            return m->rows.events[i];
        }
    }
    return NULL;
}

struct model_delivery *
inbox_model_delivery(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->seq == seq && d->plugin == plugin) {
            return d;
        }
    }
    return NULL;
}

struct model_plugin *
model_plugin(const struct inbox_model *m, uint32_t id)
{
    return id >= 1 && id <= m->rows.plugin_count ? &m->rows.plugins[id - 1]
                                                 : NULL;
}

struct inbox_job *
model_job(const struct inbox_model *m, int64_t id)
{
    return id >= 1 && id <= (int64_t)m->rows.job_count ? &m->rows.jobs[id - 1]
                                                       : NULL;
}

uint32_t
model_last_attempt(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    uint32_t last = 0;
    for (size_t i = 0; i < m->rows.attempt_count; i++) {
        const struct model_attempt *a = m->rows.attempts[i];
        if (a->seq == seq && a->plugin == plugin && a->n > last) {
            last = a->n;
        }
    }
    return last;
}

int
model_was_given(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    return inbox_model_delivery(m, seq, plugin) != NULL ||
           model_last_attempt(m, seq, plugin) > 0;
}

void
model_log(struct inbox_model *m, struct model_attempt attempt)
{
    attempt.note = model_keep_text(m, attempt.note);
    attempt.evidence = model_keep_text(m, attempt.evidence);
    attempt.digest = model_keep_text(m, attempt.digest);
    MODEL_APPEND(m->rows.attempts, m->rows.attempt_count,
                 model_keep(m, &attempt, sizeof(attempt)));
}

void
model_delivery_remove(struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    const struct model_delivery *d = inbox_model_delivery(m, seq, plugin);
    MODEL_REMOVE(m->rows.deliveries, m->rows.delivery_count,
                 (size_t)(d - m->rows.deliveries));
}

/* ---- Lanes ---------------------------------------------------------- */

enum inbox_order
model_order(const struct inbox_model *m, uint32_t plugin)
{
    const struct model_plugin *p = model_plugin(m, plugin);
    return p == NULL ? INBOX_ANY : p->order;
}

const char *
model_lane(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    return model_order(m, plugin) == INBOX_ANY
               ? ""
               : model_event(m, seq)->event.object_id;
}

static int
same_lane(const struct inbox_model *m, const struct model_delivery *d,
          const char *lane, uint32_t plugin)
{
    return d->plugin == plugin && lane[0] != '\0' &&
           strcmp(model_lane(m, d->seq, plugin), lane) == 0;
}

/* Whether another one of the lane is in that state. */
static int
another_is(const struct inbox_model *m, int64_t seq, uint32_t plugin,
           enum inbox_state state)
{
    const char *lane = model_lane(m, seq, plugin);
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        const struct model_delivery *d = &m->rows.deliveries[i];
        if (d->seq != seq && d->state == state &&
            same_lane(m, d, lane, plugin)) {
            return 1;
        }
    }
    return 0;
}

enum inbox_state
model_place(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    int behind = another_is(m, seq, plugin, INBOX_READY) ||
                 another_is(m, seq, plugin, INBOX_LEASED) ||
                 another_is(m, seq, plugin, INBOX_HELD) ||
                 (model_order(m, plugin) == INBOX_STRICT &&
                  another_is(m, seq, plugin, INBOX_WAITING));
    return behind ? INBOX_HELD : INBOX_READY;
}

enum inbox_state
model_place_due(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    int behind = another_is(m, seq, plugin, INBOX_READY) ||
                 another_is(m, seq, plugin, INBOX_LEASED);
    return behind ? INBOX_HELD : INBOX_READY;
}

enum inbox_state
model_place_lost(const struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    const char *lane = model_lane(m, seq, plugin);
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        const struct model_delivery *d = &m->rows.deliveries[i];
        if (d->seq < seq && same_lane(m, d, lane, plugin) &&
            (d->state == INBOX_READY || d->state == INBOX_LEASED)) {
            return INBOX_HELD;
        }
    }
    return INBOX_READY;
}

static struct model_delivery *
oldest_held(const struct inbox_model *m, const char *lane, uint32_t plugin)
{
    struct model_delivery *oldest = NULL;
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->state == INBOX_HELD && same_lane(m, d, lane, plugin) &&
            (oldest == NULL || d->seq < oldest->seq)) {
            oldest = d;
        }
    }
    return oldest;
}

void
model_promote(struct inbox_model *m, int64_t seq, uint32_t plugin)
{
    struct model_delivery *next =
        oldest_held(m, model_lane(m, seq, plugin), plugin);
    if (next == NULL || model_place_due(m, next->seq, plugin) != INBOX_READY ||
        (model_order(m, plugin) == INBOX_STRICT &&
         another_is(m, next->seq, plugin, INBOX_WAITING))) {
        return;
    }
    next->state = INBOX_READY;
}

/* Whether a delivery stands in line in its lane, ready or not. */
static int
in_line(const struct inbox_model *m, const struct model_delivery *d)
{
    return d->state == INBOX_READY || d->state == INBOX_HELD ||
           (d->state == INBOX_WAITING &&
            model_order(m, d->plugin) == INBOX_STRICT);
}

static int
is_first(const struct inbox_model *m, const struct model_delivery *d)
{
    const char *lane = model_lane(m, d->seq, d->plugin);
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        const struct model_delivery *other = &m->rows.deliveries[i];
        if (same_lane(m, other, lane, d->plugin) &&
            ((other->state == INBOX_LEASED && d->state != INBOX_WAITING) ||
             (in_line(m, other) && other->seq < d->seq))) {
            return 0;
        }
    }
    return 1;
}

/* First is who is first before anyone is moved: hence two rounds. */
void
model_relane(struct inbox_model *m, uint32_t plugin)
{
    size_t count = m->rows.delivery_count;
    char *first = model_grown(NULL, count, 1);
    for (size_t i = 0; i < count; i++) {
        first[i] = (char)is_first(m, &m->rows.deliveries[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->plugin != plugin || !in_line(m, d)) {
            continue;
        }
        if (!first[i]) {
            d->state = INBOX_HELD;
            d->due_ms = 0;
        } else if (d->state == INBOX_HELD) {
            d->state = INBOX_READY;
        }
    }
    free(first);
}
