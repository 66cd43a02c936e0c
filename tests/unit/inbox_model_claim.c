/* tests/unit/inbox_model_claim.c: how the model takes results, and hands
 * deliveries out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_model_rows.h"

#include "error.h"
#include "inbox/cause.h"

#include <stdio.h>
#include <string.h>

#define GO_MAX 64 /* claims of one want; and those that come due before */

/* ---- A plugin's store ----------------------------------------------- */

static struct model_key *
find_key(const struct inbox_model *m, uint32_t plugin, const char *key,
         size_t key_len)
{
    for (size_t i = 0; i < m->rows.key_count; i++) {
        struct model_key *k = &m->rows.keys[i];
        if (k->plugin == plugin && k->key_len == key_len &&
            memcmp(k->key, key, key_len) == 0) {
            return k;
        }
    }
    return NULL;
}

void
model_look_up(struct inbox_model *m, struct inbox_lookup *lookup)
{
    const struct model_key *k =
        find_key(m, lookup->plugin, lookup->key, lookup->key_len);
    lookup->rc = k == NULL ? RC_NOT_FOUND : RC_OK;
    lookup->version = k == NULL ? 0 : k->version;
    lookup->value = NULL;
    lookup->value_len = 0;
    if (k != NULL) {
        lookup->value = model_grown(NULL, k->value_len, 1);
        memcpy(lookup->value, k->value, k->value_len);
        lookup->value[k->value_len] = '\0';
        lookup->value_len = k->value_len;
    }
}

/* Bytes that a change brings, or takes. */
static int64_t
growth(const struct inbox_model *m, uint32_t plugin,
       const struct inbox_change *change)
{
    const struct model_key *k =
        find_key(m, plugin, change->key, change->key_len);
    int64_t before = k == NULL ? 0 : (int64_t)(k->key_len + k->value_len);
    int64_t after = change->writes == 0 ? before
                    : change->writes == 1
                        ? (int64_t)(change->key_len + change->value_len)
                        : 0;
    return after - before;
}

static void
change_key(struct inbox_model *m, uint32_t plugin,
           const struct inbox_change *change)
{
    struct model_key *k = find_key(m, plugin, change->key, change->key_len);
    if (k != NULL && change->writes != 0) {
        MODEL_REMOVE(m->rows.keys, m->rows.key_count,
                     (size_t)(k - m->rows.keys));
    }
    if (change->writes == 1) {
        MODEL_APPEND(
            m->rows.keys, m->rows.key_count,
            (struct model_key){
                .plugin = plugin,
                .key = model_keep(m, change->key, change->key_len),
                .key_len = change->key_len,
                .value = model_keep(m, change->value, change->value_len),
                .value_len = change->value_len,
                .version = ++m->rows.last_version});
    }
}

/* Do what a done attempt did to its plugin's store; or turn the result into one
 * that is tried again, and do nothing. */
static void
apply_changes(struct inbox_model *m, struct inbox_result *r, int64_t now_ms)
{
    struct model_plugin *p = model_plugin(m, r->plugin);
    int64_t bytes = p->kv_bytes;
    char why[INBOX_NOTE_MAX + 1] = "";
    for (const struct inbox_change *c = r->changes; c; c = c->next) {
        const struct model_key *k = find_key(m, r->plugin, c->key, c->key_len);
        if (c->seen >= 0 && c->seen != (k == NULL ? 0 : k->version)) {
            snprintf(why, sizeof(why),
                     "another attempt changed key \"%.*s\" meanwhile: run "
                     "again",
                     (int)c->key_len, c->key);
            break;
        }
        bytes += growth(m, r->plugin, c);
    }
    int is_late = why[0] != '\0';
    if (!is_late && bytes > p->kv_bytes && bytes > INBOX_PLUGIN_BYTES) {
        snprintf(why, sizeof(why),
                 "the plugin's store is full (64 MB): delete keys that are not "
                 "needed any more");
    }
    if (why[0] != '\0') {
        memcpy(r->note, why, sizeof(why));
        r->outcome = INBOX_RETRY;
        r->next = !is_late && r->is_last ? INBOX_BURY : INBOX_AGAIN;
        if (is_late) {
            r->spare = 1;
            r->due_ms = now_ms;
        }
        return;
    }
    p->kv_bytes = bytes;
    for (const struct inbox_change *c = r->changes; c; c = c->next) {
        change_key(m, r->plugin, c);
    }
}

