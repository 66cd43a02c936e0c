/* tests/unit/test_inbox_calls.c: a running inbox: what operators ask for, keys
 * that are looked up, old events that leave, a disk that fills up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"

#define FOR_EVER UINT_MAX

static struct inbox_claim *
put_and_claim(struct rig *rig, const char *id)
{
    inbox_want(rig->inbox, rig->plugin, 1);
    assert_int_equal(put_event(rig, id), RC_OK);
    return await_claim(rig);
}

/* ---- Actions -------------------------------------------------------- */

static int
act_on_first(struct rig *rig, enum inbox_action_kind kind, size_t *changed)
{
    struct inbox_item item = {.seq = 1, .plugin = rig->plugin};
    struct inbox_job job = {.kind = "replay", .state = "running"};
    struct inbox_action action = {.kind = kind,
                                  .items = &item,
                                  .item_count = 1,
                                  .note = "as wished",
                                  .job = &job,
                                  .now_ms = clock_wall_ms()};
    int rc = inbox_act(rig->inbox, &action);
    assert_int_equal(job.id != 0, rc == RC_OK);
    *changed = action.changed;
    return rc;
}

static void
replay_meets_a_standing_wish(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    size_t changed;
    inbox_finish(rig->inbox, result_of(claim, INBOX_FAIL, INBOX_BURY));
    free(claim);
    inbox_want(rig->inbox, rig->plugin, 1);
    assert_int_equal(act_on_first(rig, INBOX_REPLAY_ALL, &changed), RC_OK);
    assert_int_equal(changed, 1);
    claim = await_claim(rig);
    assert_int_equal(claim->attempt, 2);
    assert_int_equal(claim->job, 1);
    free(claim);
    assert_int_equal(act_on_first(rig, INBOX_DISCARD_ALL, &changed), RC_OK);
    assert_int_equal(changed, 0); /* it runs */
}

static void
action_that_fails_did_nothing(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    size_t changed;
    inbox_finish(rig->inbox, result_of(claim, INBOX_FAIL, INBOX_BURY));
    free(claim);
    AWAIT(inbox_model_deliveries(rig->model, INBOX_DEAD) == 1);
    inbox_model_fail(rig->model, RC_FULL, 0, FOR_EVER);
    assert_int_equal(act_on_first(rig, INBOX_DISCARD_ALL, &changed), RC_FULL);
    inbox_model_fail(rig->model, RC_OK, 0, 0);
    AWAIT(inbox_ready(rig->inbox));
    assert_int_equal(inbox_model_deliveries(rig->model, INBOX_DEAD), 1);
    assert_int_equal(act_on_first(rig, INBOX_DISCARD_ALL, &changed), RC_OK);
    assert_int_equal(inbox_model_deliveries(rig->model, -1), 0);
}

static void
held_time_is_kept_when_the_inbox_closes(void **state)
{
    struct rig *rig = *state;
    struct inbox_policy policy = {.name = "first", .digest = ""};
    struct inbox_plugin plugin = {.id = rig->plugin, .held_ms = 123};
    inbox_keep_held(rig->inbox, &plugin);
    close_inbox(rig);
    assert_int_equal(open_inbox(rig), 0);
    assert_int_equal(enrol_one(rig->inbox, &policy).held_ms, 123);
}

static void
wishes_of_one_plugin_can_be_taken_back(void **state)
{
    struct rig *rig = *state;
    struct inbox_policy policy = {.name = "other", .digest = ""};
    struct arrival a;
    struct inbox_plugin other = enrol_one(rig->inbox, &policy);
    assert_int_not_equal(other.id, 0);
    inbox_want(rig->inbox, rig->plugin, 5);
    inbox_want(rig->inbox, other.id, 5);
    inbox_unwant(rig->inbox, rig->plugin);
    arrive(&a, "evt_1", 2)->received_ms = clock_wall_ms();
    a.plugins[0] = rig->plugin;
    a.plugins[1] = other.id;
    assert_int_equal(inbox_put(rig->inbox, &a.put, PATIENCE_MS), RC_OK);
    struct inbox_claim *claim = await_claim(rig);
    assert_int_equal(claim->plugin, other.id);
    free(claim);
    close_inbox(rig);
    assert_int_equal(claims_so_far(rig), 1);
    assert_int_equal(deliveries_in(rig, INBOX_READY), 1);
}

/* A lane's next one comes with the commit that ends the one before. */
static void
end_of_one_brings_the_next_of_its_lane(void **state)
{
    struct rig *rig = *state;
    struct inbox_policy policy = {
        .name = "first", .order = INBOX_OBJECT, .digest = ""};
    assert_int_equal(enrol_one(rig->inbox, &policy).id, rig->plugin);
    for (int i = 0; i < 2; i++) {
        struct arrival a;
        arrive(&a, i == 0 ? "evt_1" : "evt_2", 1);
        a.put.received_ms = clock_wall_ms();
        snprintf(a.event.object_id, sizeof(a.event.object_id), "pi_1");
        assert_int_equal(inbox_put(rig->inbox, &a.put, PATIENCE_MS), RC_OK);
    }
    inbox_want(rig->inbox, rig->plugin, 2);
    struct inbox_claim *claim = await_claim(rig);
    assert_string_equal(claim->event_id, "evt_1");
    assert_int_equal(put_event(rig, "evt_1"), RC_OK); /* one more commit */
    assert_int_equal(claims_so_far(rig), 1);
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    claim = await_claim(rig);
    assert_string_equal(claim->event_id, "evt_2");
    free(claim);
}

