/* tests/unit/test_inbox_store.c: results that do not count or tell of crashes,
 * and the store of keys that each plugin has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_stage.h"

static struct inbox_claim
put_and_claim(struct stage *stage, const char *id)
{
    int64_t seq = put_about(stage, id, "");
    return claim_seq(stage, 2000, seq);
}

/* ---- Results -------------------------------------------------------- */

static void
spared_attempt_and_crashes_are_counted(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = put_and_claim(stage, "evt_1");
    struct inbox_result *result = result_of(&claim, INBOX_CRASH, INBOX_AGAIN);
    result->spare = 1;
    result->crashes = 2;
    result->due_ms = 3000;
    assert_int_equal(commit_result(stage->engine, result), RC_OK);
    inbox_result_free(result);
    claim = claim_seq(stage, 3000, 1);
    assert_int_equal(claim.attempt, 2);
    assert_int_equal(claim.spared, 1);
    assert_int_equal(claim.crashes, 2);
    finish(stage, &claim, INBOX_LOST, INBOX_UNDO, 0);
    assert_int_equal(row_of(stage, 1).crashes, 2);
    assert_int_equal(row_of(stage, 1).spared, 1);
    assert_int_equal(row_of(stage, 1).first_ms, 2000);

    stage->digest = ""; /* nothing is known of its file: it may be the same */
    register_first(stage);
    assert_int_equal(row_of(stage, 1).crashes, 2);
    stage->digest = "abcd";
    register_first(stage);
    assert_int_equal(row_of(stage, 1).crashes, 0);
}

static void
batch_counts_what_ended_but_not_stale_results(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claims[3];
    struct inbox_result *results[4];
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof(id), "evt_%d", i);
        claims[i] = put_and_claim(stage, id);
    }
    results[0] = result_of(&claims[0], INBOX_DONE, INBOX_CLOSE);
    results[1] = result_of(&claims[1], INBOX_FAIL, INBOX_BURY);
    results[2] = result_of(&claims[2], INBOX_RETRY, INBOX_AGAIN);
    results[3] = result_of(&claims[0], INBOX_FAIL, INBOX_BURY); /* stale */
    for (int i = 0; i < 3; i++) {
        results[i]->link = results[i + 1];
    }
    struct inbox_batch batch = {.results = results[0], .now_ms = 6000};
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    assert_int_equal(batch.closed, 2);
    assert_int_equal(batch.buried, 1);
    assert_int_equal(attempts_of(stage, claims[0].seq), 1);
    assert_int_equal(row_of(stage, claims[1].seq).died_ms, 6000);
    for (int i = 0; i < 4; i++) {
        inbox_result_free(results[i]);
    }
}

static void
time_held_before_the_first_attempt_is_remembered(void **state)
{
    struct stage *stage = *state;
    struct inbox_action action = {
        .kind = INBOX_KEEP_HELD,
        .plugin = 1,
        .state = {.held_ms = 500, .held_since_ms = 1900},
        .now_ms = 1950};
    assert_int_equal(commit_action(stage->engine, &action), RC_OK);
    struct inbox_claim claim = put_and_claim(stage, "evt_1");
    assert_int_equal(claim.held_ms, 600); /* 500, and 1900 to 2000 */
    finish(stage, &claim, INBOX_RETRY, INBOX_AGAIN, 3000);
    assert_int_equal(claim_seq(stage, 3000, 1).held_ms, 600);
    struct inbox_plugin plugin = register_first(stage);
    assert_int_equal(plugin.held_ms, 500);
    assert_int_equal(plugin.held_since_ms, 1900);
}

static void
pause_is_kept(void **state)
{
    struct stage *stage = *state;
    struct inbox_action action = {
        .kind = INBOX_PAUSE,
        .plugin = 1,
        .state = {.paused_ms = 5, .paused_until_ms = 9, .reason = "it leaks"},
        .now_ms = 1950};
    assert_int_equal(commit_action(stage->engine, &action), RC_OK);
    restart_stage(stage);
    struct inbox_plugin plugin = register_first(stage);
    assert_int_equal(plugin.paused_ms, 5);
    assert_int_equal(plugin.paused_until_ms, 9);
    assert_string_equal(plugin.reason, "it leaks");
}

