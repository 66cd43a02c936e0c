/* tests/unit/inbox_model_rows.h: private to the model's files: its rows, what
 * a lane allows, and the parts of a batch.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_MODEL_ROWS_H
#define TESTS_INBOX_MODEL_ROWS_H

#include "inbox_model.h"

#include <stdlib.h>

/* ---- Rows: inbox_model_rows.c --------------------------------------- */

/** Memory that lives as long as the model. */
void *model_keep(struct inbox_model *m, const void *bytes, size_t len);

/** Free all of it. */
void model_keep_nothing(struct inbox_model *m);

/** Text that lives as long as the model; NULL as "". */
const char *model_keep_text(struct inbox_model *m, const char *text);

/** Room for one row more. */
void *model_grown(void *rows, size_t count, size_t size);

#define MODEL_APPEND(rows, count, ...)                                         \
    do {                                                                       \
        (rows) = model_grown((rows), (count), sizeof(*(rows)));                \
        (rows)[(count)++] = (__VA_ARGS__);                                     \
    } while (0)

/** Take row `i` out of an array, keeping the order. */
#define MODEL_REMOVE(rows, count, i)                                           \
    do {                                                                       \
        for (size_t at_ = (i) + 1; at_ < (count); at_++) {                     \
            (rows)[at_ - 1] = (rows)[at_];                                     \
        }                                                                      \
        (count)--;                                                             \
    } while (0)

struct model_rows model_rows_copy(const struct model_rows *rows);
void model_rows_free(struct model_rows *rows);

const struct model_event *model_event(const struct inbox_model *m, int64_t seq);
const struct model_event *model_event_named(const struct inbox_model *m,
                                            const char *id);
/** NULL for one that was never registered. */
struct model_plugin *model_plugin(const struct inbox_model *m, uint32_t id);
struct inbox_job *model_job(const struct inbox_model *m, int64_t id);
/** The highest number of an attempt that was logged; 0 for none. */
uint32_t model_last_attempt(const struct inbox_model *m, int64_t seq,
                            uint32_t plugin);
/** Whether there is, or was, anything for that plugin to do with the event. */
int model_was_given(const struct inbox_model *m, int64_t seq, uint32_t plugin);

void model_log(struct inbox_model *m, struct model_attempt attempt);
void model_delivery_remove(struct inbox_model *m, int64_t seq, uint32_t plugin);

/* ---- Lanes: inbox_model_rows.c -------------------------------------- */

enum inbox_order model_order(const struct inbox_model *m, uint32_t plugin);

/** The object that a delivery waits its turn for; "" for none. */
const char *model_lane(const struct inbox_model *m, int64_t seq,
                       uint32_t plugin);

/** READY, or HELD when another of its lane is ready, leased, held, or (strict)
 * waits for its retry. */
enum inbox_state model_place(const struct inbox_model *m, int64_t seq,
                             uint32_t plugin);

/** The same for one whose time has come: those held stand behind it. */
enum inbox_state model_place_due(const struct inbox_model *m, int64_t seq,
                                 uint32_t plugin);

/** The same for one whose lease was lost: several of a lane can have been
 * leased if its order was changed meanwhile. */
enum inbox_state model_place_lost(const struct inbox_model *m, int64_t seq,
                                  uint32_t plugin);

/** After a delivery has changed: if its lane is free now, the oldest of those
 * held is ready. */
void model_promote(struct inbox_model *m, int64_t seq, uint32_t plugin);

/** Put all of a plugin in the order it has now. */
void model_relane(struct inbox_model *m, uint32_t plugin);

/* ---- The parts of a batch ------------------------------------------- */

/* inbox_model_put.c */
void model_put(struct inbox_model *m, struct inbox_put *put);

/* inbox_model_enrol.c */
void model_roll(struct inbox_model *m, struct inbox_roll *roll, int64_t now_ms);

/* inbox_model_claim.c */
void model_result(struct inbox_model *m, const struct inbox_result *result,
                  struct inbox_batch *batch);
void model_want(struct inbox_model *m, struct inbox_want *want, int64_t now_ms);

/* inbox_model_act.c */
void model_jump(struct inbox_model *m, int64_t jump_ms);
void model_act(struct inbox_model *m, struct inbox_action *action);
void model_look_up(struct inbox_model *m, struct inbox_lookup *lookup);
void model_prune(struct inbox_model *m, struct inbox_prune *prune,
                 int64_t now_ms);

#endif
