/* tests/unit/test_api_reload.c: the admin API and reloads: asking for one, and
 * one that comes in the midst of a call or a job.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin_rig.h"
#include "reload_rig.h"

#include "admin/reloads.h"
#include "admin/views.h"

#include <errno.h>
#include <time.h>

static char invoices[] = "invoice.*", charges[] = "charge.*";
static char *alpha_invoices[] = {invoices}, *alpha_charges[] = {charges};

/* ---- Asking --------------------------------------------------------- */

static void
next_is(enum reload_end end, const char *why)
{
    fake.next = (struct reload_answer){
        .end = end, .generation = 8, .took_ms = 140, .drained_ms = 20};
    snprintf(fake.next.why, sizeof(fake.next.why), "%s", why);
}

static void
next_changes(enum delta_kind kind, const char *what, const char *detail)
{
    struct delta *delta = &fake.next.delta;
    delta->items = calloc(1, sizeof(*delta->items));
    assert_non_null(delta->items);
    delta->count = 1;
    delta->refused = kind == DELTA_REFUSED;
    delta->items->kind = kind;
    snprintf(delta->items->what, sizeof(delta->items->what), "%s", what);
    snprintf(delta->items->detail, sizeof(delta->items->detail), "%s", detail);
}

static void
reload_tells_what_it_changed(void **state)
{
    (void)state;
    rig_attach();
    next_is(RELOAD_DONE, "");
    next_changes(DELTA_ROLLED, "plugin ledger", "code 3f21 -> 9ab0");
    report_warning(&fake.next.report, "p.ini", 0, "a literal secret");
    assert_int_equal(ask("POST", "/reload", NULL), 200);
    assert_int_equal(fake.kind, RELOAD_APPLY);
    assert_int_equal(fake.wait_ms, 120000);
    assert_string_equal(text_of("object"), "reload");
    assert_string_equal(text_of("kind"), "apply");
    assert_string_equal(text_of("result"), "done");
    assert_int_equal(number_of("generation"), 8);
    assert_int_equal(number_of("took_ms"), 140);
    assert_int_equal(number_of("drained_ms"), 20);
    assert_int_equal(number_of("killed"), 0);
    assert_true(cJSON_IsNull(member(rig.answer.json, "restored")));
    assert_string_equal(text_of("changes.0.kind"), "rolled");
    assert_string_equal(text_of("changes.0.what"), "plugin ledger");
    assert_string_equal(text_of("changes.0.detail"), "code 3f21 -> 9ab0");
    assert_true(cJSON_IsNull(member(rig.answer.json, "warnings.0.line")));
    assert_string_equal(text_of("warnings.0.message"), "a literal secret");
    assert_int_equal(cJSON_GetArraySize(member(rig.answer.json, "errors")), 0);
    assert_true(cJSON_IsNull(member(rig.answer.json, "detail")));
}

static void
each_end_has_its_status(void **state)
{
    (void)state;
    rig_attach();
    next_is(RELOAD_KILLED, "");
    fake.next.killed = 2;
    assert_int_equal(ask("POST", "/reload", "{}"), 200);
    assert_string_equal(text_of("result"), "killed");
    assert_int_equal(number_of("killed"), 2);

    next_is(RELOAD_LATE, "");
    fake.next.drained_ms = -1;
    assert_int_equal(ask("POST", "/reload", "{\"timeout_seconds\":600}"), 202);
    assert_int_equal(fake.wait_ms, 600000);
    assert_string_equal(text_of("result"), "late");
    assert_true(cJSON_IsNull(member(rig.answer.json, "drained_ms")));
    assert_string_equal(rig.answer.location, "/api/v1/status");

    next_is(RELOAD_FAILED, "the disk is full");
    assert_problem("POST", "/reload", "{}", 500, "reload-failed");
    assert_string_equal(text_of("detail"), "the disk is full");
    assert_string_equal(text_of("result"), "failed");

    next_is(RELOAD_STOPPED, "");
    assert_problem("POST", "/reload", "{}", 503, "stopping");
    assert_string_equal(text_of("result"), "stopped");
}