/* ---- Results -------------------------------------------------------- */

static void
log_result(struct inbox_model *m, const struct inbox_result *r, uint32_t n)
{
    struct model_attempt attempt = {.seq = r->seq,
                                    .plugin = r->plugin,
                                    .n = n,
                                    .started_ms = r->started_ms,
                                    .duration_us = r->duration_us,
                                    .outcome = r->outcome,
                                    .note = r->note};
    if (r->outcome == INBOX_CRASH || r->outcome == INBOX_TIMEOUT) {
        attempt.signal = r->signal;
        attempt.evidence = r->evidence;
        attempt.digest = r->digest;
        attempt.generation = r->generation;
    }
    model_log(m, attempt);
}

static void
undo(struct model_delivery *d, enum inbox_state state)
{
    d->state = state;
    d->attempt--;
    if (d->attempt == 0) {
        d->first_ms = 0;
    }
}

static void
bury(struct inbox_model *m, struct model_delivery *d,
     const struct inbox_result *r, int64_t now_ms)
{
    char cause[CAUSE_MAX + 1];
    cause_of(cause, r->note);
    d->state = INBOX_DEAD;
    d->due_ms = 0;
    d->died_ms = now_ms;
    d->outcome = r->outcome;
    d->cause = model_keep_text(m, cause);
}

/* How many runners it has taken along. What an attempt began with counts no
 * more if the plugin has become another program since; its own crash does, as
 * the first, and so is not the last that it may have. */
static void
count_crashes(struct model_delivery *d, struct inbox_result *r)
{
    d->crashes = r->crashes;
    if (!d->is_former) {
        return;
    }
    d->crashes = r->crashes > d->began_with ? r->crashes - d->began_with : 0;
    int is_crash = r->outcome == INBOX_CRASH || r->outcome == INBOX_TIMEOUT;
    if (is_crash && r->next == INBOX_BURY && !r->is_last && d->began_with > 0) {
        size_t len = strlen(r->note);
        snprintf(r->note + len, sizeof(r->note) - len,
                 "; runs again: the plugin is another program now");
        r->next = INBOX_AGAIN;
    }
}

/* What becomes of the delivery, after its attempt is logged. */
static void
move_on(struct inbox_model *m, struct model_delivery *d,
        const struct inbox_result *r, struct inbox_batch *batch)
{
    struct inbox_job *job = model_job(m, r->job);
    switch (r->next) {
    case INBOX_CLOSE:
        model_delivery_remove(m, r->seq, r->plugin);
        batch->closed++;
        if (job != NULL) {
            job->done++;
        }
        break;
    case INBOX_BURY:
        bury(m, d, r, batch->now_ms);
        batch->closed++;
        batch->buried++;
        if (job != NULL) {
            job->dead++;
        }
        break;
    case INBOX_AGAIN:
        d->state = INBOX_WAITING;
        d->due_ms = r->due_ms;
        if (d->class != INBOX_REPLAYED) {
            d->class = INBOX_AGED;
        }
        break;
    case INBOX_UNDO:
        break; /* does not come here */
    }
    model_promote(m, r->seq, r->plugin);
}

void
model_result(struct inbox_model *m, const struct inbox_result *result,
             struct inbox_batch *batch)
{
    struct model_delivery *d =
        inbox_model_delivery(m, result->seq, result->plugin);
    if (d == NULL || d->state != INBOX_LEASED || d->lease != result->lease) {
        return;
    }
    if (result->next == INBOX_UNDO) {
        undo(d, model_place_due(m, d->seq, d->plugin));
        return;
    }
    struct inbox_result r = *result;
    if (r.outcome == INBOX_DONE && r.changes != NULL) {
        apply_changes(m, &r, batch->now_ms);
    }
    count_crashes(d, &r);
    d->spared += r.spare != 0;
    log_result(m, &r, d->attempt);
    move_on(m, d, &r, batch);
}

/* ---- Claims --------------------------------------------------------- */