/* ---- Keys ----------------------------------------------------------- */

static struct inbox_lookup
look_up(struct stage *stage, uint32_t plugin, const char *key)
{
    struct inbox_lookup lookup = {.plugin = plugin, .key_len = strlen(key)};
    memcpy(lookup.key, key, lookup.key_len);
    struct inbox_batch batch = {.lookups = &lookup, .now_ms = 2000};
    assert_int_equal(stage->engine->ops->commit(stage->engine, &batch, NULL),
                     RC_OK);
    return lookup;
}

static int64_t
version_of(struct stage *stage, const char *key)
{
    struct inbox_lookup lookup = look_up(stage, 1, key);
    assert_int_equal(lookup.rc, lookup.version == 0 ? RC_NOT_FOUND : RC_OK);
    free(lookup.value);
    return lookup.version;
}

static void
assert_value(struct stage *stage, const char *key, const char *value)
{
    struct inbox_lookup lookup = look_up(stage, 1, key);
    assert_int_equal(lookup.rc, RC_OK);
    assert_int_equal(lookup.value_len, strlen(value));
    assert_memory_equal(lookup.value, value, lookup.value_len);
    free(lookup.value);
}

#define RETRY_MS 66000 /* when it would be tried again */

/* A new event's attempt ends so, having read version `seen` of the key and
 * written `value`, or deleted it when that is NULL. Its number. */
static int64_t
any_attempt(struct stage *stage, enum inbox_outcome outcome, int64_t seen,
            const char *key, const char *value, int is_last)
{
    static int number;
    char id[32];
    snprintf(id, sizeof(id), "evt_of_%d", number++);
    struct inbox_claim claim = put_and_claim(stage, id);
    struct inbox_change change = {.seen = seen,
                                  .writes = value == NULL ? 2 : 1,
                                  .key_len = strlen(key),
                                  .value_len = value ? strlen(value) : 0,
                                  .key = key,
                                  .value = value};
    struct inbox_result *result = result_of(
        &claim, outcome, outcome == INBOX_DONE ? INBOX_CLOSE : INBOX_BURY);
    result->changes = &change;
    result->due_ms = RETRY_MS;
    result->is_last = is_last;
    assert_int_equal(commit_result(stage->engine, result), RC_OK);
    result->changes = NULL;
    inbox_result_free(result);
    return claim.seq;
}

static int64_t
attempt(struct stage *stage, enum inbox_outcome outcome, int64_t seen,
        const char *key, const char *value)
{
    return any_attempt(stage, outcome, seen, key, value, 0);
}

static void
changes_hold_with_done_only(void **state)
{
    struct stage *stage = *state;
    static const enum inbox_outcome others[] = {
        INBOX_SKIP, INBOX_RETRY, INBOX_FAIL, INBOX_CRASH, INBOX_TIMEOUT};
    for (size_t i = 0; i < COUNT(others); i++) {
        attempt(stage, others[i], -1, "key", "1");
        assert_int_equal(version_of(stage, "key"), 0);
    }
    int64_t seq = attempt(stage, INBOX_DONE, -1, "key", "2");
    assert_int_equal(state_of(stage, seq), NO_ROW);
    assert_value(stage, "key", "2");
    assert_int_equal(look_up(stage, 2, "key").rc, RC_NOT_FOUND);
    restart_stage(stage);
    assert_value(stage, "key", "2");
    attempt(stage, INBOX_DONE, -1, "key", NULL);
    assert_int_equal(version_of(stage, "key"), 0);
}

static void
done_on_an_old_value_runs_again(void **state)
{
    struct stage *stage = *state;
    attempt(stage, INBOX_DONE, 0, "key", "1");
    int64_t old = version_of(stage, "key");
    attempt(stage, INBOX_DONE, old, "key", "2");
    int64_t seq = attempt(stage, INBOX_DONE, old, "key", "3");
    assert_value(stage, "key", "2");
    assert_int_equal(state_of(stage, seq), INBOX_WAITING);
    assert_int_equal(last_outcome(stage, seq), INBOX_RETRY);
    struct inbox_claim again = claim_seq(stage, 6000, seq); /* at once */
    assert_int_equal(again.attempt, 2);
    assert_int_equal(again.spared, 1);
    finish_done(stage, &again);
    /* One that must not be there is. */
    seq = attempt(stage, INBOX_DONE, 0, "key", "4");
    assert_int_equal(state_of(stage, seq), INBOX_WAITING);
}

