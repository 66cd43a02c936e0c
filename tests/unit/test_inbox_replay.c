/* tests/unit/test_inbox_replay.c: what operators, the clock and retention do to
 * deliveries; and two events that tell of one change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_stage.h"

/* ---- Replay and discard --------------------------------------------- */

static void
replayed_dead_letter_starts_anew(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "pi_1");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    struct inbox_result *result = result_of(&claim, INBOX_CRASH, INBOX_BURY);
    result->crashes = 3;
    assert_int_equal(commit_result(stage->engine, result), RC_OK);
    inbox_result_free(result);
    assert_int_equal(claim_one(stage, INT64_MAX).seq, 0);

    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 1);
    claim = claim_seq(stage, 8000, 1);
    assert_int_equal(claim.attempt, 2);
    assert_int_equal(claim.spared, 1);
    assert_int_equal(claim.crashes, 0);
    assert_int_equal(claim.first_ms, 8000);
    assert_true(claim.replay);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    assert_true(claim_seq(stage, 9000, 1).replay); /* stays one */
}

static void
done_event_is_delivered_again(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish_done(stage, &claim);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 1);
    struct inbox_claim again = claim_seq(stage, 2000, 1);
    assert_int_equal(again.attempt, 2);
    assert_int_equal(again.spared, 1);
    finish_done(stage, &claim); /* a late word of the first one is stale */
    assert_int_equal(state_of(stage, 1), INBOX_LEASED);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 99, NULL), 0);
}

static void
waiting_one_is_tried_now_with_its_count(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_STRICT);
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 900000);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 1);
    claim = claim_seq(stage, 8000, 1);
    assert_int_equal(claim.attempt, 2);
    assert_int_equal(claim.spared, 0);
    assert_int_equal(claim.first_ms, 2000);
    /* What runs, is ready or is held is left alone. */
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 0);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 2, NULL), 0);
    assert_int_equal(state_of(stage, 2), INBOX_HELD);
    assert_int_equal(row_of(stage, 2).class, INBOX_FRESH);
}

static void
replayed_one_takes_its_turn_in_the_lane(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    put_about(stage, "evt_1", "pi_1");
    bury_next(stage, 2000);
    put_about(stage, "evt_2", "pi_1");
    put_about(stage, "evt_3", "pi_1");
    struct inbox_claim claim = claim_seq(stage, 2000, 2);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 1);
    assert_int_equal(state_of(stage, 1), INBOX_HELD);
    finish_done(stage, &claim);
    claim_seq(stage, 2000, 1); /* the oldest of those held */
}

static void
only_dead_letters_are_discarded(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "");
    assert_int_equal(act_on(stage, INBOX_DISCARD_ALL, 1, NULL), 0);
    bury_next(stage, 2000);
    assert_int_equal(act_on(stage, INBOX_DISCARD_ALL, 1, NULL), 1);
    assert_int_equal(act_on(stage, INBOX_DISCARD_ALL, 1, NULL), 0);
    assert_int_equal(state_of(stage, 1), NO_ROW);
    assert_int_equal(attempts_of(stage, 1), 2);
    assert_int_equal(last_outcome(stage, 1), INBOX_DISCARD);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 1);
    assert_int_equal(claim_seq(stage, 2000, 1).attempt, 3);
}

static void
job_counts_how_its_deliveries_end(void **state)
{
    struct stage *stage = *state;
    struct inbox_job job = {.kind = "replay", .state = "running", .done = 9};
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof(id), "evt_%d", i);
        put_about(stage, id, "");
        bury_next(stage, 2000);
        assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, i + 1, &job), 1);
    }
    assert_int_equal(job.id, 1); /* one job in three steps */
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    assert_int_equal(claim.job, 1);
    finish_done(stage, &claim);
    bury_next(stage, 2000);
    claim = claim_seq(stage, 2000, 3);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 3000);
    if (stage->model != NULL) {
        assert_int_equal(stage->model->rows.jobs[0].done, 1);
        assert_int_equal(stage->model->rows.jobs[0].dead, 1);
    } else {
        assert_int_equal(ask_db(stage_db(stage),
                                "SELECT count(*) FROM job"
                                " WHERE done = 1 AND dead = 1"),
                         1);
    }
}

/* ---- The clock ------------------------------------------------------ */