/* ---- Keys ----------------------------------------------------------- */

static void
look_up(struct rig *rig, uint64_t tag)
{
    struct inbox_lookup *lookup = calloc(1, sizeof(*lookup));
    assert_non_null(lookup);
    lookup->plugin = rig->plugin;
    lookup->tag = tag;
    lookup->key_len = 3;
    memcpy(lookup->key, "key", 3);
    inbox_look_up(rig->inbox, lookup);
}

/* With the bytes behind it, as one allocation. */
static struct inbox_change *
change_of_key(void)
{
    struct inbox_change *change = calloc(1, sizeof(*change) + 8);
    assert_non_null(change);
    char *text = (char *)(change + 1);
    memcpy(text, "keyvalue", 8);
    change->seen = -1;
    change->writes = 1;
    change->key = text;
    change->key_len = 3;
    change->value = text + 3;
    change->value_len = 5;
    return change;
}

static void
lookup_sees_what_was_finished_before(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    struct inbox_result *result = result_of(claim, INBOX_DONE, INBOX_CLOSE);
    free(claim);
    look_up(rig, 41);
    struct inbox_lookup *lookup = await_lookup(rig);
    assert_int_equal(lookup->tag, 41);
    assert_int_equal(lookup->rc, RC_NOT_FOUND);
    inbox_lookups_free(lookup);

    result->changes = change_of_key();
    inbox_finish(rig->inbox, result);
    look_up(rig, 42);
    lookup = await_lookup(rig);
    assert_int_equal(lookup->tag, 42);
    assert_int_equal(lookup->rc, RC_OK);
    assert_int_equal(lookup->value_len, 5);
    assert_memory_equal(lookup->value, "value", 5);
    inbox_lookups_free(lookup);
}

static void
lookup_comes_back_when_the_store_fails(void **state)
{
    struct rig *rig = *state;
    inbox_model_fail(rig->model, RC_IO, 0, 1);
    look_up(rig, 1);
    struct inbox_lookup *lookup = await_lookup(rig);
    assert_int_equal(lookup->rc, RC_IO);
    assert_null(lookup->value);
    inbox_lookups_free(lookup);
}

/* Freed, as the sanitizers tell. */
static void
lookups_nobody_hears_are_freed(void **state)
{
    struct rig *rig = *state;
    inbox_listen(rig->inbox, NULL);
    look_up(rig, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    look_up(rig, 2);
    close_inbox(rig);
    assert_null(take_lookup(rig));
}

/* ---- Retention ------------------------------------------------------ */

static void
old_events_leave_by_themselves(void **state)
{
    struct rig *rig = *state;
    close_inbox(rig);
    rig->settings.retention_ms = 1;
    assert_int_equal(open_inbox(rig), 0);
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    assert_int_equal(put_event(rig, "evt_2"), RC_OK); /* owed: stays */
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    AWAIT(stats_of(rig).pruned == 1);
    close_inbox(rig);
    assert_int_equal(events_in(rig), 1);
    assert_int_equal(attempts_in(rig), 0);
    assert_int_equal(deliveries_in(rig, INBOX_READY), 1);
}

static void
without_retention_all_stays(void **state)
{
    struct rig *rig = *state;
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(put_event(rig, "evt_2"), RC_OK);
        pause_ms(10);
    }
    assert_int_equal(stats_of(rig).pruned, 0);
    close_inbox(rig);
    assert_int_equal(events_in(rig), 2);
}

/* ---- Room ----------------------------------------------------------- */

static void
nearly_full_disk_refuses_puts_until_there_is_room(void **state)
{
    struct rig *rig = *state;
    close_inbox(rig);
    rig->settings.min_free_bytes = 1;
    assert_int_equal(open_inbox(rig), 0);
    struct inbox_claim *claim = put_and_claim(rig, "evt_1");
    inbox_model_set_full(rig->model, 1);
    AWAIT(!inbox_ready(rig->inbox));
    assert_int_equal(put_event(rig, "evt_2"), RC_FULL);
    /* What is here still ends: that makes room. */
    inbox_finish(rig->inbox, result_of(claim, INBOX_DONE, INBOX_CLOSE));
    free(claim);
    AWAIT(inbox_model_attempts(rig->model) == 1);
    inbox_model_set_full(rig->model, 0);
    AWAIT(inbox_ready(rig->inbox));
    assert_int_equal(put_event(rig, "evt_2"), RC_OK);
}

static void
floor_of_nothing_refuses_nothing(void **state)
{
    struct rig *rig = *state;
    inbox_model_set_full(rig->model, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    assert_true(inbox_ready(rig->inbox));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(replay_meets_a_standing_wish),
        ON_MODEL(action_that_fails_did_nothing),
        ON_BOTH(held_time_is_kept_when_the_inbox_closes),
        ON_BOTH(wishes_of_one_plugin_can_be_taken_back),
        ON_BOTH(end_of_one_brings_the_next_of_its_lane),
        ON_BOTH(lookup_sees_what_was_finished_before),
        ON_MODEL(lookup_comes_back_when_the_store_fails),
        ON_BOTH(lookups_nobody_hears_are_freed),
        ON_BOTH(old_events_leave_by_themselves),
        ON_BOTH(without_retention_all_stays),
        ON_MODEL(nearly_full_disk_refuses_puts_until_there_is_room),
        ON_MODEL(floor_of_nothing_refuses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
