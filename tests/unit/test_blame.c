/* tests/unit/test_blame.c: what becomes of deliveries that took a runner along,
 * and of those at hand when a plugin is paused. The inbox is a list of what it
 * was told.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/blame.h"
#include "delivery/pool.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 16

/* ---- An inbox that listens ------------------------------------------ */

struct inbox {
    struct inbox_result *told[TOLD_MAX];
    size_t count;
    struct inbox_plugin held;
    unsigned held_calls, unwant_calls, recovered;
};

void
inbox_finish(struct inbox *inbox, struct inbox_result *result)
{
    assert_true(inbox->count < TOLD_MAX);
    inbox->told[inbox->count++] = result;
}

void
inbox_result_free(struct inbox_result *result)
{
    if (result != NULL) {
        free(result->evidence);
        free(result);
    }
}

void
inbox_keep_held(struct inbox *inbox, const struct inbox_plugin *plugin)
{
    inbox->held = *plugin;
    inbox->held_calls++;
}

void
inbox_want(struct inbox *inbox, uint32_t plugin, unsigned count)
{
    (void)inbox;
    (void)plugin;
    (void)count;
    fail_msg("no runner, and still a wish");
}

void
inbox_unwant(struct inbox *inbox, uint32_t plugin)
{
    assert_int_equal(plugin, 3);
    inbox->unwant_calls++;
}

void
inbox_look_up(struct inbox *inbox, struct inbox_lookup *lookup)
{
    (void)inbox;
    (void)lookup;
    fail_msg("nobody asks");
}

/* ---- A pool --------------------------------------------------------- */

static struct config_plugin config = {
    .name = "p",
    .retry_first_ms = 4000,
    .retry_max_ms = 3600 * 1000,
    .max_attempts = 25,
    .max_age_ms = 72LL * 3600 * 1000,
};

static struct plugin plugin = {.config = &config, .id = 3};

struct rig {
    struct inbox inbox;
    struct pool_host host;
    struct pool pool;
};

static void
on_recovered(void *arg, uint32_t which)
{
    struct inbox *inbox = arg;
    assert_int_equal(which, plugin.id);
    inbox->recovered++;
}

static int
set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    log_setup(LOG_ERROR, LOG_LOGFMT);
    config.max_attempts = 25;
    rig->host = (struct pool_host){
        .inbox = &rig->inbox, .recovered_fn = on_recovered, .arg = &rig->inbox};
    pool_init(&rig->pool, &rig->host, &plugin);
    *state = rig;
    return 0;
}

static int
tear_down(void **state)
{
    struct rig *rig = *state;
    pool_fini(&rig->pool);
    for (size_t i = 0; i < rig->inbox.count; i++) {
        inbox_result_free(rig->inbox.told[i]);
    }
    free(rig);
    return 0;
}

static struct attempt *
claim(int64_t seq, uint32_t attempt, uint32_t crashes)
{
    struct inbox_claim *made = calloc(1, sizeof(*made));
    assert_non_null(made);
    made->seq = seq;
    made->plugin = plugin.id;
    made->attempt = attempt;
    made->crashes = crashes;
    made->first_ms = clock_wall_ms();
    made->event_id = "evt_1";
    struct attempt *opened = attempt_open(made);
    assert_non_null(opened);
    return opened;
}

static struct attempt *
ended(struct attempt *attempt, enum inbox_outcome outcome)
{
    attempt_begin(attempt);
    attempt_end(attempt, outcome);
    snprintf(attempt->result->note, sizeof(attempt->result->note),
             "runner killed by signal 11 (SIGSEGV)");
    return attempt;
}

static void
crash(struct rig *rig, int64_t seq, uint32_t attempt, uint32_t crashes)
{
    blame_crash(&rig->pool, ended(claim(seq, attempt, crashes), INBOX_CRASH));
}

/* How long a result says to wait, about. */
static int64_t
wait_of(const struct inbox_result *result)
{
    return result->due_ms - clock_wall_ms();
}

