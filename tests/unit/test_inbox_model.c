/* tests/unit/test_inbox_model.c: random batches, given to the model and to
 * SQLite side by side: every answer, every claim and all that is stored must
 * be equal. PEGBOARD_SEED=n repeats a run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_dump.h"
#include "inbox_random_step.h"

#include "clock.h"

#define ROUNDS       40
#define STEPS        150 /* batches in a round, on a fresh file */
#define STEPS_A_LOOK 4   /* batches until all that is stored is compared */
#define START_MS     1000000000000

/* ---- Answers -------------------------------------------------------- */

static void
assert_same_claim(const struct inbox_claim *a, const struct inbox_claim *b)
{
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->plugin, b->plugin);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->spared, b->spared);
    assert_int_equal(a->crashes, b->crashes);
    assert_int_equal(a->replay, b->replay);
    assert_int_equal(a->job, b->job);
    assert_int_equal(a->lease, b->lease);
    assert_int_equal(a->created_s, b->created_s);
    assert_int_equal(a->received_ms, b->received_ms);
    assert_int_equal(a->first_ms, b->first_ms);
    assert_int_equal(a->held_ms, b->held_ms);
    assert_int_equal(a->livemode, b->livemode);
    assert_int_equal(a->thin, b->thin);
    assert_string_equal(a->event_id, b->event_id);
    assert_string_equal(a->type, b->type);
    assert_string_equal(a->account, b->account);
    assert_string_equal(a->api_version, b->api_version);
    assert_string_equal(a->object_id, b->object_id);
    assert_string_equal(a->signature, b->signature);
    assert_string_equal(a->snapshot_event, b->snapshot_event);
    assert_int_equal(a->body_len, b->body_len);
    assert_memory_equal(a->body, b->body, a->body_len + 1);
}

static void
compare_puts(struct pair *pair, const struct step *step)
{
    for (unsigned i = 0; i < step->puts; i++) {
        const struct inbox_put *a = &step->arrivals[0][i].put;
        const struct inbox_put *b = &step->arrivals[1][i].put;
        assert_int_equal(a->seq, b->seq);
        assert_int_equal(a->duplicate, b->duplicate);
        assert_int_equal(a->conflict, b->conflict);
        assert_int_equal(a->pending, b->pending);
        assert_int_equal(a->collapsed, b->collapsed);
        pair->last_seq = a->seq > pair->last_seq ? a->seq : pair->last_seq;
    }
}

static void
compare_actions(struct pair *pair, const struct step *step)
{
    for (unsigned i = 0; i < step->actions; i++) {
        const struct deed *a = &step->deeds[0][i], *b = &step->deeds[1][i];
        assert_int_equal(a->action.changed, b->action.changed);
        assert_int_equal(a->job.id, b->job.id);
        if (a->action.job != NULL && a->job.id > pair->jobs) {
            pair->jobs = a->job.id;
        }
    }
}

static void
compare_lookups(struct pair *pair, struct step *step)
{
    for (unsigned i = 0; i < step->look_ups; i++) {
        struct inbox_lookup *a = &step->lookups[0][i];
        struct inbox_lookup *b = &step->lookups[1][i];
        assert_int_equal(a->rc, b->rc);
        assert_int_equal(a->version == 0, b->version == 0);
        assert_int_equal(a->value_len, b->value_len);
        if (a->rc == RC_OK) {
            assert_memory_equal(a->value, b->value, a->value_len);
        } else {
            assert_null(b->value);
        }
        pair->seen[0][a->plugin][a->tag] = a->version;
        pair->seen[1][a->plugin][a->tag] = b->version;
        free(a->value);
        free(b->value);
    }
}

static void
compare_wants(struct pair *pair, struct step *step)
{
    for (size_t i = 0; i < step->want_count; i++) {
        struct inbox_want *a = &step->wants[0][i], *b = &step->wants[1][i];
        struct inbox_claim *c = a->claims, *d = b->claims;
        for (; c != NULL && d != NULL; c = c->next, d = d->next) {
            assert_same_claim(c, d);
            size_t at = pair->known_count < CLAIMS_KNOWN ? pair->known_count++
                                                         : below(CLAIMS_KNOWN);
            pair->known[at] = *c;
            step->claims[step->claimed++] =
                (struct inbox_item){c->seq, c->plugin};
        }
        assert_ptr_equal(c, d); /* both at their ends */
        assert_int_equal(a->claimed, b->claimed);
        assert_int_equal(a->turn, b->turn);
        assert_true(a->next_ms == b->next_ms);
        pair->turns[a->plugin] = a->turn;
        inbox_claims_free(a->claims);
        inbox_claims_free(b->claims);
    }
}

