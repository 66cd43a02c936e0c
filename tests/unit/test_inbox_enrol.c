/* tests/unit/test_inbox_enrol.c: a generation is enrolled while attempts of the
 * former one are at work, and all else goes on.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"
#include "inbox_stage.h"

#include "config/config.h"
#include "inbox/writer.h"
#include "plugin/generation.h"

/* ---- Another order -------------------------------------------------- */

static void
put_three(struct stage *stage)
{
    put_about(stage, "evt_1", "pi_1");
    put_about(stage, "evt_2", "pi_1");
    put_about(stage, "evt_3", "pi_1");
}

/* Three were handed out when there were no lanes. They end as they like; the
 * fourth begins after the last of them. */
static void
those_at_work_finish_before_the_next_begins(void **state)
{
    struct stage *stage = *state;
    put_three(stage);
    put_about(stage, "evt_4", "pi_1");
    struct inbox_claim one = claim_seq(stage, 2000, 1);
    struct inbox_claim two = claim_seq(stage, 2000, 2);
    struct inbox_claim three = claim_seq(stage, 2000, 3);
    set_order(stage, INBOX_OBJECT);
    assert_int_equal(state_of(stage, 2), INBOX_LEASED);
    assert_int_equal(state_of(stage, 4), INBOX_HELD);
    put_about(stage, "evt_5", "pi_1");
    finish_done(stage, &two);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    finish(stage, &one, INBOX_RETRY, INBOX_AGAIN, 3000);
    assert_int_equal(claim_one(stage, 3000).seq, 0); /* due, and held */
    finish(stage, &three, INBOX_FAIL, INBOX_BURY, 0);
    for (int64_t seq = 1; seq < 6; seq += seq == 1 ? 3 : 1) { /* 1, 4, 5 */
        one = claim_seq(stage, 3000, seq);
        assert_int_equal(claim_one(stage, 3000).seq, 0);
        finish_done(stage, &one);
    }
}

/* The second began because the first gave way. With `strict` that keeps its
 * place, and its time. */
static void
waiting_one_keeps_its_time_beside_one_at_work(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    put_three(stage);
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    claim = claim_seq(stage, 2000, 2);
    set_order(stage, INBOX_STRICT);
    assert_int_equal(state_of(stage, 1), INBOX_WAITING);
    assert_int_equal(state_of(stage, 3), INBOX_HELD);
    finish_done(stage, &claim);
    assert_int_equal(claim_one(stage, 8999).seq, 0);
    claim = claim_seq(stage, 9000, 1);
    finish_done(stage, &claim);
    claim_seq(stage, 9000, 3);
}

/* Back from `strict`, nothing is held behind one that waits. */
static void
held_ones_go_when_what_waits_counts_no_more(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_STRICT);
    put_three(stage);
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 9000);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    set_order(stage, INBOX_OBJECT);
    claim = claim_seq(stage, 2000, 2);
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    set_order(stage, INBOX_ANY);
    claim_seq(stage, 2000, 3);
}

/* ---- Another program ------------------------------------------------ */

static void
crash(struct stage *stage, const struct inbox_claim *claim,
      enum inbox_next next, int is_last)
{
    struct inbox_result *result = result_of(claim, INBOX_CRASH, next);
    result->crashes = claim->crashes + 1;
    result->due_ms = 3000;
    result->is_last = is_last;
    assert_int_equal(commit_result(stage->engine, result), RC_OK);
    inbox_result_free(result);
}

/* The claim of an attempt, after so many that ended with a crash. */
static struct inbox_claim
claim_crashed(struct stage *stage, uint32_t crashes)
{
    set_digest(stage, "aa");
    put_about(stage, "evt_1", "");
    struct inbox_claim claim = claim_seq(stage, 2000, 1);
    for (uint32_t n = 0; n < crashes; n++) {
        crash(stage, &claim, INBOX_AGAIN, 0);
        claim = claim_seq(stage, 3000, 1);
    }
    assert_int_equal(claim.crashes, crashes);
    return claim;
}