static void
assert_spared(const struct inbox_result *result)
{
    assert_int_equal(result->spare, 1);
    assert_int_equal(result->next, INBOX_AGAIN);
    assert_non_null(strstr(result->note, "does not count"));
}

/* ---- Charged or spared ---------------------------------------------- */

static void
suspect_is_kept_aside_until_a_verdict_and_then_charged(void **state)
{
    struct rig *rig = *state;
    crash(rig, 7, 1, 0);
    assert_int_equal(rig->inbox.count, 0);
    blame_answered(&rig->pool);
    assert_int_equal(rig->inbox.count, 1);
    const struct inbox_result *result = rig->inbox.told[0];
    assert_int_equal(result->seq, 7);
    assert_int_equal(result->spare, 0);
    assert_int_equal(result->crashes, 1);
    assert_int_equal(result->next, INBOX_AGAIN);
    assert_in_range(wait_of(result), 2500, 5000);
    blame_answered(&rig->pool); /* nothing is left to charge */
    assert_int_equal(rig->inbox.count, 1);
    assert_int_equal(rig->inbox.recovered, 0);
}

static void
third_charge_makes_a_dead_letter_that_tells_why(void **state)
{
    struct rig *rig = *state;
    struct attempt *attempt = ended(claim(7, 3, 2), INBOX_CRASH);
    attempt->result->evidence = strdup("before\nsaid \"ouch\"\n");
    blame_crash(&rig->pool, attempt);
    blame_answered(&rig->pool);
    const struct inbox_result *result = rig->inbox.told[0];
    assert_int_equal(result->next, INBOX_BURY);
    assert_int_equal(result->crashes, 3);
    assert_string_equal(result->note,
                        "runner killed by signal 11 (SIGSEGV); it took 3 "
                        "runners along; last lines: \"before | said 'ouch'\"");
}

static void
second_charge_does_not(void **state)
{
    struct rig *rig = *state;
    crash(rig, 7, 2, 1);
    blame_answered(&rig->pool);
    assert_int_equal(rig->inbox.told[0]->next, INBOX_AGAIN);
    assert_int_equal(rig->inbox.told[0]->crashes, 2);
    assert_string_equal(rig->inbox.told[0]->note,
                        "runner killed by signal 11 (SIGSEGV)");
}

static void
broken_plugin_costs_nobody_an_attempt(void **state)
{
    struct rig *rig = *state;
    config.max_attempts = 1; /* one that counted would be the last */
    for (int64_t seq = 1; seq <= 10; seq++) {
        crash(rig, seq, 1, 2);
    }
    assert_int_equal(rig->pool.health.is_broken, 1);
    assert_int_equal(rig->inbox.count, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_spared(rig->inbox.told[i]);
        assert_int_equal(rig->inbox.told[i]->crashes, 2); /* as before */
    }
}

static void
spared_one_waits_as_long_as_its_counted_attempts_say(void **state)
{
    struct rig *rig = *state;
    struct attempt *attempt = claim(7, 9, 0); /* the ninth, */
    attempt->claim->spared = 6;               /* of which three count */
    blame_crash(&rig->pool, ended(attempt, INBOX_TIMEOUT));
    blame_excuse(&rig->pool, "a test");
    assert_spared(rig->inbox.told[0]); /* and so after the second: */
    assert_in_range(wait_of(rig->inbox.told[0]), 8500, 15000);
}

static void
attempts_that_do_not_count_use_up_nothing(void **state)
{
    (void)state;
    config.max_attempts = 3;
    struct attempt *attempt = claim(7, 9, 0);
    attempt->claim->spared = 7;
    attempt_retry(attempt, &plugin, 0, -1);
    assert_int_equal(attempt->result->next, INBOX_AGAIN);
    attempt->claim->spared = 6; /* now it is the third that counts */
    attempt_retry(attempt, &plugin, 0, -1);
    assert_int_equal(attempt->result->next, INBOX_BURY);
    attempt_close(attempt);
}

