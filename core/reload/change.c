/* core/reload/change.c: one change of generations, from PARSE to COMMIT.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/change_parts.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/dispatcher.h"
#include "http/server.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/archive.h"
#include "plugin/generation.h"
#include "plugin/serving.h"
#include "plugin/supervisor.h"
#include "reload/candidate.h"
#include "reload/crash_point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

/* A listener that came in vain has at most this long for what it accepted. */
#define WITHDRAW_MS 5000

/* ---- PARSE, SNAPSHOT ------------------------------------------------ */

static int
make_candidate(struct change *change, struct error *err)
{
    struct config_report *report = &change->answer->report;
    const char *path = change->settings->config_path;
    const char *state_dir = change->was->config->state_dir;
    int fd = change->host->give_up_fd;
    int rc;
    if (change->answer->kind == RELOAD_BACK) {
        if (change->record.previous == 0) {
            return error_set(err, RC_NOT_FOUND,
                             "there is no generation to go back to: this is "
                             "the first");
        }
        rc = candidate_from_archive(&change->is, path, state_dir,
                                    change->record.previous, fd, report, err);
    } else {
        rc = candidate_from_files(&change->is, path, state_dir, fd, report);
    }
    if (rc == RC_CLOSED) {
        return change_given_up(change, err);
    }
    if (rc == RC_NOMEM) {
        return error_set(err, rc, "out of memory");
    }
    return rc;
}

/* ---- DIFF ----------------------------------------------------------- */

static int
compare(struct change *change, struct error *err)
{
    struct delta *delta = &change->answer->delta;
    int rc = delta_make(delta, change->was, change->is);
    if (rc != RC_OK) {
        return error_set(err, rc, "out of memory");
    }
    if (delta->refused > 0) {
        return error_set(err, RC_INVALID, "%s can only be changed by a restart",
                         delta->items[0].what); /* the refused come first */
    }
    return candidate_raise_limits(change->is->config, err);
}

/* ---- COMMIT --------------------------------------------------------- */

