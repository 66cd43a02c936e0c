/* tests/unit/test_inbox_model.c: random batches, given to the model and to
 * SQLite side by side: every answer, every claim and all that is stored must
 * be equal. PEGBOARD_SEED=n repeats a run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_fixture.h"

#include "clock.h"
#include "inbox/sqlite_engine.h"
#include "inbox_model.h"

#define ROUNDS          30
#define STEPS           120 /* batches in a round, on a fresh file */
#define STEPS_A_LOOK    4   /* batches until all that is stored is compared */
#define IDS             40  /* few, so that repeats are common */
#define PLUGINS         4
#define PUTS_MAX        6
#define RESULTS_MAX     6
#define CLAIMS_KNOWN    64
#define TIME_OF_STEP_MS 100

/* The two sides, and what a daemon between them would know. */
struct pair {
    struct inbox_model *model;
    struct inbox_engine *engines[2];        /* model, SQLite */
    struct inbox_claim known[CLAIMS_KNOWN]; /* only numbers count */
    size_t known_count;
    int64_t now_ms;
};

static uint64_t seed;

/* A number below `bound` (splitmix64). */
static unsigned
below(unsigned bound)
{
    uint64_t x = seed += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((x ^ (x >> 31)) % bound);
}

/* ---- What the model holds, as text ---------------------------------- */

static void
print_bytes(FILE *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "%02X", (unsigned)(unsigned char)bytes[i]);
    }
}

static void
print_event(FILE *out, const struct model_event *row, size_t seq)
{
    const struct event *e = &row->event;
    fprintf(out, "event %zu %s %s %lld %lld %d %d %d %s %s %s %s %s %s %s %s ",
            seq, e->id, e->type, (long long)e->created_s,
            (long long)row->received_ms, e->livemode, e->family == EVENT_THIN,
            row->routed, e->account, e->api_version, e->object_id, e->customer,
            e->snapshot_event, row->endpoint, row->secret, row->signature);
    fprintf(out, "%lld ", (long long)row->signed_s);
    print_bytes(out, row->body, row->body_len);
    fputc('\n', out);
}

static void
print_deliveries(FILE *out, const struct inbox_model *m)
{
    for (int64_t seq = 1; seq <= (int64_t)m->event_count; seq++) {
        for (uint32_t plugin = 1; plugin <= MODEL_PLUGINS; plugin++) {
            const struct model_delivery *d =
                inbox_model_delivery(m, seq, plugin);
            if (d != NULL && d->state != MODEL_GONE) {
                fprintf(out, "delivery %lld %u %d %u %lld %lld %lld\n",
                        (long long)seq, plugin, d->state, d->attempt,
                        (long long)d->lease, (long long)d->due_ms,
                        (long long)d->first_ms);
            }
        }
    }
}

/* In the order of event, plugin and number. */
static void
print_attempts(FILE *out, const struct inbox_model *m)
{
    for (int64_t seq = 1; seq <= (int64_t)m->event_count; seq++) {
        for (uint32_t plugin = 1; plugin <= MODEL_PLUGINS; plugin++) {
            for (size_t i = 0; i < m->attempt_count; i++) {
                const struct model_attempt *a = &m->attempts[i];
                if (a->seq == seq && a->plugin == plugin) {
                    fprintf(out, "attempt %lld %u %u %lld %lld %d %s\n",
                            (long long)seq, plugin, a->n,
                            (long long)a->started_ms, (long long)a->duration_us,
                            a->outcome, a->note);
                }
            }
        }
    }
}

static char *
dump_model(const struct inbox_model *m)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (size_t i = 0; i < m->event_count; i++) {
        print_event(out, &m->events[i], i + 1);
    }
    for (size_t i = 0; i < m->receipt_count; i++) {
        const struct model_receipt *r = &m->receipts[i];
        fprintf(out, "receipt %zu %lld %lld %s %s %lld ", i + 1,
                (long long)r->seq, (long long)r->received_ms, r->endpoint,
                r->secret, (long long)r->signed_s);
        print_bytes(out, r->conflict, r->conflict_len);
        fputc('\n', out);
    }
    print_deliveries(out, m);
    print_attempts(out, m);
    fclose(out);
    return text;
}

