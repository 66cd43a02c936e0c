/* tests/unit/inbox_fixture.h: a fresh folder to keep an inbox in, arrivals and
 * results to put into it, and questions to the file behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_FIXTURE_H
#define TESTS_INBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "inbox/engine.h"
#include "log.h"
#include "stripe/event.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char inbox_folder[64];
static char inbox_path[96]; /* of the inbox in it */

static inline int
make_folder(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    snprintf(inbox_folder, sizeof(inbox_folder), "/tmp/pegboard-test-XXXXXX");
    if (mkdtemp(inbox_folder) == NULL) {
        return -1;
    }
    snprintf(inbox_path, sizeof(inbox_path), "%s/inbox.db", inbox_folder);
    return 0;
}

static inline int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int
remove_folder(void **state)
{
    (void)state;
    return nftw(inbox_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A test in a folder of its own. */
#define INBOX_TEST(test)                                                       \
    cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

/* ---- Arrivals and results ------------------------------------------- */

/* An arrival with all that it borrows. */
struct arrival {
    struct inbox_put put;
    struct event event;
    uint32_t plugins[4];
    unsigned char twin[INBOX_TWIN_BYTES];
};

/* One of event `id` at endpoint "main", for plugins 1 to `plugin_count`. */
static inline struct inbox_put *
arrive(struct arrival *a, const char *id, size_t plugin_count)
{
    *a = (struct arrival){.event.created_s = 1700000000,
                          .event.livemode = 1,
                          .plugins = {1, 2, 3, 4}};
    snprintf(a->event.id, sizeof(a->event.id), "%s", id);
    snprintf(a->event.type, sizeof(a->event.type), "charge.captured");
    a->put = (struct inbox_put){.event = &a->event,
                                .body = "{\"a\":1}",
                                .body_len = 7,
                                .endpoint = "main",
                                .secret = "first",
                                .signature = "t=1,v1=00",
                                .signed_s = 1700000001,
                                .received_ms = 1000,
                                .plugins = a->plugins,
                                .plugin_count = plugin_count};
    return &a->put;
}

/* What became of a claim; on the heap, as inbox_finish() wants it. */
static inline struct inbox_result *
result_of(const struct inbox_claim *claim, enum inbox_outcome outcome,
          enum inbox_next next)
{
    struct inbox_result *result = calloc(1, sizeof(*result));
    assert_non_null(result);
    result->seq = claim->seq;
    result->plugin = claim->plugin;
    result->attempt = claim->attempt;
    result->lease = claim->lease;
    result->job = claim->job;
    result->crashes = claim->crashes;
    result->outcome = outcome;
    result->next = next;
    result->started_ms = 5000;
    result->duration_us = 77;
    return result;
}

/* ---- An engine ------------------------------------------------------ */

/* Enrol a generation of that one plugin. */
static inline struct inbox_plugin
register_at(struct inbox_engine *engine, const struct inbox_policy *policy,
            int64_t now_ms)
{
    struct inbox_plugin plugin = {0};
    struct inbox_generation generation = {.inputs = ""};
    struct inbox_enrolment enrolment = {.policies = policy,
                                        .count = 1,
                                        .plugins = &plugin,
                                        .generation = &generation};
    struct inbox_roll roll = {.enrolment = &enrolment};
    struct inbox_batch batch = {.roll = &roll, .now_ms = now_ms};
    struct error err = {0};
    if (engine->ops->commit(engine, &batch, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    return plugin;
}

/* The same, of a running inbox; id 0 when it failed. */
static inline struct inbox_plugin
enrol_one(struct inbox *inbox, const struct inbox_policy *policy)
{
    struct inbox_plugin plugin = {0};
    struct inbox_generation generation = {.inputs = ""};
    struct inbox_enrolment enrolment = {.policies = policy,
                                        .count = 1,
                                        .plugins = &plugin,
                                        .generation = &generation};
    inbox_enrol(inbox, &enrolment, NULL);
    return plugin;
}

/* Plugins 1 to 4, without lanes. */
static inline void
register_four(struct inbox_engine *engine)
{
    static const char *const names[] = {"first", "second", "third", "fourth"};
    for (uint32_t i = 0; i < COUNT(names); i++) {
        struct inbox_policy policy = {.name = names[i], .digest = ""};
        assert_int_equal(register_at(engine, &policy, 1000).id, i + 1);
    }
}

static inline struct inbox_engine *
open_engine(void)
{
    struct inbox_engine *engine = NULL;
    struct error err = {0};
    if (sqlite_open(&engine, inbox_path, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    register_four(engine);
    return engine;
}

/* Commit a batch of one arrival. */
static inline int
commit_put(struct inbox_engine *engine, struct inbox_put *put)
{
    struct inbox_batch batch = {.puts = put, .now_ms = put->received_ms};
    put->next = NULL;
    return engine->ops->commit(engine, &batch, NULL);
}

/* Commit a batch of one result; it stays the caller's. */
static inline int
commit_result(struct inbox_engine *engine, struct inbox_result *result)
{
    struct inbox_batch batch = {.results = result, .now_ms = 6000};
    result->link = NULL;
    return engine->ops->commit(engine, &batch, NULL);
}

static inline int
commit_action(struct inbox_engine *engine, struct inbox_action *action)
{
    struct inbox_batch batch = {.actions = action, .now_ms = action->now_ms};
    action->next = NULL;
    return engine->ops->commit(engine, &batch, NULL);
}

/* Claim up to `count` deliveries of plugin `plugin` that are due at `now_ms`;
 * inbox_claims_free() them. */
static inline struct inbox_want
claim_due(struct inbox_engine *engine, uint32_t plugin, unsigned count,
          int64_t now_ms)
{
    struct inbox_want want = {.plugin = plugin, .count = count};
    struct inbox_batch batch = {
        .wants = &want, .want_count = 1, .now_ms = now_ms};
    assert_int_equal(engine->ops->commit(engine, &batch, NULL), RC_OK);
    return want;
}

/* ---- The file ------------------------------------------------------- */

/* The first number a query on an open database yields; -1 for NULL or none. */
static inline int64_t
ask_db(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    int64_t answer = -1;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW &&
        sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
        answer = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return answer;
}

/* As ask_db(), on the inbox's file, which nobody has open. */
static inline int64_t
ask_file(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(inbox_path, &db), SQLITE_OK);
    int64_t answer = ask_db(db, sql);
    sqlite3_close(db);
    return answer;
}

#define SOUND "SELECT integrity_check = 'ok' FROM pragma_integrity_check"

#endif
