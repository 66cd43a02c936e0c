/* tests/unit/inbox_model_put.c: how the model stores arrivals.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model_rows.h"

#include <stdio.h>
#include <string.h>

#define CONFLICTS_KEPT 3 /* bodies, of an event */

/* ---- Two ids for one change ----------------------------------------- */

static int
is_near(int64_t a_s, int64_t b_s)
{
    uint64_t apart_s = a_s > b_s ? (uint64_t)a_s - (uint64_t)b_s
                                 : (uint64_t)b_s - (uint64_t)a_s;
    return apart_s <= INBOX_TWIN_APART_S;
}

/* Whether `other` came before and tells of the same change, in one of three
 * ways: by what both say, as the one this names, as one that names this. */
static int
is_twin(const struct inbox_put *put, const struct model_event *other, int way)
{
    int is = 0;
    switch (way) {
    case 0:
        is = put->twin != NULL && other->has_twin &&
             memcmp(other->twin, put->twin, INBOX_TWIN_BYTES) == 0 &&
             is_near(other->event.created_s, put->event->created_s);
        break;
    case 1:
        is = strcmp(other->event.id, put->event->snapshot_event) == 0;
        break;
    case 2:
        is = strcmp(other->event.snapshot_event, put->event->id) == 0;
        break;
    }
    return is && other->seq < put->seq;
}

/* The one that the plugin was given already; NULL for none. */
static const struct model_event *
twin_given(const struct inbox_model *m, const struct inbox_put *put,
           uint32_t plugin)
{
    const struct model_plugin *p = model_plugin(m, plugin);
    if (p == NULL || !p->collapse_twins) {
        return NULL;
    }
    for (int way = 0; way < 3; way++) {
        for (size_t i = 0; i < m->rows.event_count; i++) {
            const struct model_event *other = m->rows.events[i];
            if (is_twin(put, other, way) &&
                model_was_given(m, other->seq, plugin)) {
                return other;
            }
        }
    }
    return NULL;
}

/* ---- Deliveries ----------------------------------------------------- */

static void
put_delivery(struct inbox_model *m, struct inbox_put *put, uint32_t plugin)
{
    const struct model_event *twin = twin_given(m, put, plugin);
    if (twin != NULL) {
        char note[INBOX_NOTE_MAX];
        snprintf(note, sizeof(note), "twin of %s", twin->event.id);
        model_log(m, (struct model_attempt){.seq = put->seq,
                                            .plugin = plugin,
                                            .n = 1,
                                            .started_ms = put->received_ms,
                                            .outcome = INBOX_SKIP,
                                            .note = note});
        put->collapsed++;
        return;
    }
    struct model_delivery d = {.seq = put->seq,
                               .plugin = plugin,
                               .state = model_place(m, put->seq, plugin)};
    MODEL_APPEND(m->rows.deliveries, m->rows.delivery_count, d);
    put->pending++;
}

static void
put_deliveries(struct inbox_model *m, struct inbox_put *put)
{
    for (size_t i = 0; i < put->plugin_count; i++) {
        if (!model_was_given(m, put->seq, put->plugins[i])) {
            put_delivery(m, put, put->plugins[i]);
        }
    }
}

/* ---- Events and receipts -------------------------------------------- */

static void
set_text(char to[MODEL_TEXT_MAX], const char *from)
{
    snprintf(to, MODEL_TEXT_MAX, "%s", from);
}

static int
seen_at_endpoint(const struct inbox_model *m, const struct model_event *event,
                 const char *endpoint)
{
    int seen = strcmp(event->endpoint, endpoint) == 0;
    for (size_t i = 0; i < m->rows.receipt_count; i++) {
        seen |= m->rows.receipts[i]->seq == event->seq &&
                strcmp(m->rows.receipts[i]->endpoint, endpoint) == 0;
    }
    return seen;
}

static unsigned
conflicts_of(const struct inbox_model *m, int64_t seq)
{
    unsigned count = 0;
    for (size_t i = 0; i < m->rows.receipt_count; i++) {
        count +=
            m->rows.receipts[i]->seq == seq && m->rows.receipts[i]->conflict;
    }
    return count;
}

static void
put_repeat(struct inbox_model *m, struct inbox_put *put,
           const struct model_event *known)
{
    put->seq = known->seq;
    put->duplicate = 1;
    put->conflict = known->body_len != put->body_len ||
                    memcmp(known->body, put->body, put->body_len) != 0;
    if (!seen_at_endpoint(m, known, put->endpoint)) {
        put_deliveries(m, put);
    }
    struct model_receipt receipt = {.seq = put->seq,
                                    .received_ms = put->received_ms,
                                    .signed_s = put->signed_s,
                                    .conflict = put->conflict};
    set_text(receipt.endpoint, put->endpoint);
    set_text(receipt.secret, put->secret);
    if (put->conflict && conflicts_of(m, put->seq) < CONFLICTS_KEPT) {
        receipt.bytes = model_keep(m, put->body, put->body_len);
        receipt.len = put->body_len;
    }
    MODEL_APPEND(m->rows.receipts, m->rows.receipt_count,
                 model_keep(m, &receipt, sizeof(receipt)));
}

static int64_t
highest_seq(const struct inbox_model *m)
{
    size_t count = m->rows.event_count;
    return count == 0 ? 0 : m->rows.events[count - 1]->seq;
}

static void
put_new(struct inbox_model *m, struct inbox_put *put)
{
    struct model_event row = {.seq = highest_seq(m) + 1,
                              .event = *put->event,
                              .body = model_keep(m, put->body, put->body_len),
                              .body_len = put->body_len,
                              .signed_s = put->signed_s,
                              .received_ms = put->received_ms,
                              .routed = put->plugin_count > 0,
                              .has_twin = put->twin != NULL};
    set_text(row.endpoint, put->endpoint);
    set_text(row.secret, put->secret);
    set_text(row.signature, put->signature);
    if (put->twin != NULL) {
        memcpy(row.twin, put->twin, INBOX_TWIN_BYTES);
    }
    MODEL_APPEND(m->rows.events, m->rows.event_count,
                 model_keep(m, &row, sizeof(row)));
    put->seq = row.seq;
    put_deliveries(m, put);
}

void
model_put(struct inbox_model *m, struct inbox_put *put)
{
    const struct model_event *known = model_event_named(m, put->event->id);
    put->duplicate = put->conflict = 0;
    put->pending = put->collapsed = 0;
    if (known != NULL) {
        put_repeat(m, put, known);
    } else {
        put_new(m, put);
    }
}
