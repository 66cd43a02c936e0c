/* tests/unit/test_inbox_sqlite.c: the SQLite engine: what a batch does to the
 * file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_fixture.h"

#include "inbox/sqlite_engine.h"

static sqlite3 *
db_of(struct inbox_engine *engine)
{
    return ((struct sqlite_engine *)(void *)engine)->db;
}

static int64_t
ask(struct inbox_engine *engine, const char *sql)
{
    return ask_db(db_of(engine), sql);
}

static void
shut(struct inbox_engine *engine)
{
    engine->ops->close(engine);
}

/* ---- Puts ----------------------------------------------------------- */

static void
new_event_brings_a_delivery_for_each_plugin(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 2)), RC_OK);
    assert_int_equal(a.put.seq, 1);
    assert_false(a.put.duplicate);
    assert_false(a.put.conflict);
    assert_int_equal(a.put.pending, 2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"
                                 " WHERE seq = 1 AND state = 0 AND due_ms ="
                                 " 0 AND plugin IN (1, 2)"),
                     2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM event WHERE routed"), 1);
    shut(engine);
}

static void
event_without_plugins_is_stored_as_unrouted(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 0)), RC_OK);
    assert_int_equal(a.put.pending, 0);
    assert_int_equal(ask(engine, "SELECT routed FROM event"), 0);
    assert_int_equal(ask(engine, "SELECT count(*) FROM body"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"), 0);
    shut(engine);
}

static void
repeat_is_stored_once_with_a_receipt(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a, b;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 1)), RC_OK);
    arrive(&b, "evt_1", 3); /* subscribers came meanwhile: same endpoint */
    b.put.received_ms = 2000;
    assert_int_equal(commit_put(engine, &b.put), RC_OK);
    assert_int_equal(b.put.seq, 1);
    assert_true(b.put.duplicate);
    assert_false(b.put.conflict);
    assert_int_equal(b.put.pending, 0);
    assert_int_equal(ask(engine, "SELECT count(*) FROM event"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"), 1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM receipt WHERE seq = 1"
                                 " AND received_ms = 2000 AND conflict IS"
                                 " NULL"),
                     1);
    shut(engine);
}

static void
same_id_with_other_bytes_is_flagged_and_kept(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"a\":2}", "{\"a\":1} ",
                                         "{\"a\":", "{}"};
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 1)), RC_OK);
    for (size_t i = 0; i < COUNT(bodies); i++) {
        arrive(&a, "evt_1", 1);
        a.put.body = bodies[i];
        a.put.body_len = strlen(bodies[i]);
        assert_int_equal(commit_put(engine, &a.put), RC_OK);
        assert_true(a.put.duplicate);
        assert_true(a.put.conflict);
    }
    assert_int_equal(ask(engine, "SELECT count(*) FROM receipt WHERE conflict"
                                 " IN (x'7b2261223a327d', x'7b2261223a317d20',"
                                 " x'7b2261223a')"),
                     3);
    /* The fourth is only flagged: a sender must not fill the disk this way. */
    assert_int_equal(
        ask(engine, "SELECT count(*) FROM receipt WHERE conflict = x''"), 1);
    assert_int_equal(ask(engine, "SELECT data = x'7b2261223a317d' FROM body"),
                     1);
    shut(engine);
}

static void
other_endpoint_adds_only_what_nobody_created(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 2)), RC_OK);
    struct inbox_want done = claim_due(engine, 1, 1, 9000);
    struct inbox_result *result =
        result_of(done.claims, INBOX_DONE, INBOX_CLOSE);
    assert_int_equal(commit_result(engine, result), RC_OK);
    free(result);
    inbox_claims_free(done.claims);

    /* Plugin 1 is done, 2 waits, 3 and 4 are new. */
    arrive(&a, "evt_1", 4);
    a.put.endpoint = "other";
    assert_int_equal(commit_put(engine, &a.put), RC_OK);
    assert_true(a.put.duplicate);
    assert_int_equal(a.put.pending, 2);
    assert_int_equal(commit_put(engine, &a.put), RC_OK);
    assert_int_equal(a.put.pending, 0);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"), 3);
    assert_int_equal(
        ask(engine, "SELECT count(*) FROM delivery WHERE plugin = 1"), 0);
    shut(engine);
}

