/* tests/unit/test_inbox_file.c: the SQLite engine: which files it takes, how it
 * keeps them, and how it looks things up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_fixture.h"

#include "inbox/sqlite_engine.h"

#include <sys/wait.h>

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

static void
plugin_keeps_its_number(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    struct inbox_policy a = {.name = "a", .digest = ""};
    struct inbox_policy b = {.name = "b", .digest = ""};
    uint32_t first = register_at(engine, &a, 1000).id;
    uint32_t second = register_at(engine, &b, 1000).id;
    assert_int_not_equal(first, second);
    shut(engine);
    engine = open_engine();
    assert_int_equal(register_at(engine, &b, 1000).id, second);
    shut(engine);
}

static void
refused(int expected, const char *why)
{
    struct inbox_engine *engine = NULL;
    struct error err = {0};
    assert_int_equal(sqlite_open(&engine, inbox_path, &err), expected);
    assert_null(engine);
    if (strstr(err.text, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
    }
}

static void
file_of_a_newer_version_is_refused(void **state)
{
    (void)state;
    shut(open_engine());
    assert_int_equal(ask_file("PRAGMA user_version"), 3);
    ask_file("PRAGMA user_version = 4");
    refused(RC_INVALID, "newer pegboard");
    ask_file("PRAGMA user_version = 3");
    shut(open_engine());
}

static void
foreign_files_are_refused_and_left_alone(void **state)
{
    (void)state;
    ask_file("PRAGMA user_version = 7");
    refused(RC_INVALID, "some other SQLite file");
    ask_file("PRAGMA user_version = 0");
    ask_file("PRAGMA application_id = 7");
    refused(RC_INVALID, "some other SQLite file");
    /* What most programs leave: tables, and no numbers. */
    ask_file("PRAGMA application_id = 0");
    ask_file("CREATE TABLE cookies(id INTEGER)");
    refused(RC_INVALID, "some other SQLite file");
    assert_int_equal(ask_file("SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(ask_file("SELECT count(*) FROM pragma_journal_mode"
                              " WHERE journal_mode = 'delete'"),
                     1);

    FILE *file = fopen(inbox_path, "w");
    assert_non_null(file);
    for (int i = 0; i < 200; i++) {
        fputs("not a database, but quite long\n", file);
    }
    fclose(file);
    refused(RC_CORRUPT, "not a database");
}

static void
file_in_use_is_refused_in_this_and_in_another_process(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    refused(RC_BUSY, "in use by another pegboard");
    pid_t child = fork();
    if (child == 0) {
        struct inbox_engine *second;
        _exit(sqlite_open(&second, inbox_path, NULL) == RC_BUSY ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    struct arrival a; /* the first one is none the worse */
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 1)), RC_OK);
    shut(engine);
    shut(open_engine());
}

static void
files_are_private_whatever_the_umask(void **state)
{
    (void)state;
    static const char *const names[] = {"", "-wal", "-shm", ".lock"};
    mode_t old = umask(0);
    struct inbox_engine *engine = open_engine();
    umask(old);
    struct arrival a;
    assert_int_equal(commit_put(engine, arrive(&a, "evt_1", 1)), RC_OK);
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof(path), "%s%s", inbox_path, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    shut(engine);
}

static void
unusable_path_is_an_error(void **state)
{
    (void)state;
    snprintf(inbox_path, sizeof(inbox_path), "%s/none/inbox.db", inbox_folder);
    refused(RC_IO, "none/inbox.db");
    snprintf(inbox_path, sizeof(inbox_path), "%s", inbox_folder);
    refused(RC_IO, inbox_folder);
    char lock[128];
    snprintf(lock, sizeof(lock), "%s.lock", inbox_folder);
    assert_int_equal(remove(lock), 0);
}

static void
settings_are_in_force(void **state)
{
    (void)state;
    struct inbox_engine *engine = open_engine();
    assert_int_equal(ask(engine, "PRAGMA synchronous"), 2);
    assert_int_equal(ask(engine, "SELECT count(*) FROM pragma_journal_mode"
                                 " WHERE journal_mode = 'wal'"),
                     1);
    assert_int_equal(ask(engine, "PRAGMA page_size"), 16384);
    assert_int_equal(ask(engine, "PRAGMA wal_autocheckpoint"), 256);
    assert_int_equal(ask(engine, "PRAGMA fullfsync"), 1);
    assert_int_equal(ask(engine, "PRAGMA checkpoint_fullfsync"), 1);
    assert_int_equal(ask(engine, "PRAGMA secure_delete"), 2);
    assert_int_equal(ask(engine, "PRAGMA trusted_schema"), 0);
    assert_int_equal(ask(engine, "PRAGMA cell_size_check"), 1);
    assert_int_equal(ask(engine, "PRAGMA application_id"), 0x50454742);
    shut(engine);
}

/* Each hot query finds its rows by an index, without a scan or a sort. */
static void
hot_queries_never_scan(void **state)
{
    (void)state;
    static const enum sqlite_query hot[] = {
        QUERY_PUT_EVENT,      QUERY_FIND_EVENT,
        QUERY_SEEN_ENDPOINT,  QUERY_COUNT_CONFLICTS,
        QUERY_HAD_DELIVERY,   QUERY_FIND_TWIN,
        QUERY_LANE_TAKEN,     QUERY_PROMOTE,
        QUERY_PICK_DUE,       QUERY_COME_DUE,
        QUERY_PICK,           QUERY_TAKE,
        QUERY_LOAD,           QUERY_NEXT_DUE,
        QUERY_CLOSE,          QUERY_RESCHEDULE,
        QUERY_BURY,           QUERY_UNDO,
        QUERY_IS_LEASED,      QUERY_COUNT_JOB,
        QUERY_KV_GET,         QUERY_KV_DELETE,
        QUERY_KV_ACCOUNT,     QUERY_FIND_DELIVERY,
        QUERY_FIND_OBJECT,    QUERY_REVIVE,
        QUERY_REPLAY,         QUERY_DISCARD,
        QUERY_OLD_EVENTS,     QUERY_PRUNE_EVENT,
        QUERY_PRUNE_RECEIPTS, QUERY_PRUNE_ATTEMPTS,
    };
    struct inbox_engine *engine = open_engine();
    sqlite3_stmt **queries = ((struct sqlite_engine *)(void *)engine)->queries;
    for (size_t i = 0; i < COUNT(hot); i++) {
        char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s",
                                    sqlite3_sql(queries[hot[i]]));
        sqlite3_stmt *plan;
        assert_int_equal(
            sqlite3_prepare_v2(db_of(engine), sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *line = (const char *)sqlite3_column_text(plan, 3);
            if ((strncmp(line, "SCAN", 4) == 0 &&
                 strstr(line, "CONSTANT ROW") == NULL &&
                 strstr(line, "(subquery-") == NULL) || /* of one row */
                strstr(line, "TEMP B-TREE") != NULL) {
                fail_msg("%s: %s", sql, line);
            }
        }
        sqlite3_finalize(plan);
        sqlite3_free(sql);
    }
    shut(engine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(plugin_keeps_its_number),
        INBOX_TEST(file_of_a_newer_version_is_refused),
        INBOX_TEST(foreign_files_are_refused_and_left_alone),
        INBOX_TEST(file_in_use_is_refused_in_this_and_in_another_process),
        INBOX_TEST(files_are_private_whatever_the_umask),
        INBOX_TEST(unusable_path_is_an_error),
        INBOX_TEST(settings_are_in_force),
        INBOX_TEST(hot_queries_never_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
