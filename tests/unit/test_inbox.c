/* tests/unit/test_inbox.c: the inbox's writer: puts that share a commit, claims
 * and results that travel along, and a store that fails for a while.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"

#include <semaphore.h>
#include <stdatomic.h>

/* ---- Puts ----------------------------------------------------------- */

static void
same_id_from_many_threads_is_stored_once(void **state)
{
    struct rig *rig = *state;
    static struct putter putters[32];
    unsigned fresh = 0, repeats = 0;
    for (size_t i = 0; i < COUNT(putters); i++) {
        start_put(rig, &putters[i], "evt_same", PATIENCE_MS);
    }
    for (size_t i = 0; i < COUNT(putters); i++) {
        assert_int_equal(end_put(&putters[i]), RC_OK);
        assert_int_equal(putters[i].arrival.put.seq, 1);
        fresh += !putters[i].arrival.put.duplicate;
        repeats += putters[i].arrival.put.duplicate != 0;
    }
    assert_int_equal(fresh, 1);
    assert_int_equal(repeats, 31);
    assert_int_equal(stats_of(rig).events, 1);
    assert_int_equal(stats_of(rig).duplicates, 31);
    assert_int_equal(stats_of(rig).deliveries, 1);
    close_inbox(rig);
    assert_int_equal(events_in(rig), 1);
    assert_int_equal(deliveries_in(rig, INBOX_READY), 1);
}

/* While one commit is held up, `count` puts come to wait; the largest batch
 * that follows is returned. */
static unsigned
largest_batch_of(struct rig *rig, size_t count, int64_t settle_ms)
{
    static struct putter first, waiting[140];
    char id[32];
    inbox_model_hold(rig->model);
    snprintf(id, sizeof(id), "evt_%lld_first", (long long)settle_ms);
    start_put(rig, &first, id, PATIENCE_MS);
    inbox_model_await_held(rig->model);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "evt_%lld_%zu", (long long)settle_ms, i);
        start_put(rig, &waiting[i], id, PATIENCE_MS);
    }
    pause_ms(settle_ms); /* nothing tells that a put stands in the queue */
    inbox_model_release(rig->model);
    assert_int_equal(end_put(&first), RC_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(end_put(&waiting[i]), RC_OK);
    }
    return inbox_model_calls(rig->model).most_puts;
}

static void
puts_that_wait_share_the_next_commit(void **state)
{
    struct rig *rig = *state;
    unsigned largest = 0;
    for (int64_t ms = 20; largest < 20 && ms < PATIENCE_MS; ms *= 2) {
        largest = largest_batch_of(rig, 20, ms);
    }
    assert_int_equal(largest, 20);
}

static void
batch_has_a_bound(void **state)
{
    struct rig *rig = *state;
    unsigned largest = 0;
    for (int64_t ms = 40; largest < 128 && ms < PATIENCE_MS; ms *= 2) {
        largest = largest_batch_of(rig, 140, ms);
    }
    assert_int_equal(largest, 128);
}

/* Out of turn: from the head, the middle and the end of the queue. */
static void
put_whose_turn_does_not_come_is_busy_and_never_stored(void **state)
{
    struct rig *rig = *state;
    static const int64_t wait_ms[] = {5, PATIENCE_MS, 60, PATIENCE_MS, 30};
    struct putter first, behind, waiting[COUNT(wait_ms)];
    inbox_model_hold(rig->model);
    start_put(rig, &first, "evt_first", 5); /* in a commit: waits for it */
    inbox_model_await_held(rig->model);
    for (size_t i = 0; i < COUNT(wait_ms); i++) {
        char id[32];
        snprintf(id, sizeof(id), "evt_%zu", i);
        start_put(rig, &waiting[i], id, wait_ms[i]);
        pause_ms(2); /* mostly one behind the other */
    }
    for (size_t i = 0; i < COUNT(wait_ms); i += 2) {
        assert_int_equal(end_put(&waiting[i]), RC_BUSY);
    }
    start_put(rig, &behind, "evt_behind", PATIENCE_MS);
    pause_ms(20); /* behind what has left */
    inbox_model_release(rig->model);
    assert_int_equal(end_put(&behind), RC_OK);
    assert_int_equal(end_put(&first), RC_OK);
    assert_int_equal(end_put(&waiting[1]), RC_OK);
    assert_int_equal(end_put(&waiting[3]), RC_OK);
    assert_int_equal(put_event(rig, "evt_last"), RC_OK);
    assert_int_equal(stats_of(rig).events, 5);
    close_inbox(rig);
    assert_int_equal(events_in(rig), 5);
}