/* ---- What SQLite holds, in the same words --------------------------- */

static const char *const dumps[] = {
    "SELECT printf('event %d %s %s %d %d %d %d %d %s %s %s %s %s %s %s %s %d"
    " %s', e.seq, event_id, type, created_s, received_ms, livemode, thin,"
    " routed, account, api_version, object_id, customer, snapshot_event,"
    " endpoint, secret, signature, signed_s, hex(data))"
    " FROM event e LEFT JOIN body b ON b.seq = e.seq ORDER BY e.seq",
    "SELECT printf('receipt %d %d %d %s %s %d %s', id, seq, received_ms,"
    " endpoint, secret, signed_s, hex(conflict)) FROM receipt ORDER BY id",
    "SELECT printf('delivery %d %d %d %d %d %d %d', seq, plugin, state,"
    " attempt, lease, due_ms, coalesce(first_ms, -1))"
    " FROM delivery ORDER BY seq, plugin",
    "SELECT printf('attempt %d %d %d %d %d %d %s', seq, plugin, n, started_ms,"
    " duration_us, outcome, coalesce(note, ''))"
    " FROM attempt ORDER BY seq, plugin, n",
};

static char *
dump_sqlite(struct inbox_engine *engine)
{
    sqlite3 *db = ((struct sqlite_engine *)(void *)engine)->db;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    for (size_t i = 0; i < COUNT(dumps); i++) {
        sqlite3_stmt *stmt;
        assert_int_equal(sqlite3_prepare_v2(db, dumps[i], -1, &stmt, NULL),
                         SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            fprintf(out, "%s\n", (const char *)sqlite3_column_text(stmt, 0));
        }
        sqlite3_finalize(stmt);
    }
    fclose(out);
    return text;
}

static void
assert_same_contents(struct pair *pair)
{
    char *expected = dump_model(pair->model);
    char *found = dump_sqlite(pair->engines[1]);
    if (strcmp(expected, found) != 0) {
        size_t at = 0;
        while (expected[at] != '\0' && expected[at] == found[at]) {
            at++;
        }
        while (at > 0 && expected[at - 1] != '\n') {
            at--;
        }
        fail_msg("model:\n%.300s\nsqlite:\n%.300s", expected + at, found + at);
    }
    free(expected);
    free(found);
}

/* ---- A random batch, twice ------------------------------------------ */

struct step {
    struct arrival arrivals[2][PUTS_MAX];
    struct inbox_result results[2][RESULTS_MAX];
    struct inbox_want wants[2][PLUGINS];
    unsigned puts, result_count;
    size_t want_count;
};

static void
random_put(const struct pair *pair, struct arrival *a)
{
    static const char *const bodies[] = {"{\"a\":1}", "{\"a\":2}", "[\0,\0]"};
    static const char *const endpoints[] = {"main", "eu", "us"};
    unsigned number = below(IDS);
    char id[32];
    snprintf(id, sizeof(id), "evt_%u", number);
    arrive(a, id, 0);
    snprintf(a->event.account, sizeof(a->event.account), "acct_%u", number % 3);
    a->event.livemode = (int)number % 2;
    a->event.family = number % 5 == 0 ? EVENT_THIN : EVENT_SNAPSHOT;
    a->put.body = bodies[below(8) == 0 ? 2 : below(8) == 0];
    a->put.body_len = a->put.body == bodies[2] ? 5 : 7;
    a->put.endpoint = endpoints[below(COUNT(endpoints))];
    a->put.secret = below(2) ? "first" : "second";
    a->put.received_ms = pair->now_ms - below(TIME_OF_STEP_MS);
    for (uint32_t plugin = 1; plugin <= PLUGINS; plugin++) {
        if (below(3) != 0) {
            a->plugins[a->put.plugin_count++] = plugin;
        }
    }
}