static void
time_held_is_no_age(void **state)
{
    (void)state;
    struct attempt *attempt = claim(7, 2, 0);
    attempt->first_ms -= config.max_age_ms + 60000;
    attempt->claim->held_ms = 500;
    attempt_retry(attempt, &plugin, 500, -1);
    assert_int_equal(attempt->result->next, INBOX_BURY);
    attempt_retry(attempt, &plugin, 500 + 120000, -1);
    assert_int_equal(attempt->result->next, INBOX_AGAIN);
    attempt_close(attempt);
}

static void
first_verdict_tells_that_the_plugin_has_recovered(void **state)
{
    struct rig *rig = *state;
    crash(rig, 1, 1, 0);
    crash(rig, 2, 1, 0);
    blame_answered(&rig->pool);
    blame_answered(&rig->pool);
    assert_int_equal(rig->inbox.recovered, 1);
    assert_int_equal(rig->inbox.count, 2);
}

static void
lone_suspect_is_charged_when_its_time_is_over(void **state)
{
    struct rig *rig = *state;
    crash(rig, 1, 1, 0);
    int64_t until_ms = rig->pool.health.suspect_until_ms;
    blame_settle(&rig->pool, until_ms - 1, 1);
    assert_int_equal(rig->inbox.count, 0);
    blame_settle(&rig->pool, until_ms, 1);
    assert_int_equal(rig->inbox.count, 1);
    assert_int_equal(rig->inbox.told[0]->crashes, 1);
    assert_int_equal(rig->inbox.told[0]->spare, 0);
}

static void
drain_spares_the_suspect_and_gives_claims_back(void **state)
{
    struct rig *rig = *state;
    crash(rig, 1, 1, 2);
    pool_queue(&rig->pool, claim(2, 1, 0));
    assert_int_equal(pool_drain(&rig->pool), 0);
    assert_int_equal(rig->inbox.count, 2);
    assert_int_equal(rig->inbox.told[0]->next, INBOX_UNDO);
    assert_spared(rig->inbox.told[1]);
    assert_int_equal(rig->inbox.told[1]->crashes, 2);
}

/* Seen by the order in which claims leave. */
static void
one_with_a_clean_record_goes_first_while_in_doubt(void **state)
{
    struct rig *rig = *state;
    struct attempt *spared = claim(3, 2, 0);
    spared->claim->spared = 1;
    pool_queue(&rig->pool, claim(2, 2, 1));
    pool_queue(&rig->pool, spared);
    pool_queue(&rig->pool, claim(4, 1, 0));
    crash(rig, 1, 1, 0);
    pool_drain(&rig->pool);
    assert_int_equal(rig->inbox.told[0]->seq, 4);
    assert_int_equal(rig->inbox.told[1]->seq, 2);
    assert_int_equal(rig->inbox.told[2]->seq, 3);
    assert_int_equal(rig->pool.ready_count, 0);
    pool_queue(&rig->pool, claim(5, 1, 0)); /* the list is sound */
    pool_queue(&rig->pool, claim(6, 2, 1));
    pool_drain(&rig->pool);
    assert_int_equal(rig->inbox.told[4]->seq, 5);
    assert_int_equal(rig->inbox.told[5]->seq, 6);
}

static void
attempt_cut_short_by_our_end_does_not_count(void **state)
{
    struct rig *rig = *state;
    struct attempt *attempt = ended(claim(1, 1, 1), INBOX_LOST);
    attempt_lose(attempt, "our stop");
    attempt_finish(attempt, &plugin, &rig->inbox);
    assert_spared(rig->inbox.told[0]);
    assert_int_equal(rig->inbox.told[0]->crashes, 1);
    assert_true(wait_of(rig->inbox.told[0]) <= 0);
}

/* ---- Held ----------------------------------------------------------- */