static void
endpoint_seen_in_a_receipt_adds_nothing_later(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 1)), RC_OK);
    a.put.endpoint = "other";
    assert_int_equal(commit_put(engine, &a.put), RC_OK);
    a.put.plugin_count = 4; /* subscribed since: the event is old to them */
    assert_int_equal(commit_put(engine, &a.put), RC_OK);
    assert_int_equal(a.put.pending, 0);
    shut(engine);
}

static void
same_id_twice_in_a_batch_is_stored_once(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a, b, c;
    arrive(&a, "evt_1", 1)->next = arrive(&b, "evt_2", 1);
    b.put.next = arrive(&c, "evt_1", 1);
    struct inbox_batch batch = {.puts = &a.put};
    assert_int_equal(engine->ops->commit(engine, &batch, NULL), RC_OK);
    assert_false(a.put.duplicate);
    assert_false(b.put.duplicate);
    assert_true(c.put.duplicate);
    assert_int_equal(c.put.seq, a.put.seq);
    assert_int_equal(ask(engine, "SELECT count(*) FROM event"), 2);
    shut(engine);
}

static void
bytes_come_back_exactly(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    const size_t big = 1 << 20;
    char *bytes = malloc(big);
    assert_non_null(bytes);
    for (size_t i = 0; i < big; i++) {
        bytes[i] = (char)(i * i >> 7);
    }
    static const size_t sizes[] = {1, 2, 4095, 16384, 65537, 1 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct arrival a;
        char id[32];
        snprintf(id, sizeof(id), "evt_%zu", i);
        arrive(&a, id, 1);
        a.event.family = EVENT_THIN;
        a.put.body = bytes;
        a.put.body_len = sizes[i];
        assert_int_equal(commit_put(engine, &a.put), RC_OK);
        assert_int_equal(commit_put(engine, &a.put), RC_OK);
        assert_false(a.put.conflict);
    }
    shut(engine);

    engine = open_engine();
    struct inbox_want want = claim_due(engine, 1, COUNT(sizes), 9000);
    assert_int_equal(want.claimed, COUNT(sizes));
    size_t i = 0;
    for (struct inbox_claim *c = want.claims; c != NULL; c = c->next, i++) {
        assert_int_equal(c->body_len, sizes[i]);
        assert_memory_equal(c->body, bytes, sizes[i]);
        assert_int_equal(c->body[c->body_len], 0);
        assert_string_equal(c->signature, "t=1,v1=00");
        assert_string_equal(c->type, "charge.captured");
        assert_string_equal(c->account, "");
        assert_int_equal(c->created_s, 1700000000);
        assert_int_equal(c->received_ms, 1000);
        assert_true(c->livemode);
        assert_true(c->thin);
    }
    inbox_claims_free(want.claims);
    free(bytes);
    shut(engine);
}

/* ---- Claims and results --------------------------------------------- */

/* Events evt_0 ... for plugin 1. */
static void
put_many(struct inbox_engine *engine, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arrival a;
        char id[32];
        snprintf(id, sizeof(id), "evt_%zu", i);
        assert_int_equal(commit_put(engine, arrive(&a, id, 1)), RC_OK);
    }
}

