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

enum { MODEL_READY = 0, MODEL_LEASED = 1, MODEL_DEAD = 3, MODEL_GONE = 4 };

struct model_event { /* number `seq` is at index seq - 1 */
    struct event event;
    char *body;
    size_t body_len;
    char endpoint[MODEL_TEXT_MAX], secret[MODEL_TEXT_MAX];
    char signature[MODEL_TEXT_MAX];
    int64_t signed_s, received_ms;
    int routed;
};

struct model_receipt {
    int64_t seq, received_ms, signed_s;
    char endpoint[MODEL_TEXT_MAX], secret[MODEL_TEXT_MAX];
    char *conflict; /* the other bytes; NULL for the same */
    size_t conflict_len;
};

struct model_delivery {
    int64_t seq;
    uint32_t plugin;
    int state; /* MODEL_GONE: closed, no longer there */
    uint32_t attempt;
    int64_t lease, due_ms, first_ms; /* first_ms: -1 for none */
};

struct model_attempt {
    int64_t seq;
    uint32_t plugin, n;
    int64_t started_ms, duration_us;
    int outcome;
    char note[MODEL_TEXT_MAX];
};

/* What came to the engine, failed or not. */
struct model_calls {
    unsigned commits, probes;
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
    struct model_calls calls;

    struct model_event *events;
    struct model_receipt *receipts;
    struct model_delivery *deliveries;
    struct model_attempt *attempts;
    size_t event_count, receipt_count, delivery_count, attempt_count;
    char plugins[MODEL_PLUGINS][MODEL_TEXT_MAX]; /* id is index + 1 */
    size_t plugin_count;
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

/** Commits stop at their beginning until inbox_model_release(). */
void inbox_model_hold(struct inbox_model *model);
/** Wait until one stands there. */
void inbox_model_await_held(struct inbox_model *model);
void inbox_model_release(struct inbox_model *model);

struct model_calls inbox_model_calls(struct inbox_model *model);

/** One delivery; NULL for none. */
struct model_delivery *inbox_model_delivery(const struct inbox_model *model,
                                            int64_t seq, uint32_t plugin);

/** Rows by kind; deliveries by state. */
size_t inbox_model_events(struct inbox_model *model);
size_t inbox_model_attempts(struct inbox_model *model);
size_t inbox_model_deliveries(struct inbox_model *model, int state);

#endif
