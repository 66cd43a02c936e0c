/* core/delivery/attempt.c: one attempt at a delivery, from hand-out to result.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/attempt.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/evidence.h"
#include "delivery/health.h"
#include "delivery/retry.h"
#include "delivery/tail.h"
#include "log.h"
#include "plugin/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct attempt *
attempt_open(struct inbox_claim *claim)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    struct inbox_result *result = calloc(1, sizeof(*result));
    if (attempt == NULL || result == NULL) {
        free(attempt);
        free(result);
        return NULL;
    }
    claim->next = NULL;
    attempt->claim = claim;
    attempt->result = result;
    attempt->first_ms = claim->first_ms - clock_wall_ms() + clock_mono_ms();
    result->seq = claim->seq;
    result->plugin = claim->plugin;
    result->attempt = claim->attempt;
    result->lease = claim->lease;
    result->job = claim->job;
    result->crashes = claim->crashes;
    return attempt;
}

void
attempt_close(struct attempt *attempt)
{
    if (attempt == NULL) {
        return;
    }
    inbox_result_free(attempt->result);
    free(attempt->claim);
    free(attempt);
}

/* Give the result to the inbox; the rest is freed. */
static void
hand_over(struct attempt *attempt, struct inbox *inbox)
{
    struct inbox_result *result = attempt->result;
    attempt->result = NULL;
    attempt_close(attempt);
    inbox_finish(inbox, result);
}

void
attempt_undo(struct attempt *attempt, struct inbox *inbox)
{
    attempt->result->next = INBOX_UNDO;
    hand_over(attempt, inbox);
}

void
attempt_begin(struct attempt *attempt)
{
    attempt->begun_us = clock_mono_us();
    attempt->result->started_ms = clock_wall_ms();
}

void
attempt_end(struct attempt *attempt, enum inbox_outcome outcome)
{
    struct inbox_result *result = attempt->result;
    result->outcome = outcome;
    result->next = outcome == INBOX_FAIL ? INBOX_BURY : INBOX_CLOSE;
    result->duration_us = clock_mono_us() - attempt->begun_us;
}

void
attempt_pass_over(struct attempt *attempt, const char *why)
{
    attempt_begin(attempt);
    attempt_end(attempt, INBOX_SKIP);
    snprintf(attempt->result->note, sizeof(attempt->result->note), "%s", why);
}

/* ---- What becomes of it --------------------------------------------- */

static uint32_t
any_random(void)
{
    uint32_t random = 0;
    (void)!getrandom(&random, sizeof(random), 0); /* 0 will do as well */
    return random;
}

/* The number of this attempt among those that count. */
static uint32_t
counted(const struct inbox_claim *claim)
{
    return claim->attempt > claim->spared ? claim->attempt - claim->spared : 1;
}

static void
make_due(struct attempt *attempt, int64_t delay_ms)
{
    attempt->delay_ms = delay_ms;
    attempt->result->next = INBOX_AGAIN;
    attempt->result->due_ms = clock_wall_ms() + delay_ms;
}

void
attempt_retry(struct attempt *attempt, const struct plugin *plugin,
              int64_t held_ms, int64_t asked_ms)
{
    const struct inbox_claim *claim = attempt->claim;
    struct retry_case c = {
        .attempt = counted(claim),
        .first_ms = attempt->first_ms,
        .now_ms = clock_mono_ms(),
        .held_ms = held_ms > claim->held_ms ? held_ms - claim->held_ms : 0,
        .asked_ms = asked_ms,
        .random = any_random(),
    };
    int64_t delay_ms = retry_decide(plugin->config, &c);
    if (delay_ms < 0) {
        attempt->result->next = INBOX_BURY;
    } else {
        make_due(attempt, delay_ms);
    }
}

void
attempt_offer(struct attempt *attempt, const struct plugin *plugin,
              int64_t held_ms)
{
    struct inbox_result *result = attempt->result;
    attempt_retry(attempt, plugin, held_ms, -1); /* should there be no room */
    result->is_last = result->next == INBOX_BURY;
    result->next = INBOX_CLOSE;
}