static void
when_the_clock_is_set_what_waits_moves_along(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "");
    put_about(stage, "evt_2", "");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    struct inbox_batch batch = {.jump_ms = 86400000, .now_ms = 86403000};
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    assert_int_equal(claim_seq(stage, 86403000, 2).attempt, 1);
    assert_int_equal(claim_one(stage, 86408999).seq, 0);
    claim = claim_seq(stage, 86409000, 1);
    assert_int_equal(claim.first_ms, 86402000);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 86410000);
    batch = (struct inbox_batch){.jump_ms = -86400000, .now_ms = 9500};
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    assert_int_equal(claim_one(stage, 9999).seq, 0);
    assert_int_equal(claim_seq(stage, 10000, 1).first_ms, 2000);
}

/* ---- Retention ------------------------------------------------------ */

static void
old_events_go_unless_something_is_owed(void **state)
{
    struct stage *stage = *state;
    for (int i = 1; i <= 8; i++) {
        struct arrival a;
        char id[16];
        snprintf(id, sizeof(id), "evt_%d", i);
        arrive(&a, id, i == 7 ? 0 : 1)->received_ms = 100 * i;
        assert_int_equal(commit_put(stage->engine, &a.put), RC_OK);
        if (i == 1 || i == 3 || i == 8) {
            struct inbox_claim claim = claim_seq(stage, 2000, i);
            finish_done(stage, &claim);
        } else if (i == 2) {
            bury_next(stage, 2000);
        } else if (i == 4) {
            claim_seq(stage, 2000, 4);
        } else if (i == 5) {
            struct inbox_claim claim = claim_seq(stage, 2000, 5);
            finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
        } else if (i == 6) {
            struct inbox_claim claim = claim_seq(stage, 2000, 6);
            finish_done(stage, &claim);
            assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 6, NULL), 1);
            claim_seq(stage, 2000, 6);
        }
    }
    static const unsigned pruned[] = {2, 0, 1}; /* 1, 3; then 7; 8 is young */
    static const int64_t after[] = {3, 6, 0};
    struct inbox_prune prune = {.before_ms = 800, .limit = 3};
    for (size_t i = 0; i < COUNT(pruned); i++) {
        struct inbox_batch batch = {.prune = prune, .now_ms = 2000};
        assert_int_equal(
            stage->engine->ops->commit(stage->engine, &batch, NULL), RC_OK);
        assert_int_equal(batch.prune.pruned, pruned[i]);
        assert_int_equal(batch.prune.after_seq, after[i]);
        prune.after_seq = batch.prune.after_seq;
    }
    assert_int_equal(attempts_of(stage, 1), 0);
    assert_int_equal(attempts_of(stage, 2), 1);
    assert_int_equal(attempts_of(stage, 8), 1);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 3, NULL), 0); /* gone */
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 2, NULL), 1);
}

/* It came while the clock was wrong, and would be too young for years. */
static void
event_of_the_future_does_not_keep_others(void **state)
{
    struct stage *stage = *state;
    static const int64_t received[] = {500, 99000, 500, 2000, 2001, 1500, 500};
    for (size_t i = 0; i < COUNT(received); i++) {
        struct arrival a;
        char id[16];
        snprintf(id, sizeof(id), "evt_%zu", i);
        arrive(&a, id, 0)->received_ms = received[i];
        assert_int_equal(commit_put(stage->engine, &a.put), RC_OK);
    }
    struct inbox_batch batch = {.prune = {.before_ms = 800, .limit = 2},
                                .now_ms = 1999};
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    assert_int_equal(batch.prune.pruned, 1);
    assert_int_equal(batch.prune.after_seq, 2); /* of those looked at */
    batch.prune.limit = 9;
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    assert_int_equal(batch.prune.pruned, 1);
    assert_int_equal(batch.prune.after_seq, 0); /* up to the first young one */
}

/* ---- Twins ---------------------------------------------------------- */

