/* tests/unit/test_api_jobs.c: replays and discards: what they are about, their
 * steps, and their end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_rig.h"

#include "admin/call.h"

#include "inbox/view.h"

static int
note_job(void *arg, const struct inbox_job *row)
{
    struct inbox_job *out = arg;
    *out = *row;
    return 0;
}

/* The newest job as it is stored. */
static struct inbox_job
stored_job(void)
{
    struct view *view = NULL;
    struct inbox_job job = {0};
    assert_int_equal(view_open(&view, rig.config->inbox_path, NULL), RC_OK);
    assert_int_equal(view_jobs(view, 0, 1, note_job, &job, NULL), RC_OK);
    view_close(view);
    return job;
}

static void
bury(size_t plugin, const char *id, const char *type, int livemode)
{
    rig_put(id, type, livemode, 1U << plugin);
    rig_end(plugin, INBOX_FAIL, INBOX_BURY, "no");
}

static const char *
state_of(const char *id)
{
    char target[128];
    snprintf(target, sizeof(target), "/events/%s", id);
    assert_int_equal(ask("GET", target, NULL), 200);
    return text_of("state");
}

/* ---- What they are about -------------------------------------------- */

static void
filter_that_narrows_nothing_is_refused(void **state)
{
    (void)state;
    assert_problem("POST", "/replays", "{}", 422, "too-wide");
    assert_problem("POST", "/replays", NULL, 422, "too-wide");
    assert_problem("POST", "/replays", "{\"filter\":{\"type\":\"*\"}}", 422,
                   "too-wide");
    assert_problem("POST", "/replays", "{\"plugin\":\"alpha\",\"all\":false}",
                   422, "too-wide");
    assert_problem("POST", "/discards", "{\"reason\":\"x\"}", 422, "too-wide");
    assert_int_equal(ask("POST", "/replays", "{\"all\":true,\"dry_run\":true}"),
                     200);
}

static void
discards_need_a_reason_and_take_dead_letters_only(void **state)
{
    (void)state;
    bury(0, "evt_1", "invoice.paid", 1);
    rig_put("evt_2", "invoice.paid", 1, ALPHA);
    assert_problem("POST", "/discards", "{\"filter\":{\"plugin\":\"alpha\"}}",
                   400, "invalid-body");
    assert_problem("POST", "/discards",
                   "{\"reason\":\"x\",\"filter\":{\"state\":\"done\"}}", 422,
                   "refused");
    assert_problem("POST", "/discards",
                   "{\"reason\":\"x\",\"all\":true,\"plugin\":\"alpha\"}", 400,
                   "invalid-body");
    assert_problem("POST", "/discards",
                   "{\"reason\":\"a\\nb\",\"filter\":{\"plugin\":\"alpha\"}}",
                   400, "invalid-body");
    assert_non_null(strstr(text_of("detail"), "control characters"));
    assert_int_equal(ask("POST", "/discards",
                         "{\"filter\":{\"plugin\":\"alpha\"},\"reason\":"
                         "\"of a customer who left\"}"),
                     202);
    assert_string_equal(rig.answer.location, "/api/v1/jobs/job_1");
    assert_int_equal(number_of("total"), 1);
    turn_all();
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "done");
    assert_string_equal(text_of("kind"), "discard");
    assert_int_equal(number_of("moved"), 1);
    assert_string_equal(state_of("evt_1"), "discarded");
    assert_string_equal(text_of("attempts.1.outcome"), "discard");
    assert_string_equal(text_of("attempts.1.message"),
                        "of a customer who left");
    assert_string_equal(state_of("evt_2"), "queued");
}

static void
dry_run_counts_and_does_nothing(void **state)
{
    (void)state;
    bury(0, "evt_1", "invoice.paid", 1);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"dry_run\":true}"), 200);
    assert_int_equal(number_of("count"), 1);
    assert_true(is_true("count_exact"));
    assert_string_not_equal(text_of("oldest"), "(none)");
    assert_string_equal(rig.answer.location, "");
    turn_all();
    assert_string_equal(state_of("evt_1"), "dead");
    assert_int_equal(stored_job().id, 0);
    assert_int_equal(ask("POST", "/discards",
                         "{\"event_ids\":[\"evt_9\"],\"dry_run\":true}"),
                     200);
    assert_int_equal(number_of("count"), 0);
    assert_true(cJSON_IsNull(member(rig.answer.json, "oldest")));
}