static void
claims_come_by_age_up_to_the_limit(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    put_many(engine, 5);
    struct inbox_want want = claim_due(engine, 2, 9, 400);
    assert_int_equal(want.claimed, 0); /* another plugin's */
    assert_true(want.next_ms == INT64_MAX);

    int64_t seq = 1;
    for (unsigned limit = 1; seq <= 5; limit++) {
        want = claim_due(engine, 1, limit, 400);
        for (struct inbox_claim *c = want.claims; c != NULL; c = c->next) {
            assert_int_equal(c->seq, seq++);
            assert_int_equal(c->attempt, 1);
            assert_int_equal(c->lease, 1);
            assert_int_equal(c->first_ms, 400);
        }
        assert_int_equal(want.claimed, limit == 3 ? 2 : limit);
        assert_true(want.next_ms == (limit == 3 ? INT64_MAX : 0));
        inbox_claims_free(want.claims);
    }
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"
                                 " WHERE state = 1"),
                     5);
    shut(engine);
}

static void
claims_see_the_puts_of_their_own_batch(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    struct inbox_want wants[] = {{.plugin = 2, .count = 1},
                                 {.plugin = 1, .count = 1}};
    struct inbox_batch batch = {.puts = arrive(&a, "evt_1", 2),
                                .wants = wants,
                                .want_count = 2,
                                .now_ms = 1000};
    assert_int_equal(engine->ops->commit(engine, &batch, NULL), RC_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(wants[i].claimed, 1);
        assert_int_equal(wants[i].claims->seq, a.put.seq);
        inbox_claims_free(wants[i].claims);
    }
    shut(engine);
}

static void
more_claims_than_one_go_gives_are_due_at_once(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    put_many(engine, 100);
    struct inbox_want want = claim_due(engine, 1, 100, 1);
    assert_int_equal(want.claimed, 64);
    assert_int_equal(want.next_ms, 0);
    inbox_claims_free(want.claims);
    want = claim_due(engine, 1, 100, 1);
    assert_int_equal(want.claimed, 36);
    assert_true(want.next_ms == INT64_MAX);
    inbox_claims_free(want.claims);
    shut(engine);
}

/* Claim the one delivery at `now_ms`, and say what becomes of it. */
static struct inbox_result *
end_attempt(struct inbox_engine *engine, int64_t now_ms,
            enum inbox_outcome outcome, enum inbox_next next, int64_t due_ms)
{
    struct inbox_want want = claim_due(engine, 1, 1, now_ms);
    assert_int_equal(want.claimed, 1);
    struct inbox_result *result = result_of(want.claims, outcome, next);
    result->due_ms = due_ms;
    snprintf(result->note, sizeof(result->note), "note %u", result->attempt);
    inbox_claims_free(want.claims);
    assert_int_equal(commit_result(engine, result), RC_OK);
    return result;
}

static void
delivery_is_retried_undone_and_closed(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    put_many(engine, 1);

    free(end_attempt(engine, 150, INBOX_LOST, INBOX_UNDO, 0));
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery WHERE state = 0"
                                 " AND attempt = 0 AND first_ms IS NULL"
                                 " AND due_ms = 0 AND lease = 1"),
                     1);
    free(end_attempt(engine, 200, INBOX_RETRY, INBOX_AGAIN, 700));
    assert_int_equal(claim_due(engine, 1, 1, 699).claimed, 0);
    free(end_attempt(engine, 700, INBOX_LOST, INBOX_UNDO, 0));
    assert_int_equal(ask(engine, "SELECT first_ms FROM delivery"
                                 " WHERE attempt = 1 AND state = 0"
                                 " AND due_ms = 0"),
                     200);
    free(end_attempt(engine, 800, INBOX_DONE, INBOX_CLOSE, 0));
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"), 0);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt"), 2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt WHERE n = 1"
                                 " AND outcome = 2 AND note = 'note 1' AND"
                                 " started_ms = 5000 AND duration_us = 77"),
                     1);
    assert_int_equal(ask(engine, "SELECT outcome FROM attempt WHERE n = 2"), 0);
    shut(engine);
}