static void
crash_of_a_former_program_counts_as_the_first(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = claim_crashed(stage, 1);
    set_digest(stage, "bb");
    set_digest(stage, "cc"); /* once more makes no difference */
    crash(stage, &claim, INBOX_AGAIN, 0);
    claim = claim_seq(stage, 3000, 1);
    assert_int_equal(claim.crashes, 1);
    crash(stage, &claim, INBOX_AGAIN, 0); /* one of its own */
    assert_int_equal(row_of(stage, 1).crashes, 2);
}

static void
other_ends_do_not_bring_the_count_back(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = claim_crashed(stage, 2);
    set_digest(stage, "bb");
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 3000);
    claim = claim_seq(stage, 3000, 1);
    assert_int_equal(claim.crashes, 0);
    crash(stage, &claim, INBOX_AGAIN, 0);
    claim = claim_seq(stage, 3000, 1);
    set_digest(stage, "cc");
    finish(stage, &claim, INBOX_LOST, INBOX_UNDO, 0);
    claim = claim_seq(stage, 3000, 1);
    assert_int_equal(claim.crashes, 0);
    crash(stage, &claim, INBOX_AGAIN, 0);
    claim = claim_seq(stage, 3000, 1);
    assert_int_equal(claim.crashes, 1);
    set_digest(stage, "dd");
    restart_stage(stage); /* its lease is lost */
    claim = claim_seq(stage, 3000, 1);
    crash(stage, &claim, INBOX_AGAIN, 0);
    assert_int_equal(row_of(stage, 1).crashes, 1);
}

/* The dispatcher knew of two crashes, and so said that this is the last. */
static void
last_crash_of_a_former_program_is_not_the_last(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = claim_crashed(stage, 2);
    set_digest(stage, "bb");
    crash(stage, &claim, INBOX_BURY, 0);
    assert_int_equal(state_of(stage, 1), INBOX_WAITING);
    assert_int_equal(row_of(stage, 1).due_ms, 3000);
    assert_int_equal(row_of(stage, 1).crashes, 1);
    claim = claim_seq(stage, 3000, 1);
    crash(stage, &claim, INBOX_BURY, 0); /* of this program: as it says */
    assert_int_equal(state_of(stage, 1), INBOX_DEAD);
}

static void
last_attempt_is_the_last_of_any_program(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = claim_crashed(stage, 2);
    set_digest(stage, "bb");
    crash(stage, &claim, INBOX_BURY, 1);
    assert_int_equal(state_of(stage, 1), INBOX_DEAD);
}

static void
same_program_keeps_its_count(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = claim_crashed(stage, 1);
    set_digest(stage, "aa");
    set_digest(stage, ""); /* not known: what was known stays */
    set_order(stage, INBOX_OBJECT);
    crash(stage, &claim, INBOX_AGAIN, 0);
    assert_int_equal(row_of(stage, 1).crashes, 2);
}

/* ---- The record ----------------------------------------------------- */

static const struct inbox_policy three[] = {
    {.name = "first", .order = INBOX_OBJECT, .digest = "aa"},
    {.name = "second", .order = INBOX_STRICT, .digest = "bb"},
    {.name = "third", .digest = "cc"}};

/* Enrol all three. */
static int
enrol_three(struct rig *rig, struct inbox_generation *generation,
            struct inbox_plugin *plugins, struct error *err)
{
    struct inbox_enrolment enrolment = {.policies = three,
                                        .count = COUNT(three),
                                        .plugins = plugins,
                                        .generation = generation};
    return inbox_enrol(rig->inbox, &enrolment, err);
}

static struct inbox_generation
last_of(struct rig *rig)
{
    struct inbox_generation last = {.number = -1};
    assert_int_equal(inbox_generation(rig->inbox, &last, NULL), RC_OK);
    return last;
}

