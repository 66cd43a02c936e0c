/* tests/unit/test_inbox_failing.c: the inbox while its store fails, and when
 * it works again or is closed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"

#define FOR_EVER UINT_MAX

/* Put an event and get its claim. */
static struct inbox_claim *
put_and_claim(struct rig *rig, const char *id)
{
    inbox_want(rig->inbox, rig->plugin, 1);
    assert_int_equal(put_event(rig, id), RC_OK);
    return await_claim(rig);
}

static void
refused_puts_are_not_stored(void **state)
{
    struct rig *rig = *state;
    static const int codes[] = {RC_FULL, RC_IO, RC_CORRUPT, RC_UNKNOWN};
    for (size_t i = 0; i < COUNT(codes); i++) {
        inbox_model_fail(rig->model, codes[i], 0, 1);
        assert_int_equal(put_event(rig, "evt_1"), codes[i]);
        assert_int_equal(inbox_model_events(rig->model), 0);
        assert_int_equal(stats_of(rig).failures, i + 1);
    }
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    assert_int_equal(stats_of(rig).events, 1);
}

static void
all_puts_of_a_failed_batch_are_refused(void **state)
{
    struct rig *rig = *state;
    struct putter first, waiting[8];
    inbox_model_hold(rig->model);
    inbox_model_fail(rig->model, RC_FULL, 0, FOR_EVER);
    start_put(rig, &first, "evt_first", PATIENCE_MS);
    inbox_model_await_held(rig->model);
    for (size_t i = 0; i < COUNT(waiting); i++) {
        char id[32];
        snprintf(id, sizeof(id), "evt_%zu", i);
        start_put(rig, &waiting[i], id, PATIENCE_MS);
    }
    inbox_model_release(rig->model);
    assert_int_equal(end_put(&first), RC_FULL);
    for (size_t i = 0; i < COUNT(waiting); i++) {
        assert_int_equal(end_put(&waiting[i]), RC_FULL);
    }
    close_inbox(rig);
    assert_int_equal(events_in(rig), 0);
}

static void
put_that_was_stored_after_all_is_a_duplicate(void **state)
{
    struct rig *rig = *state;
    inbox_model_fail(rig->model, RC_UNKNOWN, 1, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_UNKNOWN);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    assert_int_equal(stats_of(rig).duplicates, 1);
    close_inbox(rig);
    assert_int_equal(events_in(rig), 1);
}

