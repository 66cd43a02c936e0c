/* tests/unit/inbox_random.h: random batches, each twice, for two engines side
 * by side, and what a daemon between them would know.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_RANDOM_H
#define TESTS_INBOX_RANDOM_H

#include "inbox_fixture.h"

#include "inbox_model.h"

#define IDS             40 /* few, so that repeats are common */
#define OBJECTS         4  /* few, so that lanes are long */
#define PLUGINS         4
#define KEYS            4
#define PUTS_MAX        6
#define RESULTS_MAX     6
#define CHANGES_MAX     3
#define ACTIONS_MAX     2
#define ITEMS_MAX       8
#define LOOKUPS_MAX     3
#define WISHES_MAX      4 /* of a plugin */
#define CLAIMS_KNOWN    64
#define JOBS_KNOWN      8
#define TIME_OF_STEP_MS 100
#define DAY_MS          86400000

struct pair {
    struct inbox_model *model;
    struct inbox_engine *engines[2];        /* model, SQLite */
    struct inbox_claim known[CLAIMS_KNOWN]; /* only numbers count */
    size_t known_count;
    struct inbox_policy policies[PLUGINS]; /* as enrolled last */
    int64_t generation;
    unsigned turns[PLUGINS + 1];
    int64_t seen[2][PLUGINS + 1][KEYS]; /* versions, by side */
    int64_t jobs, prune_after, last_seq, jumped_ms;
    int64_t now_ms;
};

/* One action with all that it borrows. */
struct deed {
    struct inbox_action action;
    struct inbox_item items[ITEMS_MAX];
    struct inbox_job job;
};

/* One enrolment with all that it borrows. */
struct roll_call {
    struct inbox_roll roll;
    struct inbox_enrolment enrolment;
    struct inbox_policy policies[PLUGINS];
    struct inbox_plugin plugins[PLUGINS];
    struct inbox_generation generation, last;
};

/* One result with all that it borrows. */
struct end {
    struct inbox_result result;
    struct inbox_change changes[CHANGES_MAX];
    char keys[CHANGES_MAX][8], values[CHANGES_MAX][32], evidence[32];
};

struct step {
    struct arrival arrivals[2][PUTS_MAX];
    struct end ends[2][RESULTS_MAX];
    struct deed deeds[2][ACTIONS_MAX];
    struct inbox_lookup lookups[2][LOOKUPS_MAX];
    struct roll_call rolls[2];
    struct inbox_want wants[2][PLUGINS];
    struct inbox_item claims[PLUGINS * WISHES_MAX]; /* that both made */
    size_t claimed;
    struct inbox_batch batches[2];
    unsigned puts, results, actions, look_ups, roll_calls;
    size_t want_count;
};

static uint64_t seed;

/* A number below `bound` (splitmix64). */
static inline unsigned
below(unsigned bound)
{
    uint64_t x = seed += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((x ^ (x >> 31)) % bound);
}

static inline uint32_t
any_plugin(void)
{
    return 1 + below(PLUGINS);
}

/* ---- Arrivals ------------------------------------------------------- */

/* What an event says follows from its id, as it does at Stripe. */
static inline void
describe(struct arrival *a, unsigned number)
{
    struct event *e = &a->event;
    snprintf(e->account, sizeof(e->account), "acct_%u", number % 3);
    snprintf(e->customer, sizeof(e->customer), "cus_%u", number % 7);
    if (number % 6 != 0) {
        snprintf(e->object_id, sizeof(e->object_id), "pi_%u", number % OBJECTS);
    }
    e->livemode = (int)number % 2;
    e->created_s += number % 4 * (INBOX_TWIN_APART_S / 2 + 1);
    if (number % 5 == 0) {
        e->family = EVENT_THIN;
        snprintf(e->snapshot_event, sizeof(e->snapshot_event), "evt_%u",
                 number % 2 ? number + 1 : number - 1);
    }
    memset(a->twin, (int)(number / 3), sizeof(a->twin));
}