static void
generation_is_kept_with_all_its_plugins(void **state)
{
    struct rig *rig = *state;
    struct inbox_plugin plugins[COUNT(three)];
    struct inbox_generation generation = {
        .number = 99, .previous = 1, .is_rollback = 1, .inputs = "abcd"};
    int64_t before_ms = clock_wall_ms();
    assert_int_equal(enrol_three(rig, &generation, plugins, NULL), RC_OK);
    assert_int_equal(generation.number, 2); /* the rig's own was the first */
    assert_in_range(generation.committed_ms, before_ms, clock_wall_ms());
    assert_int_equal(plugins[0].id, rig->plugin);
    assert_int_not_equal(plugins[1].id, plugins[2].id);

    struct inbox_generation last = last_of(rig);
    assert_int_equal(last.number, 2);
    assert_int_equal(last.previous, 1);
    assert_int_equal(last.committed_ms, generation.committed_ms);
    assert_int_equal(last.is_rollback, 1);
    assert_string_equal(last.inputs, "abcd");

    /* Their wishes are heard. */
    struct arrival a;
    arrive(&a, "evt_1", 1);
    a.plugins[0] = plugins[2].id;
    inbox_want(rig->inbox, plugins[2].id, 1);
    assert_int_equal(inbox_put(rig->inbox, &a.put, PATIENCE_MS), RC_OK);
    free(await_claim(rig));

    close_inbox(rig);
    assert_int_equal(open_inbox(rig), 0); /* enrols one more */
    assert_int_equal(last_of(rig).number, 3);
    assert_int_equal(last_of(rig).is_rollback, 0);
    assert_string_equal(last_of(rig).inputs, "");
}

static void
failed_enrolment_changes_nothing(void **state)
{
    struct rig *rig = *state;
    struct inbox_plugin plugins[COUNT(three)] = {{.id = 77}};
    struct inbox_generation generation = {.number = 99, .inputs = "abcd"};
    struct error err = {0};
    inbox_model_fail(rig->model, RC_FULL, 0, 1);
    assert_int_equal(enrol_three(rig, &generation, plugins, &err), RC_FULL);
    assert_int_equal(err.rc, RC_FULL);
    assert_non_null(strstr(err.text, "asked to fail"));
    assert_int_equal(generation.number, 99);
    assert_int_equal(plugins[0].id, 77);
    assert_int_equal(last_of(rig).number, 1);
    assert_int_equal(rig->model->rows.plugin_count, 1);
    assert_int_equal(enrol_three(rig, &generation, plugins, NULL), RC_OK);
    assert_int_equal(generation.number, 2);
}

/* Then only the inbox can tell, and it does. */
static void
unknown_enrolment_can_be_asked_for(void **state)
{
    struct rig *rig = *state;
    for (int happened = 0; happened < 2; happened++) {
        struct inbox_plugin plugins[COUNT(three)];
        struct inbox_generation generation = {.inputs = "abcd"};
        inbox_model_fail(rig->model, RC_UNKNOWN, happened, 1);
        assert_int_equal(enrol_three(rig, &generation, plugins, NULL),
                         RC_UNKNOWN);
        assert_int_equal(generation.number, 0);
        assert_int_equal(last_of(rig).number, 1 + happened);
        assert_string_equal(last_of(rig).inputs, happened ? "abcd" : "");
    }
}

/* ---- Beside all else ------------------------------------------------ */

struct enroller {
    struct rig *rig;
    struct inbox_generation generation;
    struct inbox_plugin plugins[COUNT(three)];
    int rc;
    pthread_t thread;
};

static void *
enroller_main(void *arg)
{
    struct enroller *e = arg;
    e->rc = enrol_three(e->rig, &e->generation, e->plugins, NULL);
    return NULL;
}

static void
start_enroller(struct rig *rig, struct enroller *e)
{
    *e = (struct enroller){.rig = rig};
    assert_int_equal(pthread_create(&e->thread, NULL, enroller_main, e), 0);
}

static int
end_enroller(struct enroller *e)
{
    assert_int_equal(pthread_join(e->thread, NULL), 0);
    return e->rc;
}

