/* tests/unit/test_inbox_lane.c: which deliveries of a plugin may run beside
 * each other, and which come first.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_stage.h"

static void
without_lanes_all_are_ready(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    claim_seq(stage, 2000, 1);
    claim_seq(stage, 2000, 2);
}

static void
of_one_object_they_run_one_after_the_other(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    put_about(stage, "evt_3", "pi_1");
    put_about(stage, "evt_4", "pi_2");
    put_about(stage, "evt_5", ""); /* of nothing: no lane */
    put_about(stage, "evt_6", "");
    struct inbox_claim first = claim_seq(stage, 2000, 1);
    claim_seq(stage, 2000, 4);
    claim_seq(stage, 2000, 5);
    claim_seq(stage, 2000, 6);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    finish_done(stage, &first);
    assert_int_equal(state_of(stage, 2), INBOX_READY);
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    first = claim_seq(stage, 2000, 2);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    finish(stage, &first, INBOX_FAIL, INBOX_BURY, 0); /* dead: out of the way */
    claim_seq(stage, 2000, 3);
}

static void
new_one_stands_behind_those_held(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    put_about(stage, "evt_1", "pi_1");
    struct inbox_claim first = claim_seq(stage, 2000, 1);
    put_about(stage, "evt_2", "pi_1");
    assert_int_equal(state_of(stage, 2), INBOX_HELD);
    finish_done(stage, &first);
    put_about(stage, "evt_3", "pi_1");
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    claim_seq(stage, 2000, 2);
}

static void
retry_lets_others_of_its_object_pass(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    put_about(stage, "evt_3", "pi_1");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    assert_int_equal(state_of(stage, 1), INBOX_WAITING);
    claim = claim_seq(stage, 8999, 2);
    /* Due while another runs: held, and first of those. */
    assert_int_equal(claim_one(stage, 9000).seq, 0);
    assert_int_equal(state_of(stage, 1), INBOX_HELD);
    finish_done(stage, &claim);
    claim = claim_seq(stage, 9000, 1);
    assert_int_equal(claim.attempt, 2);
    assert_int_equal(claim_one(stage, 9000).seq, 0);
}

static void
strict_retry_keeps_its_place(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_STRICT);
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    put_about(stage, "evt_3", "pi_1");
    assert_int_equal(claim_one(stage, 8999).seq, 0);
    assert_int_equal(state_of(stage, 2), INBOX_HELD);
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    claim = claim_seq(stage, 9000, 1);
    finish_done(stage, &claim);
    claim_seq(stage, 9000, 2);
}

static void
undone_claim_keeps_its_place(void **state)
{
    struct stage *stage = *state;
    for (int order = INBOX_OBJECT; order <= INBOX_STRICT; order++) {
        char id[16], object[16];
        snprintf(object, sizeof(object), "pi_%d", order);
        set_order(stage, (enum inbox_order)order);
        snprintf(id, sizeof(id), "evt_%d_a", order);
        int64_t first = put_about(stage, id, object);
        snprintf(id, sizeof(id), "evt_%d_b", order);
        int64_t second = put_about(stage, id, object);
        struct inbox_claim claim = claim_seq(stage, 2000, first);
        finish(stage, &claim, INBOX_LOST, INBOX_UNDO, 0);
        assert_int_equal(state_of(stage, second), INBOX_HELD);
        assert_int_equal(row_of(stage, first).attempt, 0);
        assert_int_equal(row_of(stage, first).first_ms, 0);
        claim = claim_seq(stage, 2000, first);
        finish_done(stage, &claim);
        claim = claim_seq(stage, 2000, second);
        finish_done(stage, &claim);
    }
}

static void
lost_lease_keeps_its_place(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    claim_seq(stage, 2000, 1);
    restart_stage(stage);
    assert_int_equal(state_of(stage, 2), INBOX_HELD);
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    assert_int_equal(claim.attempt, 2);
    assert_int_equal(claim.spared, 1);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
}

/* ---- Another order -------------------------------------------------- */

static void
lanes_are_made_of_what_had_none(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_2");
    put_about(stage, "evt_3", "pi_1");
    put_about(stage, "evt_4", "pi_2");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    set_order(stage, INBOX_OBJECT);
    assert_int_equal(state_of(stage, 1), INBOX_LEASED);
    assert_int_equal(state_of(stage, 2), INBOX_READY);
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    assert_int_equal(state_of(stage, 4), INBOX_HELD);
    finish_done(stage, &claim);
    assert_int_equal(state_of(stage, 3), INBOX_READY);
    set_order(stage, INBOX_ANY);
    assert_int_equal(state_of(stage, 4), INBOX_READY);
}

static void
strict_counts_those_that_wait(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    put_about(stage, "evt_3", "pi_1");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    claim = claim_seq(stage, 2000, 2);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 8000);
    set_order(stage, INBOX_STRICT);
    assert_int_equal(state_of(stage, 1), INBOX_WAITING);
    assert_int_equal(state_of(stage, 2), INBOX_HELD);
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    assert_int_equal(claim_one(stage, 8999).seq, 0);
    claim_seq(stage, 9000, 1);
}

/* Two of one object were handed out when there were no lanes. Whatever becomes
 * of them, no third runs beside one, and they no more beside each other. */