static inline void
random_put(const struct pair *pair, struct arrival *a)
{
    static const char *const bodies[] = {"{\"a\":1}", "{\"a\":2}", "[\0,\0]"};
    static const char *const endpoints[] = {"main", "eu", "us"};
    unsigned number = below(IDS);
    char id[32];
    snprintf(id, sizeof(id), "evt_%u", number);
    arrive(a, id, 0);
    describe(a, number);
    a->put.twin = below(3) ? a->twin : NULL;
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

static inline void
random_puts(const struct pair *pair, struct step *step)
{
    step->puts = below(PUTS_MAX + 1);
    for (unsigned i = 0; i < step->puts; i++) {
        struct arrival *a = &step->arrivals[0][i], *b = &step->arrivals[1][i];
        random_put(pair, a);
        *b = *a;
        b->put.event = &b->event;
        a->put.plugins = a->plugins;
        b->put.plugins = b->plugins;
        b->put.twin = a->put.twin != NULL ? b->twin : NULL;
    }
}

/* ---- Results -------------------------------------------------------- */

/* To keys of their own, in random order, having read them or not. */
static inline void
random_changes(const struct pair *pair, struct end *ends[2])
{
    unsigned count = below(CHANGES_MAX + 1), first = below(KEYS);
    uint32_t plugin = ends[0]->result.plugin;
    for (unsigned i = 0; i < count; i++) {
        unsigned key = (first + i) % KEYS;
        int reads = below(2) == 0, writes = (int)below(3);
        unsigned value = below(100), pad = below(20);
        for (int side = 0; side < 2; side++) {
            struct end *end = ends[side];
            struct inbox_change *c = &end->changes[i];
            snprintf(end->keys[i], sizeof(end->keys[i]), "key%u", key);
            snprintf(end->values[i], sizeof(end->values[i]), "%u%*s", value,
                     (int)pad, "");
            *c = (struct inbox_change){
                .next = end->result.changes,
                .seen = reads ? pair->seen[side][plugin][key] : -1,
                .writes = writes,
                .key = end->keys[i],
                .key_len = strlen(end->keys[i]),
                .value = end->values[i],
                .value_len = writes == 1 ? strlen(end->values[i]) : 0};
            end->result.changes = c;
        }
    }
}

static inline void
random_verdict(const struct pair *pair, struct inbox_result *r)
{
    static const enum inbox_next ends[] = {
        [INBOX_DONE] = INBOX_CLOSE,  [INBOX_SKIP] = INBOX_CLOSE,
        [INBOX_RETRY] = INBOX_AGAIN, [INBOX_FAIL] = INBOX_BURY,
        [INBOX_CRASH] = INBOX_AGAIN, [INBOX_TIMEOUT] = INBOX_AGAIN};
    r->outcome = (enum inbox_outcome)below(COUNT(ends));
    r->next = ends[r->outcome];
    if (r->next == INBOX_AGAIN && below(5) == 0) {
        r->next = INBOX_BURY;
    }
    if (below(8) == 0) {
        r->outcome = INBOX_LOST;
        r->next = below(2) ? INBOX_UNDO : INBOX_AGAIN;
    }
    r->due_ms = pair->now_ms + below(10 * TIME_OF_STEP_MS) - TIME_OF_STEP_MS;
    r->started_ms = pair->now_ms;
    r->duration_us = below(1000);
    r->spare = below(4) == 0;
    r->crashes = r->outcome == INBOX_CRASH || r->outcome == INBOX_TIMEOUT;
    r->signal = (int)below(12);
    r->generation = below(5);
    snprintf(r->digest, sizeof(r->digest), "%s", below(2) ? "abcd" : "");
    if (below(2)) {
        snprintf(r->note, sizeof(r->note), "note %u for pi_3Qx", below(100));
    }
}

/* For a known claim, mostly; else for one that nobody ever had. */
static inline void
random_result(struct pair *pair, struct inbox_result *r)
{
    *r = (struct inbox_result){.seq = 1 + below(IDS),
                               .plugin = any_plugin(),
                               .attempt = 1 + below(3),
                               .lease = 1 + below(3)};
    random_verdict(pair, r);
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
    r->job = claim->job;
    r->crashes += claim->crashes;
    if (below(4) != 0) { /* else it is said again later: stale then */
        pair->known[i] = pair->known[--pair->known_count];
    }
}

static inline void
random_results(struct pair *pair, struct step *step)
{
    step->results = below(RESULTS_MAX + 1);
    for (unsigned i = 0; i < step->results; i++) {
        struct end *ends[2] = {&step->ends[0][i], &step->ends[1][i]};
        random_result(pair, &ends[0]->result);
        ends[0]->result.is_last = below(2) == 0;
        ends[1]->result = ends[0]->result;
        if (below(2)) {
            unsigned line = below(100);
            for (int side = 0; side < 2; side++) {
                snprintf(ends[side]->evidence, sizeof(ends[side]->evidence),
                         "line %u", line);
                ends[side]->result.evidence = ends[side]->evidence;
            }
        }
        random_changes(pair, ends);
    }
}

/* ---- Actions, lookups, wants ---------------------------------------- */

static inline void
random_job(const struct pair *pair, struct inbox_job *job)
{
    *job = (struct inbox_job){.created_ms = pair->now_ms,
                              .ended_ms = below(2) ? pair->now_ms : 0,
                              .rate = below(10),
                              .total = below(1000),
                              .moved = below(1000),
                              .after = {below(IDS), any_plugin()},
                              .done = 77, /* not written from here */
                              .dead = 78};
    snprintf(job->kind, sizeof(job->kind), "%s",
             below(2) ? "replay" : "discard");
    snprintf(job->state, sizeof(job->state), "running");
    snprintf(job->reason, sizeof(job->reason), "reason %u", below(100));
    snprintf(job->filter, sizeof(job->filter), "{\"type\":%u}", below(100));
    if (pair->jobs > 0 && (pair->jobs >= JOBS_KNOWN || below(2))) {
        job->id = 1 + below((unsigned)pair->jobs);
    }
}

static inline void
random_state(const struct pair *pair, struct inbox_plugin *state)
{
    if (below(2)) {
        state->paused_ms = pair->now_ms;
        state->paused_until_ms = pair->now_ms + below(1000);
        snprintf(state->reason, sizeof(state->reason), "why %u", below(100));
    }
    state->held_ms = below(100000);
    state->held_since_ms = below(2) ? pair->now_ms - below(5000) : 0;
}

static inline void
random_deed(const struct pair *pair, struct deed *deed)
{
    static const enum inbox_action_kind kinds[] = {
        INBOX_PAUSE,      INBOX_KEEP_HELD,   INBOX_REPLAY_ALL,
        INBOX_REPLAY_ALL, INBOX_DISCARD_ALL, INBOX_KEEP_JOB};
    struct inbox_action *a = &deed->action;
    a->kind = kinds[below(COUNT(kinds))];
    a->plugin = any_plugin();
    a->now_ms = pair->now_ms;
    a->note = "as wished";
    random_state(pair, &a->state);
    random_job(pair, &deed->job);
    a->item_count = below(ITEMS_MAX + 1);
    for (size_t i = 0; i < a->item_count; i++) {
        deed->items[i] = (struct inbox_item){
            1 + below((unsigned)pair->last_seq + 2), any_plugin()};
    }
}

static inline void
random_actions(const struct pair *pair, struct step *step)
{
    step->actions = below(3) ? 0 : below(ACTIONS_MAX + 1);
    for (unsigned i = 0; i < step->actions; i++) {
        random_deed(pair, &step->deeds[0][i]);
        step->deeds[1][i] = step->deeds[0][i];
        int is_items = step->deeds[0][i].action.kind == INBOX_REPLAY_ALL ||
                       step->deeds[0][i].action.kind == INBOX_DISCARD_ALL;
        int has_job = step->deeds[0][i].action.kind == INBOX_KEEP_JOB ||
                      (is_items && below(2));
        for (int side = 0; side < 2; side++) {
            struct deed *deed = &step->deeds[side][i];
            deed->action.items = deed->items;
            deed->action.job = has_job ? &deed->job : NULL;
        }
    }
}

static inline void
random_lookups(struct step *step)
{
    step->look_ups = below(LOOKUPS_MAX + 1);
    for (unsigned i = 0; i < step->look_ups; i++) {
        struct inbox_lookup *l = &step->lookups[0][i];
        l->plugin = any_plugin();
        l->tag = below(KEYS);
        l->key_len = (size_t)sprintf(l->key, "key%u", (unsigned)l->tag);
        step->lookups[1][i] = *l;
    }
}

static inline void
random_wants(const struct pair *pair, struct step *step)
{
    for (uint32_t plugin = 1; plugin <= PLUGINS; plugin++) {
        if (below(2)) {
            struct inbox_want want = {.plugin = plugin,
                                      .count = below(WISHES_MAX + 1),
                                      .turn = pair->turns[plugin]};
            step->wants[0][step->want_count] = want;
            step->wants[1][step->want_count++] = want;
        }
    }
}

#endif
