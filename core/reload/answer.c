/* core/reload/answer.c: how a reload went, for the log and for who asked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/answer.h"

#include "clock.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
reload_end_name(enum reload_end end)
{
    switch (end) {
    case RELOAD_DONE:
        return "done";
    case RELOAD_KILLED:
        return "killed";
    case RELOAD_REFUSED:
        return "refused";
    case RELOAD_FAILED:
        return "failed";
    case RELOAD_STOPPED:
        return "stopped";
    case RELOAD_LATE:
        return "late";
    }
    return "?";
}

const char *
reload_kind_name(enum reload_kind kind)
{
    switch (kind) {
    case RELOAD_APPLY:
        return "apply";
    case RELOAD_TRY:
        return "try";
    case RELOAD_BACK:
        return "rollback";
    }
    return "?";
}

void
reload_answer_fini(struct reload_answer *answer)
{
    delta_fini(&answer->delta);
    report_fini(&answer->report);
}

static void
copy_report(struct config_report *to, const struct config_report *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct config_finding *finding = &from->findings[i];
        if (finding->is_warning) {
            report_warning(to, finding->file, finding->line, "%s",
                           finding->message);
        } else {
            report_error(to, finding->file, finding->line, "%s",
                         finding->message);
        }
    }
    to->errors = from->errors; /* also those beyond what a report keeps */
}

int
answer_copy(struct reload_answer *to, const struct reload_answer *from)
{
    *to = *from;
    to->report = (struct config_report){0};
    to->delta.items = NULL;
    size_t bytes = from->delta.count * sizeof(*from->delta.items);
    if (bytes > 0) {
        to->delta.items = malloc(bytes);
        if (to->delta.items == NULL) {
            to->delta.count = 0;
            return RC_NOMEM;
        }
        memcpy(to->delta.items, from->delta.items, bytes);
    }
    copy_report(&to->report, &from->report);
    return to->report.out_of_memory ? RC_NOMEM : RC_OK;
}

static int
is_committed(const struct reload_answer *answer)
{
    return answer->end == RELOAD_DONE || answer->end == RELOAD_KILLED;
}

void
answer_first(const struct reload_answer *answer, char *out, size_t size)
{
    out[0] = '\0';
    if (is_committed(answer)) {
        return;
    }
    snprintf(out, size, "%s", answer->why);
    for (size_t i = 0; i < answer->report.count && out[0] == '\0'; i++) {
        const struct config_finding *finding = &answer->report.findings[i];
        if (!finding->is_warning) {
            snprintf(out, size, "%s:%d: %s", finding->file, finding->line,
                     finding->message);
        }
    }
}

void
answer_note(const struct reload_answer *answer, struct reload_last *last)
{
    if (answer->kind == RELOAD_TRY) {
        return;
    }
    last->count++;
    last->at_ms = clock_wall_ms();
    last->kind = answer->kind;
    last->end = answer->end;
    if (answer->end == RELOAD_DONE) {
        last->good_ms = last->at_ms;
    }
    answer_first(answer, last->why, sizeof(last->why));
}

/* ---- The log -------------------------------------------------------- */

static void
log_findings(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        struct log_value file, text;
        log_write(finding->is_warning ? LOG_WARN : LOG_ERROR, "reload",
                  finding->is_warning ? "warning" : "mistake",
                  "file=%s line=%d detail=%s",
                  log_quote(&file, finding->file, strlen(finding->file)),
                  finding->line,
                  log_quote(&text, finding->message, strlen(finding->message)));
    }
}

static void
log_changes(const struct delta *delta)
{
    for (size_t i = 0; i < delta->count; i++) {
        const struct delta_item *item = &delta->items[i];
        struct log_value what, detail;
        log_write(LOG_INFO, "reload", "change", "kind=%s what=%s detail=%s",
                  delta_kind_name(item->kind),
                  log_quote(&what, item->what, strlen(item->what)),
                  log_quote(&detail, item->detail, strlen(item->detail)));
    }
}

void
answer_log(const struct reload_answer *answer)
{
    struct log_value why;
    log_findings(&answer->report);
    if (!is_committed(answer)) {
        log_write(answer->end == RELOAD_STOPPED ? LOG_WARN : LOG_ERROR,
                  "reload", "reload refused",
                  "kind=%s result=%s errors=%zu detail=%s generation=%u "
                  "took_ms=%lld action=the_former_serves_on",
                  reload_kind_name(answer->kind), reload_end_name(answer->end),
                  answer->report.errors,
                  log_quote(&why, answer->why, strlen(answer->why)),
                  answer->generation, (long long)answer->took_ms);
        return;
    }
    log_changes(&answer->delta);
    log_write(LOG_INFO, "reload",
              answer->kind == RELOAD_TRY ? "reload would go well" : "reloaded",
              "kind=%s generation=%u changes=%zu took_ms=%lld",
              reload_kind_name(answer->kind), answer->generation,
              answer->delta.count, (long long)answer->took_ms);
}

void
answer_log_killed(const struct reload_answer *answer)
{
    log_write(LOG_WARN, "reload", "runners overran the drain",
              "generation=%u killed=%u action=their_events_run_again",
              answer->generation, answer->killed);
}