/* What the inbox is to keep of the new one. */
static int
make_record(const struct change *change, struct inbox_generation *record,
            struct error *err)
{
    char was[INBOX_DIGEST_MAX + 1], is[INBOX_DIGEST_MAX + 1];
    int rc = archive_inputs(change->was, was, err);
    if (rc == RC_OK) {
        rc = archive_inputs(change->is, is, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    int is_back = change->answer->kind == RELOAD_BACK;
    *record = (struct inbox_generation){
        .number = change->record.number + 1,
        .previous = change->record.number,
        .is_rollback = is_back,
    };
    if (!is_back && strcmp(was, is) == 0) {
        record->previous = change->record.previous; /* nothing to go back to
                                                       in the last one */
    }
    snprintf(record->inputs, sizeof(record->inputs), "%s", is_back ? was : is);
    return RC_OK;
}

/* All that can fail, but for memory. The transaction is the point from which on
 * a start of the daemon finds the new one. */
static int
record_it(struct change *change, struct error *err)
{
    const struct config *config = change->is->config;
    struct inbox_generation record;
    int rc = make_record(change, &record, err);
    if (rc == RC_OK) {
        change->has_log_file = 1;
        rc = log_open_file(config->log_file, err) == RC_OK ? RC_OK : RC_INVALID;
    }
    CRASH_POINT("commit", 1);
    if (rc == RC_OK) {
        rc = archive_keep(config->state_dir, record.number, change->is, err);
    }
    CRASH_POINT("commit", 2);
    if (rc == RC_OK) {
        rc =
            generation_enrol(change->is, change->settings->inbox, &record, err);
        change->is_enrolled = rc == RC_OK || rc == RC_UNKNOWN;
    }
    CRASH_POINT("commit", 3);
    return rc;
}

static int
commit(struct change *change, struct error *err)
{
    const struct reload_settings *settings = change->settings;
    int rc = record_it(change, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (dispatcher_switch(settings->dispatcher, change->is,
                          change->is->config->drain_ms) != RC_OK) {
        return error_set(err, RC_NOMEM, "out of memory");
    }
    CRASH_POINT("commit", 4);
    serving_set(settings->serving, generation_hold(change->is));
    CRASH_POINT("commit", 5);
    supervisor_switch(settings->supervisor, change->is);
    CRASH_POINT("commit", 6);
    candidate_serves(change->is->config, settings->inbox, settings->verbose);
    CRASH_POINT("commit", 7);
    return RC_OK;
}

/* ---- ROLLBACK ------------------------------------------------------- */

/* The inbox was told, or may have been, of a generation that never served: its
 * plugins' orders are put back. */
static void
enrol_former(struct change *change)
{
    struct error err;
    struct inbox_generation record = change->record;
    if (generation_restore(change->was, change->settings->inbox, &record,
                           &err) != RC_OK ||
        archive_keep(change->was->config->state_dir, record.number, change->was,
                     &err) != RC_OK) {
        struct log_value text;
        log_write(LOG_ERROR, "reload", "cannot put the former generation back",
                  "detail=%s action=at_the_next_reload_or_start",
                  log_quote(&text, err.text, strlen(err.text)));
    }
}

static void
roll_back(struct change *change)
{
    const struct reload_settings *settings = change->settings;
    const struct config *config = change->was->config;
    struct error err;
    CRASH_POINT("rollback", 1);
    if (change->is_enrolled) {
        enrol_former(change);
    }
    CRASH_POINT("rollback", 2);
    if (change->has_log_file) {
        (void)log_open_file(config->log_file, &err); /* else the new one */
    }
    if (change->is_widened) {
        server_narrow(settings->server, config, WITHDRAW_MS);
    }
    CRASH_POINT("rollback", 3);
    change_unstart(change);
    CRASH_POINT("rollback", 4);
}

/* ---- All ------------------------------------------------------------ */

static enum reload_end
end_of(int rc)
{
    switch (rc) {
    case RC_OK:
        return RELOAD_DONE;
    case RC_INVALID:
    case RC_NOT_FOUND:
        return RELOAD_REFUSED;
    case RC_CLOSED:
        return RELOAD_STOPPED;
    default:
        return RELOAD_FAILED;
    }
}

static int
run(struct change *change, struct error *err)
{
    int rc = inbox_generation(change->settings->inbox, &change->record, err);
    if (rc == RC_OK) {
        rc = make_candidate(change, err);
    }
    if (rc == RC_OK) {
        rc = compare(change, err);
    }
    if (rc == RC_OK) {
        rc = change_start(change, err);
    }
    if (rc == RC_OK && change->answer->kind != RELOAD_TRY) {
        rc = commit(change, err);
    }
    return rc;
}

static void
set_limit(const struct change_host *host, int64_t ms)
{
    const struct itimerspec limit = {
        .it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};
    timerfd_settime(host->timer_fd, 0, &limit, NULL);
}

void
change_run(struct change_host *host, struct reload_answer *answer)
{
    struct change change = {.host = host,
                            .settings = host->settings,
                            .answer = answer,
                            .was = serving_hold(host->settings->serving)};
    struct error err = {0};
    int64_t begun_ms = clock_mono_ms();
    set_limit(host, CHANGE_LIMIT_MS);
    int rc = run(&change, &err);
    set_limit(host, 0);
    if (rc != RC_OK || answer->kind == RELOAD_TRY) {
        roll_back(&change);
    }
    answer->end = end_of(rc);
    answer->took_ms = clock_mono_ms() - begun_ms;
    if (answer->kind == RELOAD_BACK) {
        answer->restored = (unsigned)change.record.previous;
    }
    answer->generation = rc == RC_OK && answer->kind != RELOAD_TRY
                             ? change.is->number
                             : change.was->number;
    snprintf(answer->why, sizeof(answer->why), "%s", err.text);
    free(change.stage.plugins);
    generation_drop(change.is);
    generation_drop(change.was);
}

void
change_sweep(struct change_host *host)
{
    struct inbox_generation record;
    struct error err;
    struct generation *live = serving_hold(host->settings->serving);
    if (inbox_generation(host->settings->inbox, &record, &err) == RC_OK) {
        const long long keep[] = {record.number, record.previous};
        archive_sweep(live->config->state_dir, keep, 2, &live, 1);
    }
    generation_drop(live);
}