static void
buried_delivery_stays_and_is_never_claimed(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    put_many(engine, 1);
    struct inbox_result *result =
        end_attempt(engine, 200, INBOX_FAIL, INBOX_BURY, 0);
    result->note[0] = '\0'; /* said again: a buried one has no holder */
    assert_int_equal(commit_result(engine, result), RC_OK);
    free(result);
    struct inbox_want want = claim_due(engine, 1, 9, INT64_MAX);
    assert_int_equal(want.claimed, 0);
    assert_true(want.next_ms == INT64_MAX);
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"
                                 " WHERE state = 3"),
                     1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt"), 1);
    shut(engine);
}

static void
stale_result_changes_nothing(void **state)
{
    (void)state;
    static const enum inbox_next all[] = {INBOX_CLOSE, INBOX_AGAIN, INBOX_BURY,
                                          INBOX_UNDO};
    struct inbox_engine *engine = open_engine();
    put_many(engine, 1);
    struct inbox_result *old =
        end_attempt(engine, 200, INBOX_RETRY, INBOX_AGAIN, 100);
    struct inbox_want want = claim_due(engine, 1, 1, 300);
    assert_int_equal(want.claims->lease, 2);
    inbox_claims_free(want.claims);

    for (size_t i = 0; i < COUNT(all); i++) {
        old->next = all[i];
        assert_int_equal(commit_result(engine, old), RC_OK);
        assert_int_equal(ask(engine, "SELECT count(*) FROM delivery WHERE"
                                     " state = 1 AND lease = 2 AND attempt = 2"
                                     " AND due_ms = 0"),
                         1);
        assert_int_equal(ask(engine, "SELECT count(*) FROM attempt"), 1);
    }
    free(old);
    shut(engine);
}

static void
reopening_frees_leases_and_logs_them_as_lost(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct arrival a;
    put_many(engine, 1);
    free(end_attempt(engine, 200, INBOX_RETRY, INBOX_AGAIN, 50));
    struct inbox_want want = claim_due(engine, 1, 1, 300);
    assert_int_equal(want.claims->attempt, 2);
    inbox_claims_free(want.claims);
    assert_int_equal(commit_put(engine, arrive(&a, "evt_2", 1)), RC_OK);
    shut(engine);

    engine = open_engine();
    assert_int_equal(ask(engine, "SELECT count(*) FROM delivery"
                                 " WHERE state = 0"),
                     2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt WHERE seq = 1"
                                 " AND n = 2 AND outcome = 6"),
                     1);
    assert_int_equal(ask(engine, "SELECT count(*) FROM attempt"), 2);
    want = claim_due(engine, 1, 2, 300);
    const struct inbox_claim *again = want.claims->next;
    assert_int_equal(again->seq, 1);
    assert_int_equal(again->attempt, 3);
    assert_int_equal(again->spared, 1); /* the lost one does not count */
    assert_int_equal(again->lease, 3);
    inbox_claims_free(want.claims);
    shut(engine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(new_event_brings_a_delivery_for_each_plugin),
        INBOX_TEST(event_without_plugins_is_stored_as_unrouted),
        INBOX_TEST(repeat_is_stored_once_with_a_receipt),
        INBOX_TEST(same_id_with_other_bytes_is_flagged_and_kept),
        INBOX_TEST(other_endpoint_adds_only_what_nobody_created),
        INBOX_TEST(endpoint_seen_in_a_receipt_adds_nothing_later),
        INBOX_TEST(same_id_twice_in_a_batch_is_stored_once),
        INBOX_TEST(bytes_come_back_exactly),
        INBOX_TEST(claims_come_by_age_up_to_the_limit),
        INBOX_TEST(claims_see_the_puts_of_their_own_batch),
        INBOX_TEST(more_claims_than_one_go_gives_are_due_at_once),
        INBOX_TEST(delivery_is_retried_undone_and_closed),
        INBOX_TEST(buried_delivery_stays_and_is_never_claimed),
        INBOX_TEST(stale_result_changes_nothing),
        INBOX_TEST(reopening_frees_leases_and_logs_them_as_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
