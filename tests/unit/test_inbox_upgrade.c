/* tests/unit/test_inbox_upgrade.c: files of former formats, with deliveries in
 * every state, as they go on in this version.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_stage.h"

/* As the first version made it. */
static const char format_1[] =
    "CREATE TABLE plugin("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE event("
    " seq INTEGER PRIMARY KEY,"
    " event_id TEXT NOT NULL, type TEXT NOT NULL,"
    " created_s INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " livemode INTEGER NOT NULL, thin INTEGER NOT NULL,"
    " routed INTEGER NOT NULL,"
    " account TEXT NOT NULL, api_version TEXT NOT NULL,"
    " object_id TEXT NOT NULL, customer TEXT NOT NULL,"
    " snapshot_event TEXT NOT NULL,"
    " endpoint TEXT NOT NULL, secret TEXT NOT NULL,"
    " signature TEXT NOT NULL, signed_s INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX event_uid ON event(event_id);"
    "CREATE TABLE body(seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE receipt("
    " id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,"
    " received_ms INTEGER NOT NULL, endpoint TEXT NOT NULL,"
    " secret TEXT NOT NULL, signed_s INTEGER NOT NULL,"
    " conflict BLOB) STRICT;"
    "CREATE INDEX receipt_seq ON receipt(seq);"
    "CREATE TABLE delivery("
    " seq INTEGER NOT NULL, plugin INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, lease INTEGER NOT NULL,"
    " due_ms INTEGER NOT NULL, first_ms INTEGER,"
    " PRIMARY KEY(seq, plugin)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX delivery_due ON delivery(plugin, due_ms, seq)"
    " WHERE state = 0;"
    "CREATE INDEX delivery_dead ON delivery(plugin, seq) WHERE state = 3;"
    "CREATE TABLE attempt("
    " seq INTEGER NOT NULL, plugin INTEGER NOT NULL, n INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, note TEXT,"
    " PRIMARY KEY(seq, plugin, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE probe(id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;"
    "INSERT INTO probe VALUES(1, 0);"
    "PRAGMA application_id = 0x50454742; PRAGMA user_version = 1;";

#define EVENTS 7
#define LATER  4000000000000 /* far ahead */

/* All events tell of one object. The last one's row is lost. */
static const char rows[] =
    "INSERT INTO plugin VALUES(1, 'first'), (2, 'gone');"
    "INSERT INTO event SELECT value, 'evt_' || value, 'charge.captured', 1,"
    " 1000, 1, 0, 1, '', '', 'ch_1', '', '', 'main', 'first', 't=1', 1"
    " FROM generate_series;"
    "INSERT INTO body SELECT value, x'7b7d' FROM generate_series;"
    "INSERT INTO delivery VALUES" /* seq, plugin, state, attempt, ... */
    " (1, 1, 3, 3, 3, 0, 1500),"  /* dead */
    " (2, 1, 0, 2, 2, 4000000000000, 1500)," /* waits for its third attempt */
    " (3, 1, 1, 1, 1, 61000, 1500),"         /* was running */
    " (4, 1, 0, 0, 0, 1000, NULL), (5, 1, 0, 0, 0, 1000, NULL),"
    " (7, 1, 0, 0, 0, 1000, NULL),"
    " (4, 2, 0, 0, 0, 1000, NULL);"
    "INSERT INTO attempt VALUES(1, 1, 1, 1500, 7, 2, NULL),"
    " (1, 1, 2, 1600, 7, 4, 'runner exited'), (1, 1, 3, 1700, 7, 3, 'no'),"
    " (2, 1, 1, 1500, 7, 2, NULL), (2, 1, 2, 1600, 7, 2, NULL),"
    " (6, 1, 1, 1500, 7, 0, NULL);"
    "DELETE FROM event WHERE seq = 7;";

static void
run(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s", why);
    }
}