static void
add_note(struct inbox_result *result, const char *before, const char *text,
         const char *after)
{
    size_t len = strlen(result->note);
    snprintf(result->note + len, sizeof(result->note) - len, "%s%s%s", before,
             text, after);
}

/* A note that stands alone: whoever sees the dead letter need not look up its
 * attempts. The lines are quoted, so that dead letters group by the rest. */
static void
note_crashes(struct inbox_result *result)
{
    char text[64], lines[EVIDENCE_SUMMARY_MAX + 1];
    snprintf(text, sizeof(text), "; it took %u runners along", result->crashes);
    add_note(result, text, "", "");
    if (result->evidence != NULL) {
        evidence_summary(result->evidence, lines);
        add_note(result, "; last lines: \"", lines, "\"");
    }
}

void
attempt_charge(struct attempt *attempt, const struct plugin *plugin,
               int64_t held_ms)
{
    struct inbox_result *result = attempt->result;
    result->crashes = attempt->claim->crashes + 1;
    attempt_retry(attempt, plugin, held_ms, -1);
    result->is_last = result->next == INBOX_BURY;
    if (result->crashes >= HEALTH_CRASHES_MAX) {
        result->next = INBOX_BURY;
        note_crashes(result);
    }
}

void
attempt_spare(struct attempt *attempt, const struct plugin *plugin,
              const char *why)
{
    struct inbox_result *result = attempt->result;
    uint32_t before = counted(attempt->claim) - 1; /* this one is none */
    result->spare = 1;
    add_note(result, "; does not count: ", why, "");
    make_due(attempt, retry_delay(plugin->config, before > 0 ? before : 1,
                                  any_random()));
}

void
attempt_lose(struct attempt *attempt, const char *by)
{
    struct inbox_result *result = attempt->result;
    result->spare = 1;
    snprintf(result->note, sizeof(result->note),
             "cut short by %s: runs again, and does not count", by);
    make_due(attempt, 0);
}

void
attempt_forget_crashes(struct attempt *attempt)
{
    attempt->claim->crashes = 0;
    attempt->result->crashes = 0;
}

/* ---- Telling -------------------------------------------------------- */

/* "5.0 s", "12 min", "3 h". */
static const char *
span_text(int64_t ms, char *room, size_t size)
{
    if (ms < 120000) {
        snprintf(room, size, "%.1f s", (double)ms / 1000);
    } else if (ms < 2 * 3600000LL) {
        snprintf(room, size, "%lld min", (long long)(ms / 60000));
    } else {
        snprintf(room, size, "%lld h", (long long)(ms / 3600000));
    }
    return room;
}

static void
announce(const struct attempt *attempt, const char *plugin)
{
    const struct inbox_result *result = attempt->result;
    const char *event = attempt->claim->event_id;
    const char *outcome = inbox_outcome_name(result->outcome);
    int64_t took_ms = result->duration_us / 1000;
    char verdict[64];
    char span[24];
    snprintf(verdict, sizeof(verdict), "%s", outcome);
    if (result->next == INBOX_BURY) {
        snprintf(verdict, sizeof(verdict), "dead");
    } else if (result->next == INBOX_AGAIN) {
        snprintf(verdict, sizeof(verdict), "%s %u, next in %s", outcome,
                 result->attempt,
                 span_text(attempt->delay_ms, span, sizeof(span)));
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
              "plugin=%s event=%s attempt=%u outcome=%s ms=%lld reason=%s%s",
              plugin, log_word(&word, event), result->attempt, outcome,
              (long long)took_ms,
              log_quote(&note, result->note, strlen(result->note)),
              result->spare ? " counts=no" : "");
}

void
attempt_finish(struct attempt *attempt, const struct plugin *plugin,
               struct inbox *inbox)
{
    announce(attempt, plugin->config->name);
    hand_over(attempt, inbox);
}