static void
refusal_is_a_problem_with_every_mistake(void **state)
{
    (void)state;
    rig_attach();
    next_is(RELOAD_REFUSED, "");
    report_error(&fake.next.report, "p.ini", 12, "unknown key \"tmeout\"");
    report_error(&fake.next.report, "p.ini", 0, "no endpoint");
    assert_problem("POST", "/reload", "{\"dry_run\":true}", 409,
                   "reload-refused");
    assert_int_equal(fake.kind, RELOAD_TRY);
    assert_string_equal(text_of("detail"), "2 errors");
    assert_string_equal(text_of("object"), "reload");
    assert_string_equal(text_of("kind"), "try");
    assert_string_equal(text_of("result"), "refused");
    assert_int_equal(number_of("generation"), 8);
    assert_string_equal(text_of("errors.0.file"), "p.ini");
    assert_int_equal(number_of("errors.0.line"), 12);
    assert_string_equal(text_of("errors.0.message"), "unknown key \"tmeout\"");
    assert_true(cJSON_IsNull(member(rig.answer.json, "errors.1.line")));

    next_is(RELOAD_REFUSED, "");
    next_changes(DELTA_REFUSED, "server.state_dir", "a -> b");
    assert_problem("POST", "/reload", "{\"dry_run\":false}", 409,
                   "reload-refused");
    assert_int_equal(fake.kind, RELOAD_APPLY);
    assert_string_equal(text_of("detail"), "1 changed key needs a restart");
    assert_string_equal(text_of("changes.0.kind"), "refused");
}

static void
rollback_goes_back(void **state)
{
    (void)state;
    rig_attach();
    next_is(RELOAD_DONE, "");
    fake.next.generation = 9;
    fake.next.restored = 6;
    assert_int_equal(ask("POST", "/rollback", "{\"timeout_seconds\":1}"), 200);
    assert_int_equal(fake.kind, RELOAD_BACK);
    assert_int_equal(fake.wait_ms, 1000);
    assert_string_equal(text_of("kind"), "rollback");
    assert_int_equal(number_of("restored"), 6);
    next_is(RELOAD_REFUSED, "there is nothing to go back to");
    assert_problem("POST", "/rollback", NULL, 409, "reload-refused");
    assert_string_equal(text_of("detail"), "there is nothing to go back to");
}

static void
wrong_bodies_do_not_reload(void **state)
{
    static const char *const bodies[] = {
        "{\"timeout_seconds\":0}",   "{\"timeout_seconds\":601}",
        "{\"timeout_seconds\":1.5}", "{\"timeout_seconds\":\"1\"}",
        "{\"dry_run\":1}",           "{\"force\":true}"};
    (void)state;
    rig_attach();
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_problem("POST", "/reload", bodies[i], 400, "invalid-body");
    }
    assert_problem("POST", "/rollback", "{\"dry_run\":true}", 400,
                   "invalid-body");
    assert_problem("GET", "/reload", NULL, 405, "method-not-allowed");
    assert_int_equal(fake.wait_ms, 0);
}

static void
nobody_to_ask_is_told(void **state)
{
    (void)state;
    assert_problem("POST", "/reload", NULL, 503, "stopping");
    api_close(rig.api);
    rig_open_api(1);
    assert_problem("POST", "/reload", NULL, 409, "no-daemon");
    assert_problem("POST", "/rollback", NULL, 409, "no-daemon");
}

/* ---- Waiting -------------------------------------------------------- */

static sem_t arrived, go;

static void
wait_until(sem_t *sem)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    while (sem_timedwait(sem, &end) != 0) {
        assert_int_equal(errno, EINTR);
    }
}

static void
block(void)
{
    sem_post(&arrived);
    wait_until(&go);
}

static void *
ask_for_reload(void *arg)
{
    int *status = arg;
    const struct api_request request = {.method = "POST",
                                        .path = API_PREFIX "/reload"};
    struct api_answer answer = {0};
    api_handle(rig.api, &request, &answer);
    *status = answer.status;
    api_answer_fini(&answer);
    return NULL;
}

static void
few_wait_and_the_others_are_served(void **state)
{
    (void)state;
    pthread_t threads[RELOADS_WAITING_MAX];
    int statuses[RELOADS_WAITING_MAX];
    rig_attach();
    sem_init(&arrived, 0, 0);
    sem_init(&go, 0, 0);
    fake.on_ask = block;
    for (size_t i = 0; i < RELOADS_WAITING_MAX; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, ask_for_reload, &statuses[i]), 0);
        wait_until(&arrived);
    }
    fake.on_ask = NULL;
    assert_problem("POST", "/reload", NULL, 503, "too-many-reloads");
    assert_problem("POST", "/rollback", NULL, 503, "too-many-reloads");
    assert_int_equal(fake.kind, RELOAD_APPLY); /* that one was not asked */
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_true(clock_mono_ms() - begun_ms < VIEWS_WAIT_MS);
    for (size_t i = 0; i < RELOADS_WAITING_MAX; i++) {
        sem_post(&go);
    }
    for (size_t i = 0; i < RELOADS_WAITING_MAX; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(statuses[i], 200);
    }
    assert_int_equal(ask("POST", "/reload", NULL), 200);
    sem_destroy(&arrived);
    sem_destroy(&go);
}

