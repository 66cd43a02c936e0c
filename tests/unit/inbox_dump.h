/* tests/unit/inbox_dump.h: all that an inbox stores, as text: of the model and,
 * in the same words, of SQLite. Left out is what no one can tell: a retry's due
 * time once it is over, what a replay forgets, versions of keys, when an
 * attempt that was lost began. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_DUMP_H
#define TESTS_INBOX_DUMP_H

#include "inbox_fixture.h"

#include "inbox/sqlite_engine.h"
#include "inbox_model.h"

/* ---- The model ------------------------------------------------------ */

static inline void
dump_bytes(FILE *out, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "%02X", (unsigned)at[i]);
    }
}

static inline void
dump_event(FILE *out, const struct model_event *row)
{
    const struct event *e = &row->event;
    fprintf(out, "event %lld %s %s %lld %lld %d %d %d %s %s %s %s %s %s %s %s ",
            (long long)row->seq, e->id, e->type, (long long)e->created_s,
            (long long)row->received_ms, e->livemode, e->family == EVENT_THIN,
            row->routed, e->account, e->api_version, e->object_id, e->customer,
            e->snapshot_event, row->endpoint, row->secret, row->signature);
    fprintf(out, "%lld ", (long long)row->signed_s);
    dump_bytes(out, row->twin, row->has_twin ? INBOX_TWIN_BYTES : 0);
    fputc(' ', out);
    dump_bytes(out, row->body, row->body_len);
    fputc('\n', out);
}

static inline void
dump_receipt(FILE *out, const struct model_receipt *r)
{
    fprintf(out, "receipt %lld %lld %s %s %lld %d ", (long long)r->seq,
            (long long)r->received_ms, r->endpoint, r->secret,
            (long long)r->signed_s, r->conflict);
    dump_bytes(out, r->bytes, r->len);
    fputc('\n', out);
}

static inline void
dump_delivery(FILE *out, const struct model_delivery *d)
{
    int dead = d->state == INBOX_DEAD;
    fprintf(out,
            "delivery %lld %u %d %d %u %u %u %lld %lld %lld %lld %lld %lld %d "
            "%s\n",
            (long long)d->seq, d->plugin, (int)d->state, (int)d->class,
            d->attempt, d->spared, d->crashes, (long long)d->lease,
            (long long)(d->state == INBOX_WAITING ? d->due_ms : 0),
            (long long)d->first_ms,
            (long long)(d->first_ms != 0 ? d->held_ms : 0), (long long)d->job,
            (long long)(dead ? d->died_ms : 0), dead ? (int)d->outcome : 0,
            dead ? d->cause : "");
}

static inline void
dump_attempt(FILE *out, const struct model_attempt *a)
{
    fprintf(out, "attempt %lld %u %u %lld %lld %d %s %d %s %s %u\n",
            (long long)a->seq, a->plugin, a->n,
            (long long)(a->outcome == INBOX_LOST ? 0 : a->started_ms),
            (long long)a->duration_us, (int)a->outcome, a->note, a->signal,
            a->evidence, a->digest, a->generation);
}

static inline void
dump_plugin(FILE *out, const struct model_plugin *p)
{
    const struct inbox_plugin *s = &p->state;
    fprintf(out, "plugin %u %s %d %d %s %lld %lld %s %lld %lld %lld\n", s->id,
            p->name, (int)p->order, p->collapse_twins, p->digest,
            (long long)s->paused_ms, (long long)s->paused_until_ms, s->reason,
            (long long)s->held_ms, (long long)s->held_since_ms,
            (long long)p->kv_bytes);
}

static inline void
dump_job(FILE *out, const struct inbox_job *j)
{
    fprintf(out,
            "job %lld %s %s %s %s %lld %lld %lld %lld %lld %lld %u %lld %lld\n",
            (long long)j->id, j->kind, j->state, j->reason, j->filter,
            (long long)j->created_ms, (long long)j->ended_ms,
            (long long)j->rate, (long long)j->total, (long long)j->moved,
            (long long)j->after.seq, j->after.plugin, (long long)j->done,
            (long long)j->dead);
}

static inline void
dump_generation(FILE *out, const struct inbox_generation *g)
{
    if (g->number != 0) {
        fprintf(out, "generation %lld %lld %lld %d %s\n", (long long)g->number,
                (long long)g->previous, (long long)g->committed_ms,
                g->is_rollback, g->inputs);
    }
}

/* Lines in the order of their text: rows have no order of their own. */
static inline int
compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline char *
sorted_lines(char *text)
{
    static char *lines[20000];
    size_t count = 0, len = strlen(text) + 1;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(count < COUNT(lines));
        lines[count++] = line;
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    char *sorted = calloc(1, len + 1), *end = sorted;
    assert_non_null(sorted);
    for (size_t i = 0; i < count; i++) {
        end += sprintf(end, "%s\n", lines[i]);
    }
    free(text);
    return sorted;
}