/* A key that was deleted and put again is not what was read before. */
static void
versions_never_come_again(void **state)
{
    struct stage *stage = *state;
    attempt(stage, INBOX_DONE, -1, "key", "1");
    int64_t old = version_of(stage, "key");
    attempt(stage, INBOX_DONE, -1, "key", NULL);
    attempt(stage, INBOX_DONE, -1, "key", "1");
    assert_true(version_of(stage, "key") > old);
    int64_t seq = attempt(stage, INBOX_DONE, old, "key", "2");
    assert_int_equal(state_of(stage, seq), INBOX_WAITING);
    assert_value(stage, "key", "1");
}

/* How much the store holds is set beforehand: filling it takes its time. */
static void
set_bytes(struct stage *stage, int64_t bytes)
{
    if (stage->model != NULL) {
        stage->model->rows.plugins[0].kv_bytes = bytes;
        return;
    }
    char sql[96];
    snprintf(sql, sizeof(sql), "UPDATE plugin SET kv_bytes = %lld WHERE id = 1",
             (long long)bytes);
    ask_db(stage_db(stage), sql);
}

static void
full_store_takes_nothing_more(void **state)
{
    struct stage *stage = *state;
    set_bytes(stage, INBOX_PLUGIN_BYTES - 4);
    int64_t seq = attempt(stage, INBOX_DONE, -1, "key", "12");
    assert_int_equal(version_of(stage, "key"), 0);
    assert_int_equal(state_of(stage, seq), INBOX_WAITING);
    assert_int_equal(claim_one(stage, RETRY_MS - 1).seq, 0);
    struct inbox_claim claim = claim_seq(stage, RETRY_MS, seq);
    assert_int_equal(claim.spared, 0); /* or it would never end */
    finish_done(stage, &claim);
    seq = any_attempt(stage, INBOX_DONE, -1, "key", "12", 1);
    assert_int_equal(state_of(stage, seq), INBOX_DEAD);
    seq = attempt(stage, INBOX_DONE, -1, "key", "1"); /* just fits */
    assert_int_equal(state_of(stage, seq), NO_ROW);
    attempt(stage, INBOX_DONE, -1, "key", "2"); /* in place of that */
    assert_value(stage, "key", "2");
    attempt(stage, INBOX_DONE, -1, "key", NULL);
    seq = attempt(stage, INBOX_DONE, -1, "new", "1");
    assert_int_equal(state_of(stage, seq), NO_ROW);
}

static void
stale_result_changes_no_key(void **state)
{
    struct stage *stage = *state;
    struct inbox_claim claim = put_and_claim(stage, "evt_1");
    struct inbox_change change = {.seen = -1,
                                  .writes = 1,
                                  .key_len = 3,
                                  .value_len = 1,
                                  .key = "key",
                                  .value = "1"};
    struct inbox_result *result = result_of(&claim, INBOX_DONE, INBOX_CLOSE);
    finish(stage, &claim, INBOX_LOST, INBOX_UNDO, 0);
    result->changes = &change;
    assert_int_equal(commit_result(stage->engine, result), RC_OK);
    result->changes = NULL;
    inbox_result_free(result);
    assert_int_equal(version_of(stage, "key"), 0);
    assert_int_equal(state_of(stage, 1), INBOX_READY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGES(spared_attempt_and_crashes_are_counted),
        ON_STAGES(batch_counts_what_ended_but_not_stale_results),
        ON_STAGES(time_held_before_the_first_attempt_is_remembered),
        ON_STAGES(pause_is_kept),
        ON_STAGES(changes_hold_with_done_only),
        ON_STAGES(done_on_an_old_value_runs_again),
        ON_STAGES(versions_never_come_again),
        ON_STAGES(full_store_takes_nothing_more),
        ON_STAGES(stale_result_changes_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