static void
replay_gives_dead_letters_again_and_counts_how_they_end(void **state)
{
    (void)state;
    bury(0, "evt_1", "invoice.paid", 1);
    bury(0, "evt_2", "invoice.paid", 1);
    assert_int_equal(ask("POST", "/replays",
                         "{\"filter\":{\"type\":\"invoice.*\",\"state\":"
                         "\"dead\"},\"reason\":\"fixed\"}"),
                     202);
    assert_string_equal(text_of("state"), "running");
    assert_string_equal(text_of("reason"), "fixed");
    assert_string_equal(text_of("filter.state"), "dead");
    assert_int_equal(number_of("rate_per_second"), 20);
    turn_all();
    ask("GET", "/jobs/job_1", NULL);
    assert_int_equal(number_of("waiting"), 2);
    rig_end(0, INBOX_DONE, INBOX_CLOSE, "");
    rig_end(0, INBOX_FAIL, INBOX_BURY, "no");
    ask("GET", "/jobs", NULL);
    assert_int_equal(rows(), 1);
    assert_string_equal(text_of("data.0.state"), "done");
    assert_int_equal(number_of("data.0.moved"), 2);
    assert_int_equal(number_of("data.0.done"), 1);
    assert_int_equal(number_of("data.0.dead"), 1);
    assert_int_equal(number_of("data.0.waiting"), 0);
}

static void
plugin_that_is_named_gets_what_it_never_had_by_its_own_rules(void **state)
{
    (void)state;
    rig_put("evt_live", "charge.captured", 1, 0);
    rig_put("evt_test", "charge.captured", 0, 0);
    rig_put("evt_paid", "invoice.paid", 1, 0);
    const char *to_beta = "{\"filter\":{\"received_after\":1000},"
                          "\"plugin\":\"beta\",\"dry_run\":true}";
    assert_int_equal(ask("POST", "/replays", to_beta), 200);
    assert_int_equal(number_of("count"), 2); /* live ones only */
    assert_int_equal(ask("POST", "/replays",
                         "{\"filter\":{\"received_after\":1000},"
                         "\"plugins\":[\"alpha\"],\"rate_per_second\":0}"),
                     202);
    turn_all();
    assert_string_equal(state_of("evt_paid"), "queued");
    assert_string_equal(text_of("deliveries.0.plugin"), "alpha");
    assert_string_equal(state_of("evt_live"), "unrouted");
    /* With a state it is about deliveries that exist. */
    assert_int_equal(ask("POST", "/replays",
                         "{\"state\":\"done\",\"plugin\":\"alpha\","
                         "\"dry_run\":true}"),
                     200);
    assert_int_equal(number_of("count"), 0);
}

static void
test_event_never_reaches_a_live_only_plugin(void **state)
{
    (void)state;
    bury(1, "evt_test", "invoice.paid", 0); /* from before it was live-only */
    bury(1, "evt_live", "invoice.paid", 1);
    const char *bodies[] = {
        "{\"state\":\"dead\",\"dry_run\":true}",
        "{\"state\":\"dead\",\"plugin\":\"beta\",\"dry_run\":true}",
        "{\"filter\":{\"plugin\":\"beta\"},\"dry_run\":true}"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask("POST", "/replays", bodies[i]), 200);
        assert_int_equal(number_of("count"), 1);
        assert_int_equal(number_of("left_out"), 1);
    }
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"rate_per_second\":0}"),
        202);
    turn_all();
    assert_string_equal(state_of("evt_test"), "dead");
    assert_string_equal(state_of("evt_live"), "queued");
}

static void
deliveries_of_plugins_that_are_gone_are_left_out(void **state)
{
    (void)state;
    bury(2, "evt_gone", "invoice.paid", 1);
    bury(0, "evt_here", "invoice.paid", 1);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"rate_per_second\":0}"),
        202);
    assert_int_equal(number_of("total"), 1);
    assert_int_equal(number_of("left_out"), 1);
    turn_all();
    assert_string_equal(state_of("evt_gone"), "dead");
    assert_string_equal(state_of("evt_here"), "queued");
    assert_problem("POST", "/replays",
                   "{\"state\":\"dead\",\"plugin\":\"gone\"}", 409,
                   "plugin-not-served");
    assert_problem("POST", "/replays",
                   "{\"state\":\"dead\",\"plugin\":\"alhpa\"}", 404,
                   "plugin-not-found");
    assert_string_equal(text_of("hint"), "did you mean \"alpha\"?");
    assert_problem("POST", "/replays",
                   "{\"state\":\"dead\",\"plugins\":[\"alpha\",\"beta\"]}", 422,
                   "refused");
    assert_problem("POST", "/replays",
                   "{\"filter\":{\"plugin\":\"beta\"},\"plugin\":\"alpha\"}",
                   422, "refused");
    assert_int_equal(ask("POST", "/discards",
                         "{\"filter\":{\"plugin\":\"gone\"},"
                         "\"reason\":\"removed\"}"),
                     202);
    turn_all();
    assert_string_equal(state_of("evt_gone"), "discarded");
}

