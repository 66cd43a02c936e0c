/* core/delivery/talk.c: what a serving runner says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/talk.h"

#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/crew.h"
#include "delivery/pool.h"
#include "delivery/worker.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/wire.h"

#include <pegboard/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
log_says(struct worker *worker, struct wire_frame *frame)
{
    size_t len;
    struct log_value text, event;
    uint32_t level = wire_get_u32(&frame->payload);
    const char *line = wire_get_str(&frame->payload, &len);
    if (wire_done(&frame->payload) != RC_OK) {
        return RC_INVALID;
    }
    if (worker_may_log(worker, line, len)) {
        log_write(level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level,
                  "plugin", "says", "plugin=%s event=%s text=%s",
                  worker->runner->is.name, worker_event(worker, &event),
                  log_quote(&text, line, len));
    }
    return RC_OK;
}

/* ---- A question for a key ------------------------------------------- */

static int
look_up(struct worker *worker, struct wire_frame *frame)
{
    size_t len;
    const char *key = wire_get_str(&frame->payload, &len);
    if (wire_done(&frame->payload) != RC_OK || worker->is_looking || len == 0 ||
        len > INBOX_KEY_MAX) {
        return RC_INVALID;
    }
    worker->is_looking = 1;
    pool_look_up(worker->pool, worker, key, len);
    return RC_OK;
}

/* ---- A verdict ------------------------------------------------------ */

/* What it did to one key. */
struct change {
    const char *key, *value;
    size_t key_len, value_len;
    int64_t seen;
    uint32_t writes;
};

static int
get_change(struct wire_reader *reader, struct change *change)
{
    change->key = wire_get_str(reader, &change->key_len);
    change->seen = wire_get_i64(reader);
    change->writes = wire_get_u32(reader);
    change->value = wire_get_str(reader, &change->value_len);
    if (reader->failed || change->key_len == 0 ||
        change->key_len > INBOX_KEY_MAX || change->seen < -1 ||
        change->writes > 2 || change->value_len > INBOX_VALUE_MAX ||
        (change->writes != 1 && change->value_len > 0)) {
        return RC_INVALID;
    }
    return RC_OK;
}

static struct inbox_change *
copy_change(const struct change *from)
{
    size_t text_len = from->key_len + from->value_len + 2;
    struct inbox_change *change = malloc(sizeof(*change) + text_len);
    if (change == NULL) {
        return NULL;
    }
    char *key = (char *)(change + 1), *value = key + from->key_len + 1;
    memcpy(key, from->key, from->key_len + 1); /* with the NUL behind it */
    memcpy(value, from->value, from->value_len + 1);
    *change = (struct inbox_change){
        .seen = from->seen,
        .writes = (int)from->writes,
        .key_len = from->key_len,
        .value_len = from->value_len,
        .key = key,
        .value = value,
    };
    return change;
}

/* All keys that it touched, into the result. RC_INVALID when a bound is broken;
 * RC_NOMEM, with all of them read. */
static int
get_changes(struct wire_reader *reader, uint32_t verdict,
            struct inbox_result *result)
{
    struct inbox_change **end = &result->changes;
    size_t written = 0;
    int rc = RC_OK;
    uint32_t count = wire_get_u32(reader);
    if (count > INBOX_KEYS_MAX || (count > 0 && verdict != PEG_DONE)) {
        return RC_INVALID;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct change change;
        if (get_change(reader, &change) != RC_OK) {
            return RC_INVALID;
        }
        written += change.value_len;
        *end = rc == RC_OK ? copy_change(&change) : NULL;
        if (*end == NULL) {
            rc = RC_NOMEM;
        } else {
            end = &(*end)->next;
        }
    }
    return written > INBOX_CHANGES_MAX ? RC_INVALID : rc;
}

static void
drop_changes(struct inbox_result *result)
{
    while (result->changes != NULL) {
        struct inbox_change *next = result->changes->next;
        free(result->changes);
        result->changes = next;
    }
}

static enum inbox_outcome
note_verdict(struct inbox_result *result, uint32_t verdict, const char *reason)
{
    if (verdict <= PEG_FAIL) {
        snprintf(result->note, sizeof(result->note), "%s", reason);
        return (enum inbox_outcome)verdict;
    }
    snprintf(result->note, sizeof(result->note),
             "handle() returned %d, which is no verdict", (int)verdict);
    return INBOX_RETRY;
}

static int
on_verdict(struct worker *worker, struct wire_frame *frame)
{
    size_t len;
    struct wire_reader *reader = &frame->payload;
    struct pool *pool = worker->pool;
    struct attempt *attempt = worker->attempt;
    uint32_t verdict = wire_get_u32(reader);
    int64_t delay_ms = wire_get_i64(reader);
    const char *reason = wire_get_str(reader, &len);
    wire_get_i64(reader); /* time in handle(); ours includes it */
    int rc = get_changes(reader, verdict, attempt->result);
    if (rc == RC_INVALID || wire_done(reader) != RC_OK) {
        drop_changes(attempt->result);
        return RC_INVALID;
    }
    enum inbox_outcome outcome = note_verdict(attempt->result, verdict, reason);
    if (rc == RC_NOMEM) { /* half of the changes is worse than none */
        drop_changes(attempt->result);
        outcome = INBOX_RETRY;
    }
    attempt_end(attempt, outcome);
    if (rc == RC_NOMEM) {
        attempt->result->note[0] = '\0';
        attempt_spare(attempt, pool->plugin, "no memory for its changes");
    } else if (outcome == INBOX_RETRY) {
        attempt_retry(attempt, pool->plugin, pool_held_ms(pool), delay_ms);
    } else if (attempt->result->changes != NULL) {
        attempt_offer(attempt, pool->plugin, pool_held_ms(pool));
    }
    worker_output(worker, 1); /* printed before the verdict: its event's */
    int gave_up = worker->is_looking;
    pool_answered(pool, worker);
    if (gave_up) { /* it leaves after that, and must get no other event */
        crew_let_go(worker);
    }
    return RC_OK;
}

int
talk_on_frame(struct worker *worker, struct wire_frame *frame)
{
    if (frame->header.type == WIRE_LOG) {
        return log_says(worker, frame);
    }
    if (worker->state != WORKER_BUSY ||
        frame->header.id != (uint64_t)worker->attempt->claim->seq) {
        return RC_INVALID;
    }
    if (frame->header.type == WIRE_LOOKUP) {
        return look_up(worker, frame);
    }
    return frame->header.type == WIRE_VERDICT ? on_verdict(worker, frame)
                                              : RC_INVALID;
}