/* Whether an enrolment waits for the writer, and so many puts. */
static int
is_queued(struct rig *rig, size_t puts)
{
    pthread_mutex_lock(&rig->inbox->lock);
    for (const struct inbox_put *p = rig->inbox->puts; p != NULL; p = p->next) {
        puts--;
    }
    int queued = rig->inbox->rolls != NULL && puts == 0;
    pthread_mutex_unlock(&rig->inbox->lock);
    return queued;
}

/* Two fail: one while events arrive, one that waits together with them. */
static void
failing_enrolment_costs_no_event_its_place(void **state)
{
    struct rig *rig = *state;
    struct enroller enrollers[2];
    struct putter putters[4];
    inbox_model_hold(rig->model);
    start_enroller(rig, &enrollers[0]);
    inbox_model_await_held(rig->model);
    for (size_t i = 0; i < COUNT(putters); i++) {
        char id[16];
        snprintf(id, sizeof(id), "evt_%zu", i);
        start_put(rig, &putters[i], id, PATIENCE_MS);
    }
    start_enroller(rig, &enrollers[1]);
    AWAIT(is_queued(rig, COUNT(putters)));
    inbox_model_fail(rig->model, RC_CORRUPT, 0, 2);
    inbox_model_release(rig->model);
    assert_int_equal(end_enroller(&enrollers[0]), RC_CORRUPT);
    assert_int_equal(end_enroller(&enrollers[1]), RC_CORRUPT);
    for (size_t i = 0; i < COUNT(putters); i++) {
        assert_int_equal(end_put(&putters[i]), RC_OK);
    }
}

static void
many_may_enrol_at_once(void **state)
{
    struct rig *rig = *state;
    struct enroller enrollers[4];
    for (size_t i = 0; i < COUNT(enrollers); i++) {
        start_enroller(rig, &enrollers[i]);
    }
    unsigned numbers = 0;
    for (size_t i = 0; i < COUNT(enrollers); i++) {
        assert_int_equal(end_enroller(&enrollers[i]), RC_OK);
        assert_in_range(enrollers[i].generation.number, 2, 5);
        numbers |= 1U << enrollers[i].generation.number;
        assert_memory_equal(enrollers[i].plugins, enrollers[0].plugins,
                            sizeof(enrollers[0].plugins));
    }
    assert_int_equal(numbers, 0x3c); /* each its own */
}

/* What was held becomes ready by it: a standing wish is met. */
static void
another_order_wakes_who_wishes(void **state)
{
    struct rig *rig = *state;
    struct inbox_policy policy = {
        .name = "first", .order = INBOX_OBJECT, .digest = ""};
    assert_int_equal(enrol_one(rig->inbox, &policy).id, rig->plugin);
    for (int i = 0; i < 2; i++) {
        struct arrival a;
        arrive(&a, i == 0 ? "evt_1" : "evt_2", 1);
        snprintf(a.event.object_id, sizeof(a.event.object_id), "pi_1");
        assert_int_equal(inbox_put(rig->inbox, &a.put, PATIENCE_MS), RC_OK);
    }
    inbox_want(rig->inbox, rig->plugin, 2);
    free(await_claim(rig));
    assert_int_equal(put_event(rig, "evt_1"), RC_OK); /* it has looked */
    assert_int_equal(claims_so_far(rig), 1);
    policy.order = INBOX_ANY;
    assert_int_equal(enrol_one(rig->inbox, &policy).id, rig->plugin);
    struct inbox_claim *claim = await_claim(rig);
    assert_string_equal(claim->event_id, "evt_2");
    free(claim);
}

/* ---- What can be tuned ---------------------------------------------- */