static void
offline_a_replay_goes_by_deliveries_that_exist(void **state)
{
    (void)state;
    bury(2, "evt_gone", "invoice.paid", 1);
    rig_put("evt_none", "invoice.paid", 1, 0);
    api_close(rig.api);
    rig_open_api(1);
    assert_int_equal(ask("POST", "/replays",
                         "{\"filter\":{\"type\":\"invoice.*\"},"
                         "\"plugin\":\"gone\",\"rate_per_second\":0}"),
                     202);
    assert_int_equal(number_of("total"), 1);
    turn_all();
    assert_string_equal(state_of("evt_gone"), "queued");
    assert_int_equal(ask("GET", "/plugins/gone", NULL), 200);
    assert_string_equal(text_of("state"), "stopped");
    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_true(is_true("offline"));
    assert_true(cJSON_IsNull(member(rig.answer.json, "generation")));
}

static void
what_arrives_later_is_not_meant(void **state)
{
    (void)state;
    bury(0, "evt_1", "invoice.paid", 1);
    assert_int_equal(ask("POST", "/replays", "{\"state\":\"dead\"}"), 202);
    assert_string_not_equal(text_of("filter.received_before"), "(none)");
    rig_put_at("evt_2", "invoice.paid", 1, ALPHA, clock_wall_ms() + 1000);
    rig_end(0, INBOX_FAIL, INBOX_BURY, "no");
    turn_all();
    assert_string_equal(state_of("evt_2"), "dead");
    assert_string_equal(state_of("evt_1"), "queued");
}

/* ---- Steps ---------------------------------------------------------- */

static void
bury_many(int count)
{
    char id[32];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "evt_%d", i);
        bury(0, id, "invoice.paid", 1);
    }
}

static void
steps_are_paced_by_the_rate(void **state)
{
    (void)state;
    bury_many(12);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"rate_per_second\":20}"),
        202);
    int64_t begun_ms = clock_mono_ms();
    int64_t next_ms = api_turn(rig.api); /* five at once: a quarter's */
    assert_int_equal(stored_job().moved, 5);
    assert_true(next_ms <= clock_mono_ms());
    next_ms = api_turn(rig.api); /* no more for now */
    assert_int_equal(stored_job().moved, 5);
    assert_in_range(next_ms, begun_ms + 200, begun_ms + 260);
    turn_all();
    assert_int_equal(stored_job().moved, 12);
    assert_true(clock_mono_ms() - begun_ms >= 400);
}

static void
jobs_take_turns(void **state)
{
    (void)state;
    bury_many(8);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"rate_per_second\":4}"),
        202);
    assert_int_equal(ask("POST", "/discards",
                         "{\"event_ids\":[\"evt_7\"],\"reason\":\"x\"}"),
                     202);
    api_turn(rig.api);
    api_turn(rig.api);
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "running");
    assert_int_equal(number_of("moved"), 1);
    assert_int_equal(ask("GET", "/jobs/job_2", NULL), 200);
    assert_string_equal(text_of("state"), "done");
}

static void
cancelled_job_stops_where_it_is(void **state)
{
    (void)state;
    bury_many(3);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"rate_per_second\":4}"),
        202);
    api_turn(rig.api);
    assert_int_equal(ask("POST", "/jobs/job_1/cancel", NULL), 200);
    assert_string_equal(text_of("state"), "cancelled");
    assert_int_equal(number_of("moved"), 1);
    turn_all();
    assert_int_equal(stored_job().moved, 1);
    assert_problem("POST", "/jobs/job_1/cancel", NULL, 409, "job-ended");
    assert_problem("POST", "/jobs/job_2/cancel", NULL, 404, "job-not-found");
    assert_string_equal(state_of("evt_2"), "dead");
}

static void
job_of_a_former_process_goes_on_behind_its_last_step(void **state)
{
    (void)state;
    struct error err = {0};
    bury_many(3);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"rate_per_second\":4}"),
        202);
    api_turn(rig.api);
    rig_end(0, INBOX_FAIL, INBOX_BURY, "again"); /* not to be done twice */
    api_close(rig.api);
    rig_open_api(0);
    assert_int_equal(api_start(rig.api, &err), RC_OK);
    do {
        assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
        usleep(2000);
    } while (strcmp(text_of("state"), "running") == 0);
    assert_string_equal(text_of("state"), "done");
    assert_int_equal(number_of("moved"), 3);
    assert_string_equal(state_of("evt_0"), "dead");
    assert_string_equal(state_of("evt_2"), "queued");
}