/* For a known claim, mostly; else for one that nobody ever had. */
static void
random_result(struct pair *pair, struct inbox_result *r)
{
    *r = (struct inbox_result){.seq = 1 + below(IDS),
                               .plugin = 1 + below(PLUGINS),
                               .attempt = 1 + below(3),
                               .lease = 1 + below(3)};
    r->outcome = (enum inbox_outcome)below(6);
    r->next = (enum inbox_next)below(4);
    r->due_ms = pair->now_ms + below(10 * TIME_OF_STEP_MS) - TIME_OF_STEP_MS;
    r->started_ms = pair->now_ms;
    r->duration_us = below(1000);
    if (below(2)) {
        snprintf(r->note, sizeof(r->note), "note %u", below(100));
    }
    if (pair->known_count == 0) {
        r->lease = 0; /* no such lease: numbers start at 1 */
        return;
    }
    size_t i = below((unsigned)pair->known_count);
    const struct inbox_claim *claim = &pair->known[i];
    r->seq = claim->seq;
    r->plugin = claim->plugin;
    r->attempt = claim->attempt;
    r->lease = claim->lease;
    if (below(4) != 0) { /* else it is said again later: stale then */
        pair->known[i] = pair->known[--pair->known_count];
    }
}

static void
random_step(struct pair *pair, struct step *step)
{
    memset(step, 0, sizeof(*step));
    step->puts = below(PUTS_MAX + 1);
    for (unsigned i = 0; i < step->puts; i++) {
        struct arrival *a = &step->arrivals[0][i], *b = &step->arrivals[1][i];
        random_put(pair, a);
        *b = *a;
        b->put.event = &b->event;
        a->put.plugins = a->plugins;
        b->put.plugins = b->plugins;
    }
    step->result_count = below(RESULTS_MAX + 1);
    for (unsigned i = 0; i < step->result_count; i++) {
        random_result(pair, &step->results[0][i]);
        step->results[1][i] = step->results[0][i];
    }
    for (uint32_t plugin = 1; plugin <= PLUGINS; plugin++) {
        if (below(2)) {
            struct inbox_want want = {.plugin = plugin, .count = below(5)};
            step->wants[0][step->want_count] = want;
            step->wants[1][step->want_count++] = want;
        }
    }
}

static int
commit_side(struct pair *pair, struct step *step, int side)
{
    struct inbox_batch batch = {.wants = step->wants[side],
                                .want_count = step->want_count,
                                .now_ms = pair->now_ms};
    for (unsigned i = step->puts; i-- > 0;) {
        step->arrivals[side][i].put.next = batch.puts;
        batch.puts = &step->arrivals[side][i].put;
    }
    for (unsigned i = step->result_count; i-- > 0;) {
        step->results[side][i].link = batch.results;
        batch.results = &step->results[side][i];
    }
    struct inbox_engine *engine = pair->engines[side];
    return engine->ops->commit(engine, &batch, NULL);
}

static void
assert_same_claim(const struct inbox_claim *a, const struct inbox_claim *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->plugin, b->plugin);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->lease, b->lease);
    assert_int_equal(a->created_s, b->created_s);
    assert_int_equal(a->received_ms, b->received_ms);
    assert_int_equal(a->first_ms, b->first_ms);
    assert_int_equal(a->livemode, b->livemode);
    assert_int_equal(a->thin, b->thin);
    assert_string_equal(a->event_id, b->event_id);
    assert_string_equal(a->type, b->type);
    assert_string_equal(a->account, b->account);
    assert_string_equal(a->api_version, b->api_version);
    assert_string_equal(a->object_id, b->object_id);
    assert_string_equal(a->signature, b->signature);
    assert_int_equal(a->body_len, b->body_len);
    assert_memory_equal(a->body, b->body, a->body_len + 1);
}