static void
calls_hold_what_is_served_and_no_longer(void **state)
{
    static const char *const paths[] = {
        "/status",       "/events",      "/plugins",    "/plugins/alpha",
        "/plugins/none", "/jobs",        "/jobs/job_1", "/events?limit=0",
        "/nothing",      "/dead-letters"};
    (void)state;
    rig_attach();
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ask("GET", paths[i], NULL);
        check_nothing_is_held();
    }
    ask("POST", "/replays", "{\"all\":true,\"plugin\":\"alpha\"}");
    assert_int_equal(rig.answer.status, 202);
    check_nothing_is_held();
    turn_all();
    check_nothing_is_held();
    fake.on_ask = check_nothing_is_held;
    assert_int_equal(ask("POST", "/reload", NULL), 200);
}

/* ---- One that comes in between -------------------------------------- */

static void
reload_now(void)
{
    serving_set(&rig.serving, make_generation(9, NULL));
}

static void
call_sees_one_generation_whole(void **state)
{
    (void)state;
    rig_attach();
    serving_set(&rig.serving, make_generation(8, alpha_invoices));
    fake.on_last = reload_now;
    assert_int_equal(ask("GET", "/status", NULL), 200);
    fake.on_last = NULL;
    assert_int_equal(number_of("generation"), 8);
    assert_string_equal(text_of("plugins.0.name"), "alpha");
    assert_true(is_true("plugins.0.served"));
    assert_string_equal(text_of("plugins.0.version"), "2.0");
    assert_int_equal(number_of("plugins.1.limits.timeout_seconds"), 9);

    assert_int_equal(ask("GET", "/status", NULL), 200);
    assert_int_equal(number_of("generation"), 9);
    assert_string_equal(text_of("plugins.0.state"), "orphaned");
}

static void
views_know_what_is_served_now(void **state)
{
    (void)state;
    rig_put("evt_1", "invoice.paid", 1, ALPHA);
    assert_int_equal(ask("GET", "/events/evt_1", NULL), 200);
    assert_string_equal(text_of("state"), "queued");
    reload_now();
    assert_int_equal(ask("GET", "/events/evt_1", NULL), 200);
    assert_string_equal(text_of("state"), "orphaned");
    serving_set(&rig.serving, make_generation(10, alpha_invoices));
    assert_int_equal(ask("GET", "/events/evt_1", NULL), 200);
    assert_string_equal(text_of("state"), "queued");
}

/* A replay of four events to alpha that has moved one of them. */
static void
begin_replay(const char *more)
{
    char id[16], body[128];
    serving_set(&rig.serving, make_generation(8, alpha_invoices));
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "evt_%d", i);
        rig_put(id, "invoice.paid", 1, ALPHA);
        rig_end(0, INBOX_FAIL, INBOX_BURY, "no");
    }
    snprintf(body, sizeof(body),
             "{\"plugin\":\"alpha\",%s,"
             "\"rate_per_second\":4}",
             more);
    assert_int_equal(ask("POST", "/replays", body), 202);
    api_turn(rig.api);
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_int_equal(number_of("moved"), 1);
}

static void
job_goes_on_by_the_new_rules(void **state)
{
    (void)state;
    begin_replay("\"all\":true");
    rig_put_at("evt_new", "charge.captured", 1, 0, clock_wall_ms() - 60000);
    serving_set(&rig.serving, make_generation(9, alpha_charges));
    turn_all();
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "done");
    assert_int_equal(number_of("moved"), 2);
    assert_int_equal(ask("GET", "/events/evt_new", NULL), 200);
    assert_string_equal(text_of("deliveries.0.plugin"), "alpha");
    assert_int_equal(ask("GET", "/events/evt_3", NULL), 200);
    assert_string_equal(text_of("state"), "dead");
}

static void
job_fails_when_its_plugin_is_taken_out(void **state)
{
    (void)state;
    begin_replay("\"state\":\"dead\"");
    reload_now();
    log_setup((enum log_level) - 1, LOG_LOGFMT); /* it is an error line */
    turn_all();
    assert_int_equal(ask("GET", "/jobs/job_1", NULL), 200);
    assert_string_equal(text_of("state"), "failed");
    assert_int_equal(number_of("moved"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(reload_tells_what_it_changed),
        RELOAD_TEST(each_end_has_its_status),
        RELOAD_TEST(refusal_is_a_problem_with_every_mistake),
        RELOAD_TEST(rollback_goes_back),
        RELOAD_TEST(wrong_bodies_do_not_reload),
        RELOAD_TEST(nobody_to_ask_is_told),
        RELOAD_TEST(calls_hold_what_is_served_and_no_longer),
        RELOAD_TEST(few_wait_and_the_others_are_served),
        RELOAD_TEST(call_sees_one_generation_whole),
        RELOAD_TEST(views_know_what_is_served_now),
        RELOAD_TEST(job_goes_on_by_the_new_rules),
        RELOAD_TEST(job_fails_when_its_plugin_is_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