static void
job_whose_plugin_is_gone_has_failed(void **state)
{
    (void)state;
    struct error err = {0};
    bury_many(1);
    assert_int_equal(
        ask("POST", "/replays", "{\"state\":\"dead\",\"plugin\":\"alpha\"}"),
        202);
    api_close(rig.api);
    rig.generation.plugins = &rig.plugins[1]; /* alpha is taken out */
    rig.generation.plugin_count = 1;
    rig_open_api(0);
    log_setup((enum log_level) - 1, LOG_LOGFMT); /* it is an error line */
    assert_int_equal(api_start(rig.api, &err), RC_OK);
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "failed");
    assert_string_equal(state_of("evt_0"), "dead");
}

static void
step_that_fails_is_shown_and_tried_again(void **state)
{
    (void)state;
    bury_many(1);
    assert_int_equal(ask("POST", "/replays", "{\"state\":\"dead\"}"), 202);
    rig.api->settings.inbox_path = "no/such/inbox.db";
    int64_t next_ms = api_turn(rig.api);
    rig.api->settings.inbox_path = rig.config->inbox_path;
    assert_in_range(next_ms - clock_mono_ms(), 900, 1000);
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "running");
    assert_string_not_equal(text_of("trouble"), "(none)");
    turn_all();
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "done");
    assert_string_equal(text_of("trouble"), "(none)");
}

static void
jobs_at_work_are_bounded(void **state)
{
    (void)state;
    bury_many(1);
    const char *body = "{\"event_ids\":[\"evt_0\"]}";
    for (int i = 0; i < 32; i++) {
        assert_int_equal(ask("POST", "/replays", body), 202);
    }
    assert_problem("POST", "/replays", body, 409, "too-many-jobs");
    turn_all();
    assert_int_equal(ask("POST", "/replays", body), 202);
}

static void
filter_of_a_job_is_bounded(void **state)
{
    char body[20000] = "{\"event_ids\":[", id[256];
    (void)state;
    memset(id, 'e', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    for (int i = 0; i < 17; i++) {
        snprintf(body + strlen(body), 300, "%s\"%s\"", i > 0 ? "," : "", id);
    }
    strcat(body, "]}");
    assert_problem("POST", "/replays", body, 422, "refused");
    assert_int_equal(stored_job().id, 0);
}

static void
more_than_a_step_is_moved_in_several(void **state)
{
    (void)state;
    rig_put("evt_first", "invoice.paid", 1, 0);
    for (int i = 0; i < 300; i++) {
        char id[32];
        snprintf(id, sizeof(id), "evt_%d", i);
        rig_put(id, "invoice.paid", 1, 0);
    }
    assert_int_equal(ask("POST", "/replays",
                         "{\"all\":true,\"plugin\":\"alpha\","
                         "\"rate_per_second\":0}"),
                     202);
    assert_int_equal(number_of("total"), 301);
    api_turn(rig.api);
    assert_int_equal(stored_job().moved, 256);
    assert_string_equal(stored_job().state, "running");
    turn_all();
    assert_int_equal(stored_job().moved, 301);
    assert_string_equal(stored_job().state, "done");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(filter_that_narrows_nothing_is_refused),
        API_TEST(discards_need_a_reason_and_take_dead_letters_only),
        API_TEST(dry_run_counts_and_does_nothing),
        API_TEST(replay_gives_dead_letters_again_and_counts_how_they_end),
        API_TEST(plugin_that_is_named_gets_what_it_never_had_by_its_own_rules),
        API_TEST(test_event_never_reaches_a_live_only_plugin),
        API_TEST(deliveries_of_plugins_that_are_gone_are_left_out),
        API_TEST(offline_a_replay_goes_by_deliveries_that_exist),
        API_TEST(what_arrives_later_is_not_meant),
        API_TEST(steps_are_paced_by_the_rate),
        API_TEST(jobs_take_turns),
        API_TEST(cancelled_job_stops_where_it_is),
        API_TEST(job_of_a_former_process_goes_on_behind_its_last_step),
        API_TEST(job_whose_plugin_is_gone_has_failed),
        API_TEST(step_that_fails_is_shown_and_tried_again),
        API_TEST(jobs_at_work_are_bounded),
        API_TEST(filter_of_a_job_is_bounded),
        API_TEST(more_than_a_step_is_moved_in_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
