/* tests/unit/inbox_model.h: the inbox's engine as an oracle: in memory, slow
 * and obvious. Tests can hold its commits up, make them fail, and look inside.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_MODEL_H
#define TESTS_INBOX_MODEL_H

#include "inbox/engine.h"
#include "stripe/event.h"

#include <limits.h>
#include <pthread.h>

#define MODEL_TEXT_MAX 64
#define MODEL_PLUGINS  16

struct model_event { /* never changes */
    int64_t seq;
    struct event event;
    const char *body;
    size_t body_len;
    char endpoint[MODEL_TEXT_MAX], secret[MODEL_TEXT_MAX];
    char signature[MODEL_TEXT_MAX];
    int64_t signed_s, received_ms;
    int routed, has_twin;
    unsigned char twin[INBOX_TWIN_BYTES];
};

struct model_receipt { /* never changes */
    int64_t seq, received_ms, signed_s;
    char endpoint[MODEL_TEXT_MAX], secret[MODEL_TEXT_MAX];
    int conflict;
    const char *bytes; /* of a conflict; NULL when only flagged */
    size_t len;
};

struct model_delivery {
    int64_t seq;
    uint32_t plugin;
    enum inbox_state state;
    enum inbox_class class;
    uint32_t attempt, spared, crashes;
    uint32_t began_with; /* crashes, when it was claimed */
    int is_former;       /* the plugin is another program since */
    int64_t lease, due_ms;
    int64_t first_ms; /* 0: none */
    int64_t held_ms, job;
    int64_t died_ms; /* this and what follows: of dead ones */
    enum inbox_outcome outcome;
    const char *cause;
};

struct model_attempt { /* never changes */
    int64_t seq;
    uint32_t plugin, n;
    int64_t started_ms, duration_us;
    enum inbox_outcome outcome;
    int signal;
    unsigned generation;
    const char *note, *evidence, *digest; /* "" for none */
};

struct model_key {
    uint32_t plugin;
    const char *key, *value;
    size_t key_len, value_len;
    int64_t version;
};

struct model_plugin { /* id is index + 1 */
    char name[MODEL_TEXT_MAX], digest[INBOX_DIGEST_MAX + 1];
    enum inbox_order order;
    int collapse_twins;
    struct inbox_plugin state;
    int64_t kv_bytes;
};

/* All that is stored. What the pointers lead to is never changed nor freed
 * before the model is, so that a copy of the arrays is a copy of all. */
struct model_rows {
    const struct model_event **events;
    const struct model_receipt **receipts;
    const struct model_attempt **attempts;
    struct model_delivery *deliveries;
    struct model_key *keys;
    struct inbox_job *jobs;
    struct model_plugin *plugins;
    size_t event_count, receipt_count, attempt_count, delivery_count, key_count,
        job_count, plugin_count;
    int64_t last_version;
    struct inbox_generation generation; /* the last */
};

/* What came to the engine, failed or not. */
struct model_calls {
    unsigned commits, rolls, probes;
    unsigned most_puts, most_results; /* in one commit */
    int closed;
};

struct inbox_model {
    struct inbox_engine base;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    int hold, held;
    int fail_rc, fail_happened;
    unsigned fail_times;
    int full; /* the disk has no room */
    struct model_calls calls;
    struct model_rows rows;
    struct model_piece *pieces; /* memory that is freed in the end */
};

/** Never NULL; inbox_model_free() it after the inbox on it is closed. */
struct inbox_model *inbox_model_open(void);
void inbox_model_free(struct inbox_model *model);

/** As after a restart: leases are void, their attempts lost. */
void inbox_model_restart(struct inbox_model *model);

/** The next `times` commits and probes fail with `rc`. `happened`: all of the
 * batch is there nevertheless, as can be with RC_UNKNOWN. */
void inbox_model_fail(struct inbox_model *model, int rc, int happened,
                      unsigned times);

/** Whether the disk is short of room, as has_room() tells. */
void inbox_model_set_full(struct inbox_model *model, int full);

/** Commits stop at their beginning until inbox_model_release(). */
void inbox_model_hold(struct inbox_model *model);
/** Wait until one stands there. */
void inbox_model_await_held(struct inbox_model *model);
void inbox_model_release(struct inbox_model *model);

struct model_calls inbox_model_calls(struct inbox_model *model);

/** One delivery; NULL for none. */
struct model_delivery *inbox_model_delivery(const struct inbox_model *model,
                                            int64_t seq, uint32_t plugin);

/** Rows by kind; deliveries by state, -1 for all. */
size_t inbox_model_events(struct inbox_model *model);
size_t inbox_model_attempts(struct inbox_model *model);
size_t inbox_model_deliveries(struct inbox_model *model, int state);

#endif