static void
retention_can_be_tuned(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 2; i++) { /* the last event always stays */
        struct arrival a;
        arrive(&a, i == 0 ? "evt_1" : "evt_2", 0)->received_ms = 1000;
        assert_int_equal(inbox_put(rig->inbox, &a.put, PATIENCE_MS), RC_OK);
    }
    assert_int_equal(stats_of(rig).pruned, 0);
    inbox_tune(rig->inbox, 60000, 0);
    AWAIT(stats_of(rig).pruned == 1); /* though nothing else wakes it */
}

static void
reserve_of_the_disk_can_be_tuned(void **state)
{
    struct rig *rig = *state;
    inbox_model_set_full(rig->model, 1);
    assert_int_equal(put_event(rig, "evt_1"), RC_OK);
    inbox_tune(rig->inbox, 0, 1);
    assert_int_equal(put_event(rig, "evt_2"), RC_FULL);
    assert_false(inbox_ready(rig->inbox));
    inbox_model_set_full(rig->model, 0);
    inbox_tune(rig->inbox, 0, 2); /* looks at once */
    assert_int_equal(put_event(rig, "evt_2"), RC_OK);
    inbox_model_set_full(rig->model, 1);
    inbox_tune(rig->inbox, 0, 1);
    assert_false(inbox_ready(rig->inbox));
    inbox_tune(rig->inbox, 0, 0);
    assert_int_equal(put_event(rig, "evt_3"), RC_OK);
    assert_true(inbox_ready(rig->inbox));
}

/* ---- From a generation ---------------------------------------------- */

static void
generation_and_its_plugins_get_their_numbers(void **state)
{
    struct rig *rig = *state;
    struct config_plugin configs[] = {{.name = "other", .order = INBOX_STRICT},
                                      {.name = "first"}};
    struct plugin plugins[] = {
        {.config = &configs[0], .snapshot.digest = "aa"},
        {.config = &configs[1], .snapshot.digest = "bb"}};
    struct generation generation = {.plugins = plugins, .plugin_count = 2};
    struct inbox_generation record = {.previous = 1, .inputs = "abcd"};
    assert_int_equal(generation_enrol(&generation, rig->inbox, &record, NULL),
                     RC_OK);
    assert_int_equal(generation.number, 2);
    assert_int_equal(record.number, 2);
    assert_int_equal(plugins[1].id, rig->plugin);
    assert_int_not_equal(plugins[0].id, rig->plugin);
    assert_int_equal(plugins[0].stored.id, plugins[0].id);
    const struct model_plugin *other =
        &rig->model->rows.plugins[plugins[0].id - 1];
    assert_string_equal(other->name, "other");
    assert_int_equal(other->order, INBOX_STRICT);
    assert_string_equal(other->digest, "aa");

    inbox_model_fail(rig->model, RC_FULL, 0, 1);
    plugins[0].id = 77;
    assert_int_equal(generation_enrol(&generation, rig->inbox, &record, NULL),
                     RC_FULL);
    assert_int_equal(generation.number, 2);
    assert_int_equal(plugins[0].id, 77);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGES(those_at_work_finish_before_the_next_begins),
        ON_STAGES(waiting_one_keeps_its_time_beside_one_at_work),
        ON_STAGES(held_ones_go_when_what_waits_counts_no_more),
        ON_STAGES(crash_of_a_former_program_counts_as_the_first),
        ON_STAGES(other_ends_do_not_bring_the_count_back),
        ON_STAGES(last_crash_of_a_former_program_is_not_the_last),
        ON_STAGES(last_attempt_is_the_last_of_any_program),
        ON_STAGES(same_program_keeps_its_count),
        ON_BOTH(generation_is_kept_with_all_its_plugins),
        ON_MODEL(failed_enrolment_changes_nothing),
        ON_MODEL(unknown_enrolment_can_be_asked_for),
        ON_MODEL(failing_enrolment_costs_no_event_its_place),
        ON_BOTH(many_may_enrol_at_once),
        ON_BOTH(another_order_wakes_who_wishes),
        ON_BOTH(retention_can_be_tuned),
        ON_MODEL(reserve_of_the_disk_can_be_tuned),
        ON_MODEL(generation_and_its_plugins_get_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