static void
assert_same_plugin(const struct inbox_plugin *a, const struct inbox_plugin *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->paused_ms, b->paused_ms);
    assert_int_equal(a->paused_until_ms, b->paused_until_ms);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->held_ms, b->held_ms);
    assert_int_equal(a->held_since_ms, b->held_since_ms);
}

static void
assert_same_generation(const struct inbox_generation *a,
                       const struct inbox_generation *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->previous, b->previous);
    assert_int_equal(a->committed_ms, b->committed_ms);
    assert_int_equal(a->is_rollback, b->is_rollback);
    assert_string_equal(a->inputs, b->inputs);
}

/* It is in force: keep what the next one is to change. */
static void
compare_rolls(struct pair *pair, const struct step *step)
{
    const struct roll_call *a = &step->rolls[0], *b = &step->rolls[1];
    if (step->roll_calls == 0) {
        return;
    }
    assert_same_generation(&a->last, &b->last);
    if (a->roll.enrolment == NULL) {
        return;
    }
    assert_same_generation(&a->generation, &b->generation);
    assert_int_equal(a->generation.number, ++pair->generation);
    for (size_t i = 0; i < a->enrolment.count; i++) {
        assert_same_plugin(&a->plugins[i], &b->plugins[i]);
        pair->policies[a->plugins[i].id - 1] = a->policies[i];
    }
}

static void
compare_answers(struct pair *pair, struct step *step)
{
    compare_rolls(pair, step);
    const struct inbox_batch *a = &step->batches[0], *b = &step->batches[1];
    compare_puts(pair, step);
    compare_actions(pair, step);
    compare_lookups(pair, step);
    compare_wants(pair, step);
    assert_int_equal(a->closed, b->closed);
    assert_int_equal(a->buried, b->buried);
    assert_int_equal(a->prune.pruned, b->prune.pruned);
    assert_int_equal(a->prune.after_seq, b->prune.after_seq);
    pair->prune_after = a->prune.after_seq;
    pair->jumped_ms += a->jump_ms;
}

/* ---- Faults, restarts, other settings ------------------------------- */

/* Let the step's transaction fail in SQLite at a random table, which is done
 * by a trigger: nothing of it may stay. */
static void
failing_step_leaves_nothing(struct pair *pair, struct step *step)
{
    static const char *const tables[] = {
        "INSERT ON event",     "INSERT ON body",     "INSERT ON receipt",
        "INSERT ON delivery",  "UPDATE ON delivery", "DELETE ON delivery",
        "INSERT ON attempt",   "INSERT ON kv",       "DELETE ON kv",
        "INSERT ON job",       "UPDATE ON job",      "UPDATE ON plugin",
        "DELETE ON event",     "INSERT ON plugin",   "INSERT ON generation",
        "UPDATE ON generation"};
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
    for (unsigned i = 0; i < step->look_ups; i++) {
        free(step->lookups[1][i].value);
    }
}

/* As when a daemon starts: all of them, as they were. */
static void
enrol_all(struct pair *pair)
{
    static struct step step;
    memset(&step, 0, sizeof(step));
    step.batches[0].now_ms = step.batches[1].now_ms = pair->now_ms;
    random_roll(pair, &step, 0);
    assert_int_equal(commit_side(pair, &step, 0), RC_OK);
    assert_int_equal(commit_side(pair, &step, 1), RC_OK);
    compare_answers(pair, &step);
}

