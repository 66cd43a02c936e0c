/* core/delivery/worker.c: a serving runner and the delivery in its hands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/worker.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/retry.h"
#include "delivery/tail.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/wire.h"
#include "stripe/event.h"

#include <pegboard/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int
worker_begin(struct worker *worker, struct inbox_claim *claim)
{
    const struct config_plugin *config = worker->plugin->config;
    char key[EVENT_ID_MAX + CONFIG_NAME_MAX + 2];
    snprintf(key, sizeof(key), "%s:%s", claim->event_id, config->name);

    worker->claim = claim;
    worker->state = WORKER_BUSY;
    worker->begun_us = clock_mono_us();
    worker->begun_ms = clock_wall_ms();
    worker->deadline_ms = worker->begun_us / 1000 + config->timeout_ms;

    struct wire_event event = {
        .event_id = claim->event_id,
        .type = claim->type,
        .account = claim->account,
        .api_version = claim->api_version,
        .key = key,
        .object_id = claim->object_id,
        .signature = claim->signature,
        .created_s = claim->created_s,
        .received_ms = claim->received_ms,
        .timeout_ms = config->timeout_ms,
        .livemode = (uint32_t)claim->livemode,
        .thin = (uint32_t)claim->thin,
        .attempt = claim->attempt,
        .body = claim->body,
        .body_len = claim->body_len,
    };
    wire_put_event(&worker->runner->frame, (uint64_t)claim->seq, &event);
    return runner_send(worker->runner);
}

const char *
worker_event(const struct worker *worker, struct log_value *room)
{
    return worker->claim != NULL ? log_word(room, worker->claim->event_id)
                                 : "-";
}

int
worker_may_log(struct worker *worker)
{
    unsigned dropped;
    if (!log_limit_pass(&worker->lines, &dropped)) {
        return 0;
    }
    if (dropped > 0) {
        log_write(LOG_WARN, "plugin", "says too much",
                  "plugin=%s dropped_lines=%u", worker->plugin->config->name,
                  dropped);
    }
    return 1;
}

static void
log_output(void *arg, const char *line, size_t len)
{
    struct worker *worker = arg;
    struct log_value text, event;
    if (!worker_may_log(worker)) {
        return;
    }
    log_write(LOG_WARN, "plugin", "prints", "plugin=%s event=%s text=%s",
              worker->plugin->config->name, worker_event(worker, &event),
              log_quote(&text, line, len));
}

void
worker_output(struct worker *worker, int flush)
{
    runner_output(worker->runner, flush, log_output, worker);
}

/* ---- Ends of attempts ----------------------------------------------- */

static struct inbox_result *
new_result(const struct worker *worker, enum inbox_outcome outcome)
{
    struct inbox_result *result = calloc(1, sizeof(*result));
    if (result == NULL) {
        return NULL;
    }
    result->seq = worker->claim->seq;
    result->plugin = worker->claim->plugin;
    result->attempt = worker->claim->attempt;
    result->lease = worker->claim->lease;
    result->outcome = outcome;
    result->started_ms = worker->begun_ms;
    result->duration_us = clock_mono_us() - worker->begun_us;
    return result;
}

/* Again after a while, or never. */
static void
try_again(struct inbox_result *result, const struct worker *worker,
          int64_t asked_ms)
{
    struct retry_case c = {
        .attempt = worker->claim->attempt,
        .first_ms = worker->claim->first_ms,
        .now_ms = clock_wall_ms(),
        .asked_ms = asked_ms,
    };
    (void)!getrandom(&c.random, sizeof(c.random), 0); /* 0 will do as well */
    int64_t delay_ms = retry_decide(worker->plugin->config, &c);
    if (delay_ms < 0) {
        result->next = INBOX_BURY;
    } else {
        result->next = INBOX_AGAIN;
        result->due_ms = c.now_ms + delay_ms;
    }
}