/* Put an event with a twin key, or none for 0, that names another. */
static struct inbox_put
put_twin(struct stage *stage, const char *id, int twin, const char *snapshot,
         size_t plugins)
{
    struct arrival a;
    arrive(&a, id, plugins);
    memset(a.twin, twin, sizeof(a.twin));
    a.put.twin = twin == 0 ? NULL : a.twin;
    a.event.family = snapshot[0] != '\0' ? EVENT_THIN : EVENT_SNAPSHOT;
    snprintf(a.event.snapshot_event, sizeof(a.event.snapshot_event), "%s",
             snapshot);
    assert_int_equal(commit_put(stage->engine, &a.put), RC_OK);
    return a.put;
}

static void
of_twins_a_plugin_can_have_only_the_first(void **state)
{
    struct stage *stage = *state;
    stage->collapse_twins = 1;
    register_first(stage);
    struct inbox_put put = put_twin(stage, "evt_1", 7, "", 2);
    assert_int_equal(put.pending, 2);
    put = put_twin(stage, "evt_2", 7, "", 2);
    assert_int_equal(put.pending, 1); /* plugin 2 wants both */
    assert_int_equal(put.collapsed, 1);
    assert_int_equal(state_of(stage, 2), NO_ROW);
    assert_int_equal(last_outcome(stage, 2), INBOX_SKIP);
    assert_int_equal(put_twin(stage, "evt_3", 8, "", 1).pending, 1);
    assert_int_equal(put_twin(stage, "evt_4", 0, "", 1).pending, 1);
    assert_int_equal(put_twin(stage, "evt_5", 0, "", 1).pending, 1);

    /* Also when the first is done; not when this plugin never had it. */
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish_done(stage, &claim);
    assert_int_equal(put_twin(stage, "evt_6", 7, "", 1).collapsed, 1);
    put_twin(stage, "evt_7", 9, "", 0);
    assert_int_equal(put_twin(stage, "evt_8", 9, "", 1).pending, 1);
}

/* What was changed, changed back, and changed again: the third event looks like
 * the first, byte for byte, and tells of something else. */
static void
same_change_made_again_is_no_twin(void **state)
{
    struct stage *stage = *state;
    static const struct {
        int64_t created_s;
        size_t pending;
    } cases[] = {{1000, 1},
                 {1000 + INBOX_TWIN_APART_S, 0},
                 {1000 - INBOX_TWIN_APART_S, 0},
                 {1001 + 2 * INBOX_TWIN_APART_S, 1},
                 {INT64_MIN, 1},
                 {INT64_MAX, 1},
                 {999 - 2 * INBOX_TWIN_APART_S, 1}};
    stage->collapse_twins = 1;
    register_first(stage);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arrival a;
        char id[16];
        snprintf(id, sizeof(id), "evt_%zu", i);
        arrive(&a, id, 1);
        memset(a.twin, 7, sizeof(a.twin));
        a.put.twin = a.twin;
        a.event.created_s = cases[i].created_s;
        assert_int_equal(commit_put(stage->engine, &a.put), RC_OK);
        assert_int_equal(a.put.pending, cases[i].pending);
    }
}

static void
thin_and_snapshot_are_twins_whichever_comes_first(void **state)
{
    struct stage *stage = *state;
    stage->collapse_twins = 1;
    register_first(stage);
    put_twin(stage, "evt_snap", 0, "", 1);
    assert_int_equal(put_twin(stage, "evt_thin", 0, "evt_snap", 1).collapsed,
                     1);
    put_twin(stage, "evt_thin2", 0, "evt_snap2", 1);
    assert_int_equal(put_twin(stage, "evt_snap2", 0, "", 1).collapsed, 1);
    assert_int_equal(put_twin(stage, "evt_other", 0, "", 1).collapsed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGES(replayed_dead_letter_starts_anew),
        ON_STAGES(done_event_is_delivered_again),
        ON_STAGES(waiting_one_is_tried_now_with_its_count),
        ON_STAGES(replayed_one_takes_its_turn_in_the_lane),
        ON_STAGES(only_dead_letters_are_discarded),
        ON_STAGES(job_counts_how_its_deliveries_end),
        ON_STAGES(when_the_clock_is_set_what_waits_moves_along),
        ON_STAGES(old_events_go_unless_something_is_owed),
        ON_STAGES(event_of_the_future_does_not_keep_others),
        ON_STAGES(of_twins_a_plugin_can_have_only_the_first),
        ON_STAGES(same_change_made_again_is_no_twin),
        ON_STAGES(thin_and_snapshot_are_twins_whichever_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