/* Without flushing: this test pulls no plug, and runs thousands of batches. */
static void
open_sqlite(struct pair *pair)
{
    struct error err = {0};
    if (sqlite_open(&pair->engines[1], inbox_path, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    sqlite3 *db = ((struct sqlite_engine *)(void *)pair->engines[1])->db;
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
        SQLITE_OK);
}

/* The clock of this machine did not jump: or opening would move all back. */
static void
forget_jumps(struct pair *pair)
{
    sqlite3 *db = ((struct sqlite_engine *)(void *)pair->engines[1])->db;
    char sql[96];
    snprintf(sql, sizeof(sql), "UPDATE clock SET offset_ms = offset_ms - %lld",
             (long long)pair->jumped_ms);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    pair->jumped_ms = 0;
}

static void
restart(struct pair *pair)
{
    inbox_model_restart(pair->model);
    forget_jumps(pair);
    pair->engines[1]->ops->close(pair->engines[1]);
    open_sqlite(pair);
    enrol_all(pair);
}

/* ---- Lanes ---------------------------------------------------------- */

/* Several of a lane can be out because its order was changed. Whatever was
 * handed out since then was alone. */
static void
assert_claimed_alone(const struct step *step, struct inbox_engine *engine)
{
    sqlite3 *db = ((struct sqlite_engine *)(void *)engine)->db;
    for (size_t i = 0; i < step->claimed; i++) {
        char sql[320];
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM delivery c JOIN delivery d"
                 " ON d.plugin = c.plugin AND d.lane = c.lane"
                 " AND d.state = 1 AND d.seq <> c.seq WHERE c.lane <> ''"
                 " AND c.state = 1 AND c.seq = %lld AND c.plugin = %u",
                 (long long)step->claims[i].seq, step->claims[i].plugin);
        assert_int_equal(ask_db(db, sql), 0);
    }
}

/* What both do alike can still be wrong: nothing is held behind nobody, or it
 * would stay there for ever; and nothing may run beside another of its lane. */
static void
assert_sound_lanes(struct inbox_engine *engine)
{
    sqlite3 *db = ((struct sqlite_engine *)(void *)engine)->db;
    assert_int_equal(
        ask_db(db, "SELECT count(*) FROM delivery h JOIN plugin p"
                   " ON p.id = h.plugin WHERE h.state = 2 AND (h.lane = ''"
                   " OR NOT EXISTS(SELECT 1 FROM delivery d"
                   "  WHERE d.plugin = h.plugin AND d.lane = h.lane"
                   "  AND (d.state IN (0, 1) OR p.ord = 2 AND d.state = 4)))"),
        0);
    assert_int_equal(ask_db(db,
                            "SELECT count(*) FROM delivery r"
                            " WHERE r.state = 0 AND r.lane <> ''"
                            " AND EXISTS(SELECT 1 FROM delivery d"
                            "  WHERE d.plugin = r.plugin AND d.lane = r.lane"
                            "  AND d.state IN (0, 1) AND d.seq <> r.seq)"),
                     0);
    assert_int_equal(ask_db(db, "SELECT count(*) FROM delivery"
                                " WHERE forgot <> 0 AND state <> 1"),
                     0);
}

/* ---- Rounds --------------------------------------------------------- */

static void
one_step(struct pair *pair)
{
    static struct step step;
    random_step(pair, &step);
    pair->now_ms += below(TIME_OF_STEP_MS);
    switch (below(25)) {
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
        assert_claimed_alone(&step, pair->engines[1]);
    }
}

static void
one_round(void)
{
    struct pair pair = {.model = inbox_model_open(), .now_ms = START_MS};
    assert_int_equal(make_folder(NULL), 0);
    pair.engines[0] = &pair.model->base;
    open_sqlite(&pair);
    for (size_t i = 0; i < PLUGINS; i++) {
        static const char *const names[] = {"one", "two", "three", "four"};
        pair.policies[i].name = names[i];
        random_policy(&pair.policies[i]);
    }
    enrol_all(&pair);
    for (unsigned i = 1; i <= STEPS; i++) {
        one_step(&pair);
        assert_sound_lanes(pair.engines[1]);
        if (i % STEPS_A_LOOK == 0) {
            assert_same_contents(pair.model, pair.engines[1]);
        }
    }
    pair.engines[1]->ops->close(pair.engines[1]);
    assert_int_equal(ask_file(SOUND), 1);
    inbox_model_free(pair.model);
    assert_int_equal(remove_folder(NULL), 0);
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
        one_round();
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