static void
paused_pool_gives_its_claims_back_and_says_since_when(void **state)
{
    struct rig *rig = *state;
    struct inbox_plugin pause = {.id = 3, .paused_ms = 1};
    rig->pool.asked = 2;
    pool_queue(&rig->pool, claim(1, 1, 0));
    pool_pause(&rig->pool, &pause);
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.unwant_calls, 1);
    assert_int_equal(rig->inbox.count, 1);
    assert_int_equal(rig->inbox.told[0]->next, INBOX_UNDO);
    assert_int_equal(rig->inbox.held.id, 3);
    assert_true(rig->inbox.held.held_since_ms != 0);
    pool_queue(&rig->pool, claim(2, 1, 0)); /* was just being claimed */
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.count, 2);
    assert_int_equal(rig->inbox.held_calls, 1);

    pause.paused_ms = 0;
    pool_pause(&rig->pool, &pause);
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.held_calls, 2);
    assert_int_equal(rig->inbox.held.held_since_ms, 0);
    pool_queue(&rig->pool, claim(3, 1, 0));
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.count, 2);
}

static void
pause_spares_the_suspect(void **state)
{
    struct rig *rig = *state;
    struct inbox_plugin pause = {.id = 3, .paused_ms = 1};
    crash(rig, 1, 1, 2);
    pool_pause(&rig->pool, &pause);
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.count, 1);
    assert_spared(rig->inbox.told[0]);
}

/* Nothing else is tried then, which would tell whose fault it was. */
static void
crash_during_a_pause_charges_nobody(void **state)
{
    struct rig *rig = *state;
    struct inbox_plugin pause = {.id = 3, .paused_ms = 1};
    pool_pause(&rig->pool, &pause);
    pool_feed(&rig->pool);
    crash(rig, 1, 1, 2); /* was in work when the pause began */
    int64_t until_ms = rig->pool.health.suspect_until_ms;
    pool_feed(&rig->pool);
    blame_settle(&rig->pool, until_ms, 1);
    assert_int_equal(rig->inbox.count, 1);
    assert_spared(rig->inbox.told[0]);
    assert_int_equal(rig->inbox.told[0]->crashes, 2);
}

static void
broken_pool_is_held_but_keeps_its_claims(void **state)
{
    struct rig *rig = *state;
    pool_queue(&rig->pool, claim(9, 1, 0));
    crash(rig, 1, 1, 0);
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.held_calls, 0); /* a suspect is no fault yet */
    crash(rig, 2, 1, 0);
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.held_calls, 1);
    assert_true(rig->inbox.held.held_since_ms != 0);
    assert_int_equal(rig->inbox.count, 2);
    blame_answered(&rig->pool);
    pool_feed(&rig->pool);
    assert_int_equal(rig->inbox.held_calls, 2);
    assert_int_equal(rig->inbox.held.held_since_ms, 0);
}

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(suspect_is_kept_aside_until_a_verdict_and_then_charged),
        POOL_TEST(third_charge_makes_a_dead_letter_that_tells_why),
        POOL_TEST(second_charge_does_not),
        POOL_TEST(broken_plugin_costs_nobody_an_attempt),
        POOL_TEST(spared_one_waits_as_long_as_its_counted_attempts_say),
        POOL_TEST(attempts_that_do_not_count_use_up_nothing),
        POOL_TEST(time_held_is_no_age),
        POOL_TEST(first_verdict_tells_that_the_plugin_has_recovered),
        POOL_TEST(lone_suspect_is_charged_when_its_time_is_over),
        POOL_TEST(drain_spares_the_suspect_and_gives_claims_back),
        POOL_TEST(one_with_a_clean_record_goes_first_while_in_doubt),
        POOL_TEST(attempt_cut_short_by_our_end_does_not_count),
        POOL_TEST(paused_pool_gives_its_claims_back_and_says_since_when),
        POOL_TEST(pause_spares_the_suspect),
        POOL_TEST(crash_during_a_pause_charges_nobody),
        POOL_TEST(broken_pool_is_held_but_keeps_its_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