/* One allocation, as a claim must be: the row's own copy stands behind it. */
static struct inbox_claim *
make_claim(const struct model_event *row, const struct model_delivery *d)
{
    size_t head = sizeof(struct inbox_claim) + sizeof(*row);
    struct inbox_claim *claim = model_grown(NULL, head + row->body_len, 1);
    struct model_event *own = (struct model_event *)(void *)(claim + 1);
    char *body = (char *)(own + 1);
    *own = *row;
    memcpy(body, row->body, row->body_len + 1);
    *claim = (struct inbox_claim){.seq = d->seq,
                                  .plugin = d->plugin,
                                  .attempt = d->attempt,
                                  .spared = d->spared,
                                  .crashes = d->crashes,
                                  .replay = d->class == INBOX_REPLAYED,
                                  .job = d->job,
                                  .lease = d->lease,
                                  .first_ms = d->first_ms,
                                  .held_ms = d->held_ms,
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
                                  .snapshot_event = own->event.snapshot_event,
                                  .body = body,
                                  .body_len = row->body_len};
    return claim;
}

/* The one that waits and is due first; of equals the older. */
static struct model_delivery *
first_waiting(const struct inbox_model *m, uint32_t plugin)
{
    struct model_delivery *best = NULL;
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->plugin == plugin && d->state == INBOX_WAITING &&
            (best == NULL || d->due_ms < best->due_ms ||
             (d->due_ms == best->due_ms && d->seq < best->seq))) {
            best = d;
        }
    }
    return best;
}

static void
come_due(struct inbox_model *m, uint32_t plugin, int64_t now_ms)
{
    struct model_delivery *d;
    for (unsigned n = 0; n < GO_MAX; n++) {
        d = first_waiting(m, plugin);
        if (d == NULL || d->due_ms > now_ms) {
            return;
        }
        d->state = model_place_due(m, d->seq, plugin);
        d->due_ms = 0;
    }
}

/* The oldest that is ready, of a class. */
static struct model_delivery *
first_ready(const struct inbox_model *m, uint32_t plugin,
            enum inbox_class class)
{
    struct model_delivery *best = NULL;
    for (size_t i = 0; i < m->rows.delivery_count; i++) {
        struct model_delivery *d = &m->rows.deliveries[i];
        if (d->plugin == plugin && d->state == INBOX_READY &&
            d->class == class && (best == NULL || d->seq < best->seq)) {
            best = d;
        }
    }
    return best;
}

/* The one whose turn it is. */
static struct model_delivery *
next_ready(const struct inbox_model *m, uint32_t plugin, unsigned turn)
{
    struct model_delivery *d = first_ready(m, plugin, engine_share(turn));
    if (d == NULL) {
        d = first_ready(m, plugin, INBOX_FRESH);
    }
    if (d == NULL) {
        d = first_ready(m, plugin, INBOX_AGED);
    }
    return d != NULL ? d : first_ready(m, plugin, INBOX_REPLAYED);
}

static void
lease(const struct inbox_model *m, struct model_delivery *d, int64_t now_ms)
{
    const struct model_plugin *p = model_plugin(m, d->plugin);
    d->state = INBOX_LEASED;
    d->attempt++;
    d->lease++;
    d->began_with = d->crashes;
    d->is_former = 0;
    if (d->first_ms == 0) {
        const struct inbox_plugin *held = &p->state;
        d->first_ms = now_ms;
        d->held_ms =
            held->held_ms +
            (held->held_since_ms != 0 ? now_ms - held->held_since_ms : 0);
    }
}

static int64_t
next_look(const struct inbox_model *m, uint32_t plugin, int64_t now_ms)
{
    const struct model_delivery *d = first_waiting(m, plugin);
    if (next_ready(m, plugin, 0) != NULL ||
        (d != NULL && d->due_ms <= now_ms)) {
        return 0;
    }
    return d == NULL ? INT64_MAX : d->due_ms;
}

void
model_want(struct inbox_model *m, struct inbox_want *want, int64_t now_ms)
{
    struct inbox_claim **end = &want->claims;
    size_t bytes = 0;
    come_due(m, want->plugin, now_ms);
    while (want->claimed < want->count && want->claimed < GO_MAX) {
        struct model_delivery *d = next_ready(m, want->plugin, want->turn);
        if (d == NULL) {
            break;
        }
        const struct model_event *row = model_event(m, d->seq);
        bytes += row->body_len;
        if (want->claimed > 0 && bytes > ENGINE_CLAIM_BYTES_MAX) {
            break;
        }
        lease(m, d, now_ms);
        *end = make_claim(row, d);
        end = &(*end)->next;
        want->claimed++;
        want->turn++;
    }
    want->next_ms = next_look(m, want->plugin, now_ms);
}
