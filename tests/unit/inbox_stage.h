/* tests/unit/inbox_stage.h: an engine on its own, the model or SQLite, for
 * tests of what one batch after the other does to plugin 1.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_STAGE_H
#define TESTS_INBOX_STAGE_H

#include "inbox_fixture.h"

#include "inbox/sqlite_engine.h"
#include "inbox_model.h"

#define NO_ROW (-1) /* the state of a delivery that is not there */

struct stage {
    struct inbox_engine *engine;
    struct inbox_model *model; /* NULL on SQLite */
    enum inbox_order order;
    int collapse_twins;
    const char *digest;
};

static inline int
stage_on_model(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    if (stage == NULL) {
        return -1;
    }
    log_setup(LOG_ERROR, LOG_LOGFMT);
    stage->model = inbox_model_open();
    stage->engine = &stage->model->base;
    stage->digest = "";
    register_four(stage->engine);
    *state = stage;
    return 0;
}

static inline int
stage_on_sqlite(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    if (stage == NULL || make_folder(NULL) != 0) {
        return -1;
    }
    stage->engine = open_engine();
    stage->digest = "";
    *state = stage;
    return 0;
}

static inline int
close_stage(void **state)
{
    struct stage *stage = *state;
    int rc = 0;
    stage->engine->ops->close(stage->engine);
    if (stage->model != NULL) {
        inbox_model_free(stage->model);
    } else {
        rc = ask_file(SOUND) == 1 ? remove_folder(NULL) : -1;
    }
    free(stage);
    return rc;
}

#define ON_STAGES(test)                                                        \
    {#test " (model)", test, stage_on_model, close_stage, NULL},               \
    {                                                                          \
#test " (sqlite)", test, stage_on_sqlite, close_stage, NULL            \
    }

/* ---- Plugin 1 ------------------------------------------------------- */

static inline struct inbox_plugin
register_first(struct stage *stage)
{
    struct inbox_policy policy = {.name = "first",
                                  .order = stage->order,
                                  .collapse_twins = stage->collapse_twins,
                                  .digest = stage->digest};
    return register_at(stage->engine, &policy, 1000);
}

static inline void
set_order(struct stage *stage, enum inbox_order order)
{
    stage->order = order;
    assert_int_equal(register_first(stage).id, 1);
}

static inline void
set_digest(struct stage *stage, const char *digest)
{
    stage->digest = digest;
    assert_int_equal(register_first(stage).id, 1);
}

/* A new process on the same rows. */
static inline void
restart_stage(struct stage *stage)
{
    if (stage->model != NULL) {
        inbox_model_restart(stage->model);
    } else {
        stage->engine->ops->close(stage->engine);
        struct error err = {0};
        if (sqlite_open(&stage->engine, inbox_path, &err) != RC_OK) {
            fail_msg("%s", err.text);
        }
    }
    register_first(stage);
}

/* ---- Deliveries ----------------------------------------------------- */

/* Put event `id` about `object` for plugin 1; its number. */
static inline int64_t
put_about(struct stage *stage, const char *id, const char *object)
{
    struct arrival a;
    arrive(&a, id, 1);
    snprintf(a.event.object_id, sizeof(a.event.object_id), "%s", object);
    assert_int_equal(commit_put(stage->engine, &a.put), RC_OK);
    return a.put.seq;
}

/* One claim for plugin 1, of which only the numbers count; seq 0: none. */
static inline struct inbox_claim
claim_one(struct stage *stage, int64_t now_ms)
{
    struct inbox_claim copy = {0};
    struct inbox_want want = claim_due(stage->engine, 1, 1, now_ms);
    if (want.claims != NULL) {
        copy = *want.claims;
        inbox_claims_free(want.claims);
    }
    return copy;
}

/* Claim one, which must be event number `seq`. */
static inline struct inbox_claim
claim_seq(struct stage *stage, int64_t now_ms, int64_t seq)
{
    struct inbox_claim claim = claim_one(stage, now_ms);
    assert_int_equal(claim.seq, seq);
    return claim;
}

static inline void
finish(struct stage *stage, const struct inbox_claim *claim,
       enum inbox_outcome outcome, enum inbox_next next, int64_t due_ms)
{
    struct inbox_result *result = result_of(claim, outcome, next);
    result->due_ms = due_ms;
    assert_int_equal(commit_result(stage->engine, result), RC_OK);
    inbox_result_free(result);
}

static inline void
finish_done(struct stage *stage, const struct inbox_claim *claim)
{
    finish(stage, claim, INBOX_DONE, INBOX_CLOSE, 0);
}

/* Let the one that is claimed next be dead. */
static inline void
bury_next(struct stage *stage, int64_t now_ms)
{
    struct inbox_claim claim = claim_one(stage, now_ms);
    assert_true(claim.seq > 0);
    finish(stage, &claim, INBOX_FAIL, INBOX_BURY, 0);
}

/* ---- Rows ----------------------------------------------------------- */

static inline sqlite3 *
stage_db(const struct stage *stage)
{
    return ((struct sqlite_engine *)(void *)stage->engine)->db;
}

static inline int64_t
ask_stage(const struct stage *stage, const char *column, const char *table,
          int64_t seq)
{
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SELECT %s FROM %s WHERE seq = %lld"
             " AND plugin = 1",
             column, table, (long long)seq);
    return ask_db(stage_db(stage), sql);
}

