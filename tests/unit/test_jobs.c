/* tests/unit/test_jobs.c: jobs that a former process left behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_rig.h"

#include "admin/job.h"

static void
store_job(const char *state, const char *filter)
{
    struct inbox_job row = {.created_ms = clock_wall_ms(), .total = 1};
    struct inbox_action action = {
        .kind = INBOX_KEEP_JOB, .job = &row, .now_ms = clock_wall_ms()};
    snprintf(row.kind, sizeof(row.kind), "replay");
    snprintf(row.state, sizeof(row.state), "%s", state);
    snprintf(row.filter, sizeof(row.filter), "%s", filter);
    assert_int_equal(inbox_act(rig.inbox, &action), RC_OK);
}

static void
bury_one(void)
{
    rig_put("evt_0", "invoice.paid", 1, ALPHA);
    rig_end(0, INBOX_FAIL, INBOX_BURY, "no");
}

static const char *
state_of(const char *target)
{
    assert_int_equal(ask("GET", target, NULL), 200);
    return text_of("state");
}

static void
start(void)
{
    struct error err = {0};
    if (api_start(rig.api, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
}

static void
job_behind_many_later_ones_goes_on(void **state)
{
    (void)state;
    bury_one();
    store_job(JOB_RUNNING, "{\"filter\":{\"state\":\"dead\"}}");
    for (int i = 0; i < 1000; i++) {
        store_job(JOB_DONE, "{\"filter\":{\"state\":\"dead\"}}");
    }
    start();
    for (int i = 0; i < 5000 && strcmp(state_of("/jobs/job_1"), "done") != 0;
         i++) {
        usleep(1000);
    }
    assert_string_equal(state_of("/jobs/job_1"), "done");
    assert_string_equal(state_of("/events/evt_0"), "queued");
}

/* A filter that got lost must not become one that everything passes. */
static void
job_without_a_filter_has_failed(void **state)
{
    static const char *const filters[] = {"", "{\"filter\":{\"sta", "[]", "{}",
                                          "{\"filter\":7}"};
    (void)state;
    bury_one();
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        store_job(JOB_RUNNING, filters[i]);
    }
    log_setup((enum log_level) - 1, LOG_LOGFMT); /* these are error lines */
    start();
    for (size_t i = 1; i <= sizeof(filters) / sizeof(filters[0]); i++) {
        char target[32];
        snprintf(target, sizeof(target), "/jobs/job_%zu", i);
        assert_string_equal(state_of(target), "failed");
    }
    assert_string_equal(state_of("/events/evt_0"), "dead");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(job_behind_many_later_ones_goes_on),
        API_TEST(job_without_a_filter_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