static inline char *
dump_model(const struct inbox_model *m)
{
    const struct model_rows *rows = &m->rows;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (size_t i = 0; i < rows->event_count; i++) {
        dump_event(out, rows->events[i]);
    }
    for (size_t i = 0; i < rows->receipt_count; i++) {
        dump_receipt(out, rows->receipts[i]);
    }
    for (size_t i = 0; i < rows->delivery_count; i++) {
        dump_delivery(out, &rows->deliveries[i]);
    }
    for (size_t i = 0; i < rows->attempt_count; i++) {
        dump_attempt(out, rows->attempts[i]);
    }
    for (size_t i = 0; i < rows->key_count; i++) {
        const struct model_key *k = &rows->keys[i];
        fprintf(out, "key %u %s ", k->plugin, k->key);
        dump_bytes(out, k->value, k->value_len);
        fputc('\n', out);
    }
    for (size_t i = 0; i < rows->plugin_count; i++) {
        dump_plugin(out, &rows->plugins[i]);
    }
    for (size_t i = 0; i < rows->job_count; i++) {
        dump_job(out, &rows->jobs[i]);
    }
    dump_generation(out, &rows->generation);
    fclose(out);
    return sorted_lines(text);
}

/* ---- SQLite --------------------------------------------------------- */

static const char *const dump_queries[] = {
    "SELECT printf('event %d %s %s %d %d %d %d %d %s %s %s %s %s %s %s %s %d"
    " %s %s', e.seq, event_id, type, created_s, received_ms, livemode, thin,"
    " routed, account, api_version, object_id, customer, snapshot_event,"
    " endpoint, secret, signature, signed_s, coalesce(hex(twin), ''),"
    " hex(data)) FROM event e LEFT JOIN body b ON b.seq = e.seq",
    "SELECT printf('receipt %d %d %s %s %d %d %s', seq, received_ms,"
    " endpoint, secret, signed_s, conflict IS NOT NULL,"
    " coalesce(hex(conflict), '')) FROM receipt",
    "SELECT printf('delivery %d %d %d %d %d %d %d %d %d %d %d %d %d %d %s',"
    " seq, plugin, state, class, attempt, spared, crashes, lease,"
    " iif(state = 4, due_ms, 0), coalesce(first_ms, 0),"
    " iif(coalesce(first_ms, 0), held_ms, 0), coalesce(job, 0),"
    " iif(state = 3, died_ms, 0), iif(state = 3, outcome, 0),"
    " iif(state = 3, coalesce(cause, ''), '')) FROM delivery",
    "SELECT printf('attempt %d %d %d %d %d %d %s %d %s %s %d', seq, plugin, n,"
    " iif(outcome = 6, 0, started_ms), duration_us, outcome,"
    " coalesce(note, ''),"
    " coalesce(signal, 0), coalesce(evidence, ''), coalesce(digest, ''),"
    " coalesce(generation, 0)) FROM attempt",
    "SELECT printf('key %d %s %s', plugin, key, hex(value)) FROM kv",
    "SELECT printf('plugin %d %s %d %d %s %d %d %s %d %d %d', id, name, ord,"
    " collapse, digest, paused_ms, paused_until_ms, reason, held_ms, held_since_ms,"
    " kv_bytes) FROM plugin",
    "SELECT printf('job %d %s %s %s %s %d %d %d %d %d %d %d %d %d', id, kind,"
    " state, reason, filter, created_ms, ended_ms, rate, total, moved,"
    " after_seq, after_plugin, done, dead) FROM job",
    "SELECT printf('generation %d %d %d %d %s', number, previous,"
    " committed_ms, is_rollback, inputs) FROM generation",
};

static inline char *
dump_sqlite(struct inbox_engine *engine)
{
    sqlite3 *db = ((struct sqlite_engine *)(void *)engine)->db;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (size_t i = 0; i < COUNT(dump_queries); i++) {
        sqlite3_stmt *stmt;
        if (sqlite3_prepare_v2(db, dump_queries[i], -1, &stmt, NULL) !=
            SQLITE_OK) {
            fail_msg("%s", sqlite3_errmsg(db));
        }
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            fprintf(out, "%s\n", (const char *)sqlite3_column_text(stmt, 0));
        }
        sqlite3_finalize(stmt);
    }
    fclose(out);
    return sorted_lines(text);
}

static inline void
assert_same_contents(const struct inbox_model *model,
                     struct inbox_engine *engine)
{
    char *expected = dump_model(model);
    char *found = dump_sqlite(engine);
    if (strcmp(expected, found) != 0) {
        size_t at = 0;
        while (expected[at] != '\0' && expected[at] == found[at]) {
            at++;
        }
        while (at > 0 && expected[at - 1] != '\n') {
            at--;
        }
        fail_msg("model:\n%.400s\nsqlite:\n%.400s", expected + at, found + at);
    }
    free(expected);
    free(found);
}

#endif