static void
readiness_goes_and_comes_back_by_itself(void **state)
{
    struct rig *rig = *state;
    assert_true(inbox_ready(rig->inbox));
    inbox_model_fail(rig->model, RC_FULL, 0, 3); /* this put and two probes */
    assert_int_equal(put_event(rig, "evt_1"), RC_FULL);
    assert_false(inbox_ready(rig->inbox));
    AWAIT(inbox_model_calls(rig->model).probes == 2);
    assert_false(inbox_ready(rig->inbox));
    AWAIT(inbox_ready(rig->inbox));
    assert_int_equal(inbox_model_calls(rig->model).probes, 3);
    assert_int_equal(inbox_model_calls(rig->model).commits, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
}

/* A full disk answers questions as ever: that tells nothing of the next put. */
static void
question_does_not_tell_that_the_store_works_again(void **state)
{
    struct rig *rig = *state;
    struct inbox_lookup *lookup = calloc(1, sizeof(*lookup));
    assert_non_null(lookup);
    lookup->plugin = rig->plugin;
    lookup->key_len = 1;
    inbox_model_fail(rig->model, RC_FULL, 0, 2); /* this put and a probe */
    assert_int_equal(put_event(rig, "evt_1"), RC_FULL);
    inbox_look_up(rig->inbox, lookup);
    lookup = await_lookup(rig);
    assert_int_equal(lookup->rc, RC_FULL);
    inbox_lookups_free(lookup);
    assert_int_equal(inbox_model_calls(rig->model).probes, 1);
    assert_int_equal(inbox_model_calls(rig->model).commits, 1);
    assert_false(inbox_ready(rig->inbox));
    AWAIT(inbox_ready(rig->inbox));
}

static void
results_survive_failing_commits(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *one = put_and_claim(rig, "evt_1");
    struct inbox_claim *two = put_and_claim(rig, "evt_2");
    inbox_model_fail(rig->model, RC_IO, 0, FOR_EVER);
    inbox_finish(rig->inbox, result_of(one, INBOX_DONE, INBOX_CLOSE));
    AWAIT(!inbox_ready(rig->inbox));
    inbox_finish(rig->inbox, result_of(two, INBOX_FAIL, INBOX_BURY));
    unsigned before = inbox_model_calls(rig->model).commits;
    AWAIT(inbox_model_calls(rig->model).commits > before); /* tried again */
    assert_int_equal(put_event(rig, "evt_3"), RC_IO);
    assert_int_equal(inbox_model_attempts(rig->model), 0);

    inbox_model_fail(rig->model, RC_OK, 0, 0);
    AWAIT(inbox_ready(rig->inbox));
    assert_int_equal(inbox_model_attempts(rig->model), 2);
    assert_int_equal(inbox_model_deliveries(rig->model, -1), 1);
    assert_int_equal(inbox_model_deliveries(rig->model, INBOX_DEAD), 1);
    assert_int_equal(stats_of(rig).closed, 2);
    assert_int_equal(stats_of(rig).buried, 1);
    free(one);
    free(two);
}

/* The retry of a commit that had happened is refused by the lease. */
static void
result_of_unknown_commit_is_logged_once(void **state)
{
    struct rig *rig = *state;
    static const enum inbox_next all[] = {INBOX_CLOSE, INBOX_AGAIN, INBOX_BURY};
    for (size_t i = 0; i < 2 * COUNT(all); i++) {
        char id[32];
        snprintf(id, sizeof(id), "evt_%zu", i);
        struct inbox_claim *claim = put_and_claim(rig, id);
        struct inbox_result *result = result_of(claim, INBOX_RETRY, all[i / 2]);
        result->due_ms = INT64_MAX; /* never, for the test */
        inbox_model_fail(rig->model, RC_UNKNOWN, (int)i % 2, 1);
        inbox_finish(rig->inbox, result);
        AWAIT(!inbox_ready(rig->inbox));
        AWAIT(inbox_ready(rig->inbox));
        assert_int_equal(inbox_model_attempts(rig->model), i + 1);
        free(claim);
    }
}

/* Whether it happened or not, what was claimed in it is not lost until the
 * next start, and costs no attempt. */
static void
claims_of_unknown_commit_come_again(void **state)
{
    struct rig *rig = *state;
    for (int happened = 0; happened < 2; happened++) {
        const char *id = happened ? "evt_1" : "evt_0";
        unsigned before = inbox_model_calls(rig->model).commits;
        inbox_want(rig->inbox, rig->plugin, 1);
        AWAIT(inbox_model_calls(rig->model).commits > before);
        inbox_model_fail(rig->model, RC_UNKNOWN, happened, 1);
        assert_int_equal(put_event(rig, id), RC_UNKNOWN);
        assert_int_equal(put_event(rig, id), RC_OK);
        struct inbox_claim *claim = await_claim(rig);
        assert_string_equal(claim->event_id, id);
        assert_int_equal(claim->attempt, 1);
        inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
        free(claim);
        AWAIT(inbox_model_deliveries(rig->model, INBOX_LEASED) == 0);
        assert_int_equal(claims_so_far(rig), happened + 1);
    }
    assert_int_equal(inbox_model_attempts(rig->model), 2);
}

/* In a long outage each of them would leave something to be undone. */
static void
nothing_is_claimed_while_the_store_fails(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    inbox_model_fail(rig->model, RC_UNKNOWN, 0, FOR_EVER);
    inbox_want(rig->inbox, rig->plugin, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(put_event(rig, "evt_2"), RC_UNKNOWN);
    }
    inbox_model_fail(rig->model, RC_OK, 0, 0);
    struct inbox_claim *claim = await_claim(rig);
    assert_string_equal(claim->event_id, "evt_1");
    assert_int_equal(claim->attempt, 1);
    free(claim);
    assert_true(inbox_model_calls(rig->model).most_results <= 1);
}

static void
wishes_survive_failing_commits(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    inbox_model_fail(rig->model, RC_FULL, 0, 2);
    inbox_want(rig->inbox, rig->plugin, 1);
    struct inbox_claim *claim = await_claim(rig);
    assert_int_equal(claim->attempt, 1);
    free(claim);
}

/* ---- Closing -------------------------------------------------------- */

static void
closing_writes_what_waits(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    close_inbox(rig);
    assert_int_equal(attempts_in(rig), 1);
    assert_int_equal(deliveries_in(rig, INBOX_READY), 0);
    assert_int_equal(deliveries_in(rig, INBOX_LEASED), 0);
}

/* The store failed a moment ago: a last try is due to what was done. */
static void
closing_tries_once_more_after_a_failure(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    inbox_model_fail(rig->model, RC_FULL, 0, 1);
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    AWAIT(!inbox_ready(rig->inbox));
    close_inbox(rig);
    assert_int_equal(attempts_in(rig), 1);
    assert_int_equal(deliveries_in(rig, -1), 0);
}

static void
closing_ends_though_the_store_fails(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    inbox_model_fail(rig->model, RC_FULL, 0, FOR_EVER);
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    close_inbox(rig);
    assert_true(inbox_model_calls(rig->model).closed);
    assert_int_equal(deliveries_in(rig, INBOX_LEASED), 1); /* runs again */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_MODEL(refused_puts_are_not_stored),
        ON_MODEL(all_puts_of_a_failed_batch_are_refused),
        ON_MODEL(put_that_was_stored_after_all_is_a_duplicate),
        ON_MODEL(readiness_goes_and_comes_back_by_itself),
        ON_MODEL(question_does_not_tell_that_the_store_works_again),
        ON_MODEL(results_survive_failing_commits),
        ON_MODEL(result_of_unknown_commit_is_logged_once),
        ON_MODEL(claims_of_unknown_commit_come_again),
        ON_MODEL(nothing_is_claimed_while_the_store_fails),
        ON_MODEL(wishes_survive_failing_commits),
        ON_BOTH(closing_writes_what_waits),
        ON_MODEL(closing_tries_once_more_after_a_failure),
        ON_MODEL(closing_ends_though_the_store_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