static int
make_old_file(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    sqlite3 *db;
    if (stage == NULL || make_folder(NULL) != 0 ||
        sqlite3_open(inbox_path, &db) != SQLITE_OK) {
        return -1;
    }
    run(db, format_1);
    run(db, "CREATE TEMP TABLE generate_series(value)");
    for (int i = 1; i <= EVENTS; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "INSERT INTO generate_series VALUES(%d)", i);
        run(db, sql);
    }
    run(db, rows);
    sqlite3_close(db);
    struct error err = {0};
    if (sqlite_open(&stage->engine, inbox_path, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    stage->digest = "";
    *state = stage;
    return 0;
}

static void
all_states_go_on(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(register_first(stage).id, 1);
    assert_int_equal(state_of(stage, 1), INBOX_DEAD);
    assert_int_equal(row_of(stage, 1).died_ms, 1500);
    assert_int_equal(state_of(stage, 2), INBOX_WAITING);
    assert_int_equal(row_of(stage, 2).class, INBOX_AGED);
    assert_true(row_of(stage, 2).due_ms == LATER);
    assert_int_equal(state_of(stage, 3), INBOX_READY);
    assert_int_equal(row_of(stage, 3).spared, 1);
    assert_int_equal(last_outcome(stage, 3), INBOX_LOST);
    assert_int_equal(state_of(stage, 4), INBOX_READY);
    assert_int_equal(state_of(stage, 6), NO_ROW);
    assert_int_equal(attempts_of(stage, 6), 1);

    struct inbox_want want = claim_due(stage->engine, 1, 9, 2000);
    assert_int_equal(want.claimed, 3);
    assert_true(want.next_ms == LATER);
    inbox_claims_free(want.claims);
    assert_int_equal(state_of(stage, 7), INBOX_DEAD); /* the lost one */
    want = claim_due(stage->engine, 1, 9, LATER);
    assert_int_equal(want.claimed, 1);
    assert_int_equal(want.claims->attempt, 3);
    assert_int_equal(want.claims->spared, 0);
    assert_int_equal(want.claims->first_ms, 1500);
    inbox_claims_free(want.claims);
    want = claim_due(stage->engine, 2, 9, 2000); /* orphaned till now */
    assert_int_equal(want.claimed, 1);
    inbox_claims_free(want.claims);
    assert_int_equal(put_about(stage, "evt_8", "ch_1"), 8);
}

/* One after the other, and all of them. */
static void
run_lane(struct stage *stage, int64_t now_ms, const int64_t *seqs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct inbox_claim claim = claim_seq(stage, now_ms, seqs[i]);
        assert_int_equal(claim_one(stage, now_ms).seq, 0);
        finish_done(stage, &claim);
    }
}

static void
lanes_are_made_for_what_was_owed(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_OBJECT);
    static const int64_t seqs[] = {3, 4, 5};
    run_lane(stage, 2000, seqs, COUNT(seqs));
    assert_int_equal(act_on(stage, INBOX_REPLAY_ALL, 1, NULL), 1);
    assert_int_equal(claim_seq(stage, 2000, 1).attempt, 4);
    assert_int_equal(claim_one(stage, LATER).seq, 0);
    assert_int_equal(state_of(stage, 2), INBOX_HELD); /* behind it */
}

static void
strict_lanes_wait_for_the_first(void **state)
{
    struct stage *stage = *state;
    set_order(stage, INBOX_STRICT);
    claim_one(stage, 2000); /* buries the lost one, which has no lane */
    assert_int_equal(claim_one(stage, 2000).seq, 0);
    static const int64_t seqs[] = {2, 3, 4, 5};
    run_lane(stage, LATER, seqs, COUNT(seqs));
}

/* ---- From format 2 -------------------------------------------------- */

/* Takes back what the third version added. */
static const char undo_3[] = "DROP TABLE generation;"
                             "DROP INDEX delivery_crashed;"
                             "ALTER TABLE plugin DROP COLUMN collapse;"
                             "ALTER TABLE delivery DROP COLUMN forgot;"
                             "PRAGMA user_version = 2;";

static int64_t
number_after_enrolling(struct stage *stage)
{
    sqlite3 *db = stage_db(stage);
    register_first(stage);
    return ask_db(db, "SELECT number FROM generation");
}

static void
file_of_format_2_gets_generations_and_keeps_counts(void **state)
{
    struct stage *stage = *state;
    stage->digest = "aa";
    register_first(stage);
    run(stage_db(stage),
        "UPDATE delivery SET crashes = 2 WHERE seq IN (4, 5) AND plugin = 1");
    run(stage_db(stage), undo_3);
    stage->engine->ops->close(stage->engine);
    assert_int_equal(sqlite_open(&stage->engine, inbox_path, NULL), RC_OK);
    assert_int_equal(ask_db(stage_db(stage), "PRAGMA user_version"), 3);
    assert_int_equal(ask_db(stage_db(stage), "SELECT count(*) FROM generation"),
                     0);
    assert_int_equal(number_after_enrolling(stage), 1);
    assert_int_equal(number_after_enrolling(stage), 2);
    assert_int_equal(row_of(stage, 4).crashes, 2); /* the same program */
    assert_int_equal(row_of(stage, 5).crashes, 2);
    set_digest(stage, "bb");
    assert_int_equal(row_of(stage, 4).crashes, 0);
    assert_int_equal(row_of(stage, 5).crashes, 0);
}

#define ON_OLD_FILE(test)                                                      \
    cmocka_unit_test_setup_teardown(test, make_old_file, close_stage)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_OLD_FILE(all_states_go_on),
        ON_OLD_FILE(lanes_are_made_for_what_was_owed),
        ON_OLD_FILE(strict_lanes_wait_for_the_first),
        ON_OLD_FILE(file_of_format_2_gets_generations_and_keeps_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
