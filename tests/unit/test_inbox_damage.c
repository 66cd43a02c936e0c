/* tests/unit/test_inbox_damage.c: an event that is gone from the file, though
 * something is owed for it, harms nothing but itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_stage.h"

/* Remove the row of one event, as a bad disk may; what hangs on it stays. */
static void
lose_event(struct stage *stage, int64_t seq)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "DELETE FROM event WHERE seq = %lld",
             (long long)seq);
    ask_db(stage_db(stage), sql);
}

static void
order_can_be_changed_though_an_event_is_lost(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    put_about(stage, "evt_3", "pi_1");
    lose_event(stage, 1);
    set_order(stage, INBOX_OBJECT);
    assert_int_equal(state_of(stage, 2), INBOX_READY);
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    claim_seq(stage, 2000, 0); /* buries it */
    struct inbox_claim claim = claim_seq(stage, 2000, 2);
    assert_int_equal(state_of(stage, 1), INBOX_DEAD);
    finish_done(stage, &claim);
    claim_seq(stage, 2000, 3);
}

/* Or each new event would be given that number, and none could be stored. */
static void
number_of_a_lost_event_is_not_given_again(void **state)
{
    struct stage *stage = *state;
    put_about(stage, "evt_1", "");
    put_about(stage, "evt_2", "");
    lose_event(stage, 2);
    assert_int_equal(put_about(stage, "evt_3", ""), 3);
    ask_db(stage_db(stage), "DELETE FROM body WHERE seq = 3");
    lose_event(stage, 3);
    assert_int_equal(put_about(stage, "evt_4", ""), 4);
    claim_seq(stage, 2000, 1);
    claim_seq(stage, 2000, 0); /* buries one at a time */
    claim_seq(stage, 2000, 0);
    claim_seq(stage, 2000, 4);
    assert_int_equal(state_of(stage, 2), INBOX_DEAD);
    assert_int_equal(state_of(stage, 3), INBOX_DEAD);
    assert_int_equal(state_of(stage, 4), INBOX_LEASED);
}

static void
job_counts_a_lost_event_as_dead(void **state)
{
    struct stage *stage = *state;
    struct inbox_job job = {.kind = "replay", .state = "running"};
    put_about(stage, "evt_1", "");
    bury_next(stage, 2000);
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, &job), 1);
    lose_event(stage, 1);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    assert_int_equal(state_of(stage, 1), INBOX_DEAD);
    assert_int_equal(ask_db(stage_db(stage), "SELECT dead FROM job"), 1);
}

int
main(void)
{
#define ON_FILE(test)                                                          \
    cmocka_unit_test_setup_teardown(test, stage_on_sqlite, close_stage)
    const struct CMUnitTest tests[] = {
        ON_FILE(order_can_be_changed_though_an_event_is_lost),
        ON_FILE(number_of_a_lost_event_is_not_given_again),
        ON_FILE(job_counts_a_lost_event_as_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