static const char *
outcome_name(enum inbox_outcome outcome)
{
    switch (outcome) {
    case INBOX_DONE:
        return "done";
    case INBOX_SKIP:
        return "skip";
    case INBOX_RETRY:
        return "retry";
    case INBOX_FAIL:
        return "fail";
    case INBOX_CRASH:
        return "crash";
    case INBOX_TIMEOUT:
        return "timeout";
    case INBOX_LOST:
        return "lost";
    }
    return "?";
}

/* Tell the log, and the developer's terminal, how it went. */
static void
announce(const struct worker *worker, const struct inbox_result *result)
{
    const char *plugin = worker->plugin->config->name;
    const char *event = worker->claim->event_id;
    int64_t took_ms = result->duration_us / 1000;
    char verdict[64];
    snprintf(verdict, sizeof(verdict), "%s", outcome_name(result->outcome));
    if (result->next == INBOX_BURY) {
        snprintf(verdict, sizeof(verdict), "dead");
    } else if (result->next == INBOX_AGAIN) {
        int64_t wait_ms = result->due_ms - clock_wall_ms();
        snprintf(verdict, sizeof(verdict), "%s %u, next in %.1f s",
                 outcome_name(result->outcome), result->attempt,
                 (double)(wait_ms < 0 ? 0 : wait_ms) / 1000);
    }
    tail_delivered(verdict, plugin, took_ms, result->note, event);

    enum log_level level = LOG_DEBUG;
    if (result->next == INBOX_BURY) {
        level = LOG_ERROR;
    } else if (result->next == INBOX_AGAIN) {
        level = LOG_WARN;
    }
    if (!log_enabled(level)) {
        return; /* the common case: nothing to prepare */
    }
    struct log_value note, word;
    log_write(level, "delivery",
              result->next == INBOX_BURY ? "dead letter" : "attempt ended",
              "plugin=%s event=%s attempt=%u outcome=%s ms=%lld reason=%s",
              plugin, worker_event(worker, &word), result->attempt,
              outcome_name(result->outcome), (long long)took_ms,
              log_quote(&note, result->note, strlen(result->note)));
}

static void
put_down(struct worker *worker)
{
    free(worker->claim);
    worker->claim = NULL;
}

struct inbox_result *
worker_verdict(struct worker *worker, uint32_t verdict, int64_t delay_ms,
               const char *reason)
{
    enum inbox_outcome outcome =
        verdict <= PEG_FAIL ? (enum inbox_outcome)verdict : INBOX_RETRY;
    struct inbox_result *result = new_result(worker, outcome);
    if (result == NULL) {
        return NULL;
    }
    snprintf(result->note, sizeof(result->note), "%s", reason);
    if (verdict > PEG_FAIL) {
        snprintf(result->note, sizeof(result->note),
                 "handle() returned %d, which is no verdict", (int)verdict);
    }
    if (outcome == INBOX_FAIL) {
        result->next = INBOX_BURY;
    } else if (outcome == INBOX_RETRY) {
        try_again(result, worker, delay_ms);
    }
    announce(worker, result);
    put_down(worker);
    worker->state = WORKER_IDLE;
    worker->handled++;
    return result;
}

struct inbox_result *
worker_accident(struct worker *worker, int status)
{
    struct inbox_result *result = new_result(worker, worker->ending);
    if (result == NULL) {
        return NULL;
    }
    if (worker->ending == INBOX_LOST) {
        snprintf(result->note, sizeof(result->note),
                 "stopped before it ended: run again");
        result->next = INBOX_AGAIN;
        result->due_ms = clock_wall_ms();
    } else {
        char end[64];
        runner_describe_end(status, end, sizeof(end));
        if (worker->ending == INBOX_TIMEOUT) {
            snprintf(result->note, sizeof(result->note),
                     "no verdict within %lld ms",
                     (long long)worker->plugin->config->timeout_ms);
        } else {
            snprintf(result->note, sizeof(result->note), "runner %s",
                     worker->fault != NULL ? worker->fault : end);
        }
        try_again(result, worker, -1);
    }
    announce(worker, result);
    put_down(worker);
    return result;
}
