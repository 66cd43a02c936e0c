/* core/delivery/worker.c: a serving runner and the delivery in its hands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/worker.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/pool.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/wire.h"
#include "stripe/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- An event begins ------------------------------------------------ */

static void
put_event(struct worker *worker, const struct inbox_claim *claim)
{
    const struct config_plugin *config = worker->pool->plugin->config;
    char key[EVENT_ID_MAX + CONFIG_NAME_MAX + 2];
    snprintf(key, sizeof(key), "%s:%s", claim->event_id, config->name);
    struct wire_event event = {
        .event_id = claim->event_id,
        .type = claim->type,
        .account = claim->account,
        .api_version = claim->api_version,
        .key = key,
        .object_id = claim->object_id,
        .signature = claim->signature,
        .snapshot_event = claim->snapshot_event,
        .created_s = claim->created_s,
        .received_ms = claim->received_ms,
        .timeout_ms = worker->timeout_ms,
        .livemode = (uint32_t)claim->livemode,
        .thin = (uint32_t)claim->thin,
        .attempt = claim->attempt,
        .replay = (uint32_t)claim->replay,
        .body = claim->body,
        .body_len = claim->body_len,
    };
    wire_put_event(&worker->runner->frame, (uint64_t)claim->seq, &event);
}

int
worker_begin(struct worker *worker, struct attempt *attempt)
{
    worker->attempt = attempt;
    worker->state = WORKER_BUSY;
    worker->is_looking = 0;
    evidence_turn(&worker->evidence);
    attempt_begin(attempt);
    worker->timeout_ms = worker->pool->plugin->config->timeout_ms;
    worker->deadline_ms = attempt->begun_us / 1000 + worker->timeout_ms;
    put_event(worker, attempt->claim);
    return runner_send(worker->runner);
}

int
worker_tell(struct worker *worker, const struct inbox_lookup *lookup)
{
    if (worker->state != WORKER_BUSY || !worker->is_looking) {
        return RC_OK;
    }
    uint32_t found = 2;
    if (lookup->rc == RC_OK || lookup->rc == RC_NOT_FOUND) {
        found = lookup->rc == RC_OK;
    } else {
        log_write(LOG_ERROR, "delivery", "cannot look up a key",
                  "plugin=%s rc=%s action=tell_the_handler",
                  worker->runner->is.name, rc_name(lookup->rc));
    }
    worker->is_looking = 0;
    struct wire_writer *frame = &worker->runner->frame;
    wire_begin(frame, WIRE_VALUE, (uint64_t)worker->attempt->claim->seq);
    wire_put_u32(frame, found);
    wire_put_i64(frame, lookup->version);
    wire_put_str(frame, lookup->value,
                 lookup->value != NULL ? lookup->value_len : 0);
    return runner_send(worker->runner);
}

/* ---- What it says --------------------------------------------------- */

const char *
worker_event(const struct worker *worker, struct log_value *room)
{
    return worker->attempt != NULL
               ? log_word(room, worker->attempt->claim->event_id)
               : "-";
}

int
worker_may_log(struct worker *worker, const char *line, size_t len)
{
    unsigned dropped;
    evidence_add(&worker->evidence, line, len);
    if (!log_limit_pass(&worker->lines, &dropped)) {
        return 0;
    }
    if (dropped > 0) {
        log_write(LOG_WARN, "plugin", "says too much",
                  "plugin=%s dropped_lines=%u", worker->runner->is.name,
                  dropped);
    }
    return 1;
}

static void
log_output(void *arg, const char *line, size_t len)
{
    struct worker *worker = arg;
    struct log_value text, event;
    if (!worker_may_log(worker, line, len)) {
        return;
    }
    log_write(LOG_WARN, "plugin", "prints", "plugin=%s event=%s text=%s",
              worker->runner->is.name, worker_event(worker, &event),
              log_quote(&text, line, len));
}

void
worker_output(struct worker *worker, int flush)
{
    runner_output(worker->runner, flush, log_output, worker);
}

/* ---- An event ends -------------------------------------------------- */

struct attempt *
worker_put_down(struct worker *worker)
{
    struct attempt *attempt = worker->attempt;
    worker->attempt = NULL;
    worker->is_looking = 0;
    evidence_clear(&worker->evidence);
    return attempt;
}

static void
describe(const struct worker *worker, int status, struct inbox_result *result)
{
    if (worker->ending == INBOX_TIMEOUT) {
        snprintf(result->note, sizeof(result->note),
                 "no verdict within %lld ms", (long long)worker->timeout_ms);
        return;
    }
    char end[64];
    runner_describe_end(status, end, sizeof(end));
    snprintf(result->note, sizeof(result->note), "runner %s",
             worker->fault != NULL ? worker->fault : end);
}

struct attempt *
worker_accident(struct worker *worker, int status)
{
    struct inbox_result *result = worker->attempt->result;
    attempt_end(worker->attempt, worker->ending);
    describe(worker, status, result);
    result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result->generation = worker->runner->is.generation;
    snprintf(result->digest, sizeof(result->digest), "%s",
             worker->runner->is.digest);
    if (worker->evidence.len > 0) { /* without memory there is none */
        result->evidence = strdup(worker->evidence.text);
    }
    return worker_put_down(worker);
}