/* ---- Claims --------------------------------------------------------- */

static void
standing_wish_is_met_by_the_commit_of_the_put(void **state)
{
    struct rig *rig = *state;
    inbox_want(rig->inbox, rig->plugin, 1);
    AWAIT(commits_of(rig) == 1); /* it has looked, in vain */
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    struct inbox_claim *claim = await_claim(rig);
    assert_string_equal(claim->event_id, "evt_1");
    assert_int_equal(claim->attempt, 1);
    assert_string_equal(claim->body, "{\"a\":1}");
    free(claim);
    assert_int_equal(commits_of(rig), 2);
}

static void
no_more_come_than_are_wished_for(void **state)
{
    struct rig *rig = *state;
    static const char *const ids[] = {"evt_1", "evt_2", "evt_3", "evt_4"};
    inbox_want(rig->inbox, rig->plugin, 2);
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(put_event(rig, ids[i]), RC_OK);
    }
    AWAIT(claims_so_far(rig) == 2);
    inbox_want(rig->inbox, rig->plugin, 1);
    inbox_want(rig->inbox, rig->plugin, 9);
    AWAIT(claims_so_far(rig) == COUNT(ids));
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct inbox_claim *claim = take_claim(rig);
        assert_string_equal(claim->event_id, ids[i]);
        free(claim);
    }
}

static void
wishes_can_be_taken_back(void **state)
{
    struct rig *rig = *state;
    inbox_want(rig->inbox, rig->plugin, 5);
    AWAIT(commits_of(rig) == 1);
    inbox_want_nothing(rig->inbox);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    assert_int_equal(put_event(rig, "evt_2"), RC_OK);
    assert_int_equal(commits_of(rig), 3);
    assert_int_equal(claims_so_far(rig), 0);
    inbox_want(rig->inbox, rig->plugin, 1);
    free(await_claim(rig));
    close_inbox(rig);
    assert_int_equal(claims_so_far(rig), 1);
    assert_int_equal(deliveries_in(rig, INBOX_READY), 1);
}

static void
due_time_wakes_the_writer(void **state)
{
    struct rig *rig = *state;
    inbox_want(rig->inbox, rig->plugin, 2);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    struct inbox_claim *claim = await_claim(rig);
    struct inbox_result *result = result_of(claim, INBOX_RETRY, INBOX_AGAIN);
    int64_t due_ms = result->due_ms = clock_wall_ms() + 150;
    free(claim);
    inbox_finish(rig->inbox, result);

    claim = await_claim(rig);
    assert_int_equal(claim->attempt, 2);
    assert_true(clock_wall_ms() >= due_ms);
    assert_true(clock_wall_ms() < due_ms + 2000);
    free(claim);
}

static void
undone_claim_comes_again_as_the_same_attempt(void **state)
{
    struct rig *rig = *state;
    inbox_want(rig->inbox, rig->plugin, 2);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    struct inbox_claim *claim = await_claim(rig);
    inbox_finish(rig->inbox, result_of(claim, INBOX_LOST, INBOX_UNDO));
    free(claim);
    claim = await_claim(rig);
    assert_int_equal(claim->attempt, 1);
    assert_int_equal(claim->lease, 2);
    free(claim);
    close_inbox(rig);
    assert_int_equal(attempts_in(rig), 0);
}

static void
idle_writer_does_nothing(void **state)
{
    struct rig *rig = *state;
    inbox_want(rig->inbox, rig->plugin, 2);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    struct inbox_claim *claim = await_claim(rig);
    struct inbox_result *result = result_of(claim, INBOX_RETRY, INBOX_AGAIN);
    result->due_ms = clock_wall_ms() + 3600000;
    free(claim);
    inbox_finish(rig->inbox, result);
    AWAIT(inbox_model_attempts(rig->model) == 1);
    struct model_calls before = inbox_model_calls(rig->model);
    pause_ms(700);
    struct model_calls after = inbox_model_calls(rig->model);
    assert_int_equal(after.commits, before.commits);
    assert_int_equal(after.probes, 0);
    assert_int_equal(inbox_stalled_ms(rig->inbox), 0);
}