static void
compare_answers(struct pair *pair, struct step *step)
{
    for (unsigned i = 0; i < step->puts; i++) {
        const struct inbox_put *a = &step->arrivals[0][i].put;
        const struct inbox_put *b = &step->arrivals[1][i].put;
        assert_int_equal(a->seq, b->seq);
        assert_int_equal(a->duplicate, b->duplicate);
        assert_int_equal(a->conflict, b->conflict);
        assert_int_equal(a->pending, b->pending);
    }
    for (size_t i = 0; i < step->want_count; i++) {
        struct inbox_want *a = &step->wants[0][i], *b = &step->wants[1][i];
        assert_int_equal(a->claimed, b->claimed);
        assert_true(a->next_ms == b->next_ms);
        struct inbox_claim *c = a->claims, *d = b->claims;
        for (; c != NULL && d != NULL; c = c->next, d = d->next) {
            assert_same_claim(c, d);
            size_t at = pair->known_count < CLAIMS_KNOWN ? pair->known_count++
                                                         : below(CLAIMS_KNOWN);
            pair->known[at] = *c;
        }
        assert_ptr_equal(c, d); /* both at their ends */
        inbox_claims_free(a->claims);
        inbox_claims_free(b->claims);
    }
}

/* ---- Faults --------------------------------------------------------- */

/* Let the step's transaction fail in SQLite at a random table, which is done
 * by a trigger: nothing of it may stay. */
static void
failing_step_leaves_nothing(struct pair *pair, struct step *step)
{
    static const char *const tables[] = {
        "INSERT ON event",    "INSERT ON body",     "INSERT ON receipt",
        "INSERT ON delivery", "UPDATE ON delivery", "DELETE ON delivery",
        "INSERT ON attempt"};
    sqlite3 *db = ((struct sqlite_engine *)(void *)pair->engines[1])->db;
    char sql[160];
    snprintf(sql, sizeof(sql),
             "CREATE TEMP TRIGGER broken AFTER %s WHEN abs(random()) %% 3 = 0"
             " BEGIN SELECT raise(ABORT, 'broken'); END",
             tables[below(COUNT(tables))]);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    int rc = commit_side(pair, step, 1);
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER broken", NULL, NULL, NULL),
                     SQLITE_OK);
    if (rc == RC_OK) { /* it did not meet the trigger */
        assert_int_equal(commit_side(pair, step, 0), RC_OK);
        compare_answers(pair, step);
        return;
    }
    for (size_t i = 0; i < step->want_count; i++) {
        assert_null(step->wants[1][i].claims);
        assert_int_equal(step->wants[1][i].claimed, 0);
    }
}

/* Without flushing: this test pulls no plug, and runs thousands of batches. */
static void
open_sqlite(struct pair *pair)
{
    pair->engines[1] = open_engine();
    sqlite3 *db = ((struct sqlite_engine *)(void *)pair->engines[1])->db;
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
        SQLITE_OK);
}

static void
restart(struct pair *pair)
{
    inbox_model_restart(pair->model);
    pair->engines[1]->ops->close(pair->engines[1]);
    open_sqlite(pair);
}

static void
one_step(struct pair *pair)
{
    static struct step step;
    random_step(pair, &step);
    pair->now_ms += below(TIME_OF_STEP_MS);
    switch (below(20)) {
    case 0:
        restart(pair);
        break;
    case 1:
        failing_step_leaves_nothing(pair, &step);
        break;
    default:
        assert_int_equal(commit_side(pair, &step, 0), RC_OK);
        assert_int_equal(commit_side(pair, &step, 1), RC_OK);
        compare_answers(pair, &step);
    }
}

static void
sqlite_does_what_the_model_does(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    const char *wish = getenv("PEGBOARD_SEED");
    uint64_t first =
        wish != NULL ? strtoull(wish, NULL, 10) : (uint64_t)clock_mono_us();
    for (uint64_t round = 0; round < (wish != NULL ? 1 : ROUNDS); round++) {
        seed = first + round;
        print_message("PEGBOARD_SEED=%llu\n", (unsigned long long)seed);
        assert_int_equal(make_folder(NULL), 0);
        struct pair pair = {.model = inbox_model_open(), .now_ms = 1000000};
        pair.engines[0] = &pair.model->base;
        open_sqlite(&pair);
        for (unsigned i = 1; i <= STEPS; i++) {
            one_step(&pair);
            if (i % STEPS_A_LOOK == 0) {
                assert_same_contents(&pair);
            }
        }
        pair.engines[1]->ops->close(pair.engines[1]);
        assert_int_equal(ask_file(SOUND), 1);
        inbox_model_free(pair.model);
        assert_int_equal(remove_folder(NULL), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_does_what_the_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