/* The delivery of event number `seq` to plugin 1; its text is not filled in. */
static inline struct model_delivery
row_of(const struct stage *stage, int64_t seq)
{
    if (stage->model != NULL) {
        struct model_delivery *d = inbox_model_delivery(stage->model, seq, 1);
        return d == NULL ? (struct model_delivery){.seq = NO_ROW} : *d;
    }
    if (ask_stage(stage, "count(*)", "delivery", seq) == 0) {
        return (struct model_delivery){.seq = NO_ROW};
    }
#define ASK(type, column) (type) ask_stage(stage, column, "delivery", seq)
    return (struct model_delivery){
        .seq = seq,
        .plugin = 1,
        .state = ASK(enum inbox_state, "state"),
        .class = ASK(enum inbox_class, "class"),
        .attempt = ASK(uint32_t, "attempt"),
        .spared = ASK(uint32_t, "spared"),
        .crashes = ASK(uint32_t, "crashes"),
        .lease = ASK(int64_t, "lease"),
        .due_ms = ASK(int64_t, "due_ms"),
        .first_ms = ASK(int64_t, "coalesce(first_ms, 0)"),
        .held_ms = ASK(int64_t, "held_ms"),
        .job = ASK(int64_t, "job"),
        .died_ms = ASK(int64_t, "coalesce(died_ms, 0)"),
        .outcome = ASK(enum inbox_outcome, "coalesce(outcome, 0)")};
#undef ASK
}

/* Its state; NO_ROW for none. */
static inline int
state_of(const struct stage *stage, int64_t seq)
{
    struct model_delivery d = row_of(stage, seq);
    return d.seq == NO_ROW ? NO_ROW : (int)d.state;
}

static inline int64_t
attempts_of(const struct stage *stage, int64_t seq)
{
    if (stage->model == NULL) {
        return ask_stage(stage, "count(*)", "attempt", seq);
    }
    int64_t count = 0;
    for (size_t i = 0; i < stage->model->rows.attempt_count; i++) {
        count += stage->model->rows.attempts[i]->seq == seq &&
                 stage->model->rows.attempts[i]->plugin == 1;
    }
    return count;
}

/* Outcome of the last one that was logged. */
static inline int
last_outcome(const struct stage *stage, int64_t seq)
{
    if (stage->model == NULL) {
        return (int)ask_stage(stage, "outcome",
                              "(SELECT * FROM attempt"
                              " ORDER BY n DESC)",
                              seq);
    }
    int outcome = -1;
    for (size_t i = 0; i < stage->model->rows.attempt_count; i++) {
        const struct model_attempt *a = stage->model->rows.attempts[i];
        outcome = a->seq == seq && a->plugin == 1 ? (int)a->outcome : outcome;
    }
    return outcome;
}

/* ---- Actions -------------------------------------------------------- */

static inline size_t
act_on(struct stage *stage, enum inbox_action_kind kind, int64_t seq,
       struct inbox_job *job)
{
    struct inbox_item item = {.seq = seq, .plugin = 1};
    struct inbox_action action = {.kind = kind,
                                  .items = &item,
                                  .item_count = 1,
                                  .note = "as wished",
                                  .job = job,
                                  .now_ms = 7000};
    assert_int_equal(commit_action(stage->engine, &action), RC_OK);
    return action.changed;
}

#endif