static void
stalled_writer_can_be_seen(void **state)
{
    struct rig *rig = *state;
    struct putter putter;
    inbox_model_hold(rig->model);
    start_put(rig, &putter, "evt_1", PATIENCE_MS);
    AWAIT(inbox_stalled_ms(rig->inbox) >= 50);
    inbox_model_release(rig->model);
    assert_int_equal(end_put(&putter), RC_OK);
    AWAIT(inbox_stalled_ms(rig->inbox) == 0);
}

/* ---- Listeners that leave ------------------------------------------- */

struct slow_listener {
    sem_t entered;
    atomic_int left;
};

static void
listen_slowly(void *arg, struct inbox_claim *claims)
{
    struct slow_listener *slow = arg;
    inbox_claims_free(claims);
    sem_post(&slow->entered);
    pause_ms(50);
    atomic_store(&slow->left, 1);
}

/* Its memory may go as soon as it is no longer the listener. */
static void
replaced_listener_is_not_called_any_more(void **state)
{
    struct rig *rig = *state;
    struct slow_listener slow = {.left = 0};
    sem_init(&slow.entered, 0, 0);
    inbox_listen(rig->inbox, &(struct inbox_listener){.claims = listen_slowly,
                                                      .arg = &slow});
    inbox_want(rig->inbox, rig->plugin, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    sem_wait(&slow.entered);
    inbox_listen(rig->inbox, NULL);
    assert_true(atomic_load(&slow.left));
    sem_destroy(&slow.entered);
}

/* A wish of the former listener is just being met: the delivery must not stay
 * leased to nobody, nor come to one who did not ask. */
static void
claims_of_a_former_listener_go_back(void **state)
{
    struct rig *rig = *state;
    struct putter putter;
    inbox_want(rig->inbox, rig->plugin, 1);
    AWAIT(commits_of(rig) == 1);
    inbox_model_hold(rig->model);
    start_put(rig, &putter, "evt_1", PATIENCE_MS);
    inbox_model_await_held(rig->model);
    inbox_listen(rig->inbox, NULL);
    listen_to(rig);
    inbox_model_release(rig->model);
    assert_int_equal(end_put(&putter), RC_OK);
    AWAIT(inbox_model_deliveries(rig->model, INBOX_READY) == 1);
    assert_int_equal(claims_so_far(rig), 0);

    inbox_want(rig->inbox, rig->plugin, 1);
    struct inbox_claim *claim = await_claim(rig);
    assert_int_equal(claim->attempt, 1);
    free(claim);
}

static void
without_a_listener_nothing_is_claimed(void **state)
{
    struct rig *rig = *state;
    inbox_want(rig->inbox, rig->plugin, 1);
    inbox_listen(rig->inbox, NULL);
    inbox_want(rig->inbox, rig->plugin, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    close_inbox(rig);
    assert_int_equal(deliveries_in(rig, INBOX_READY), 1);
    assert_int_equal(attempts_in(rig), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(same_id_from_many_threads_is_stored_once),
        ON_MODEL(puts_that_wait_share_the_next_commit),
        ON_MODEL(batch_has_a_bound),
        ON_MODEL(put_whose_turn_does_not_come_is_busy_and_never_stored),
        ON_BOTH(standing_wish_is_met_by_the_commit_of_the_put),
        ON_BOTH(no_more_come_than_are_wished_for),
        ON_BOTH(wishes_can_be_taken_back),
        ON_BOTH(due_time_wakes_the_writer),
        ON_BOTH(undone_claim_comes_again_as_the_same_attempt),
        ON_MODEL(idle_writer_does_nothing),
        ON_MODEL(stalled_writer_can_be_seen),
        ON_BOTH(replaced_listener_is_not_called_any_more),
        ON_MODEL(claims_of_a_former_listener_go_back),
        ON_BOTH(without_a_listener_nothing_is_claimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