static void
change_of_order_while_two_are_out_lets_no_third_run(void **state)
{
    struct stage *stage = *state;
    for (int order = INBOX_OBJECT; order <= INBOX_STRICT; order++) {
        char ids[3][16], object[16];
        int64_t seqs[3];
        set_order(stage, INBOX_ANY);
        snprintf(object, sizeof(object), "pi_%d", order);
        for (int i = 0; i < 3; i++) {
            snprintf(ids[i], sizeof(ids[i]), "evt_%d_%d", order, i);
            seqs[i] = put_about(stage, ids[i], object);
        }
        struct inbox_claim one = claim_seq(stage, 2000, seqs[0]);
        struct inbox_claim two = claim_seq(stage, 2000, seqs[1]);
        set_order(stage, (enum inbox_order)order);
        finish(stage, &one, INBOX_LOST, INBOX_UNDO, 0);
        assert_int_equal(claim_one(stage, 2000).seq, 0);
        finish_done(stage, &two);
        one = claim_seq(stage, 2000, seqs[0]);
        assert_int_equal(claim_one(stage, 2000).seq, 0);
        finish_done(stage, &one);
        two = claim_seq(stage, 2000, seqs[2]);
        finish_done(stage, &two);
    }
}

static void
restart_after_such_a_change_keeps_them_apart(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    claim_seq(stage, 2000, 1);
    claim_seq(stage, 2000, 2);
    set_order(stage, INBOX_OBJECT);
    restart_stage(stage);
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    finish_done(stage, &claim);
    claim_seq(stage, 2000, 2);
}

/* ---- Classes -------------------------------------------------------- */

/* Forty fresh ones, forty that wait for their retry, forty replayed ones. */
static void
put_all_classes(struct stage *stage)
{
    for (int i = 0; i < 120; i++) {
        char id[16];
        snprintf(id, sizeof(id), "evt_%d", i);
        put_about(stage, id, "");
        if (i < 80) {
            struct inbox_claim claim = claim_seq(stage, 2000, i + 1);
            if (i < 40) {
                finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 3000);
            } else {
                finish_done(stage, &claim);
                assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, i + 1, NULL),
                                 1);
                /* Not now: it would be claimed next. */
                claim = claim_seq(stage, 2000, i + 1);
                finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 3000);
            }
        }
    }
}

static void
classes_share_and_each_goes_in_order(void **state)
{
    struct stage *stage = *state;
    put_all_classes(stage);
    struct inbox_want want = claim_due(stage->engine, 1, 1, 3000);
    inbox_claims_free(want.claims); /* a second look: 64 come due in one */
    struct inbox_want next = {.plugin = 1, .count = 26, .turn = want.turn};
    struct inbox_batch batch = {
        .wants = &next, .want_count = 1, .now_ms = 3000};
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    assert_int_equal(next.claimed, 26);
    assert_int_equal(next.turn, 27);
    unsigned counts[3] = {0};
    int64_t last[3] = {0};
    for (struct inbox_claim *c = next.claims; c != NULL; c = c->next) {
        int class = c->seq > 80   ? INBOX_FRESH
                    : c->seq > 40 ? INBOX_REPLAYED
                                  : INBOX_AGED;
        assert_true(c->seq > last[class]);
        assert_int_equal(c->replay, class == INBOX_REPLAYED);
        last[class] = c->seq;
        counts[class]++;
    }
    assert_int_equal(counts[INBOX_FRESH], 16);
    assert_int_equal(counts[INBOX_AGED], 8);
    assert_int_equal(counts[INBOX_REPLAYED], 2);
    inbox_claims_free(next.claims);
}

static void
bodies_of_one_go_have_a_bound(void **state)
{
    struct stage *stage = *state;
    const size_t len = ENGINE_CLAIM_BYTES_MAX / 2;
    char *body = calloc(1, 2 * len + 1);
    assert_non_null(body);
    static const int extra[] = {0, 0, 1, 0, -1}; /* two of these in one go */
    for (size_t i = 0; i < COUNT(extra); i++) {
        struct arrival a;
        char id[16];
        snprintf(id, sizeof(id), "evt_%zu", i);
        arrive(&a, id, 1);
        a.put.body = body;
        a.put.body_len = i == 4 ? 2 * len + 1 : (size_t)((int)len + extra[i]);
        assert_int_equal(commit_put(stage->engine, &a.put), RC_OK);
    }
    static const unsigned claimed[] = {2, 1, 1, 1, 0};
    for (size_t i = 0; i < COUNT(claimed); i++) {
        struct inbox_want want = claim_due(stage->engine, 1, 9, 2000);
        assert_int_equal(want.claimed, claimed[i]);
        assert_true(want.next_ms == (i < 3 ? 0 : INT64_MAX));
        inbox_claims_free(want.claims);
    }
    free(body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGES(without_lanes_all_are_ready),
        ON_STAGES(of_one_object_they_run_one_after_the_other),
        ON_STAGES(new_one_stands_behind_those_held),
        ON_STAGES(retry_lets_others_of_its_object_pass),
        ON_STAGES(strict_retry_keeps_its_place),
        ON_STAGES(undone_claim_keeps_its_place),
        ON_STAGES(lost_lease_keeps_its_place),
        ON_STAGES(lanes_are_made_of_what_had_none),
        ON_STAGES(strict_counts_those_that_wait),
        ON_STAGES(change_of_order_while_two_are_out_lets_no_third_run),
        ON_STAGES(restart_after_such_a_change_keeps_them_apart),
        ON_STAGES(classes_share_and_each_goes_in_order),
        ON_STAGES(bodies_of_one_go_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
