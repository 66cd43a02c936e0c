/* core/reload/boot.c: the first generation of a process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/boot.h"

#include "cli/checked.h"
#include "config/config.h"
#include "config/places.h"
#include "config/report.h"
#include "error.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/archive.h"
#include "plugin/generation.h"
#include "reload/candidate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- From the files ------------------------------------------------- */

static int
make_state_dir(const struct config *config, struct error *err)
{
    if (mkdir(config->state_dir, 0700) != 0 && errno != EEXIST) {
        return error_errno(err, RC_IO, errno, "cannot make state_dir %s",
                           config->state_dir);
    }
    return RC_OK;
}

/* From here on lines go where the configuration says. */
static int
open_log(const struct config *config, int verbose, struct config_report *report)
{
    struct error err;
    log_setup(verbose ? LOG_DEBUG : (enum log_level)config->log_level,
              (enum log_format)config->log_format);
    int rc = log_open_file(config->log_file, &err);
    if (rc != RC_OK) {
        report_error(report, config->file, config->log_file_line, "file: %s",
                     err.text);
        rc = RC_INVALID;
    }
    return rc;
}

static int
make(struct generation **out, struct config *config,
     const struct boot_settings *settings, struct config_report *report,
     struct error *err)
{
    char snapshots[PATH_MAX];
    int rc = make_state_dir(config, err);
    if (rc == RC_OK) {
        rc = open_log(config, settings->verbose, report);
    }
    if (rc == RC_OK) {
        rc = candidate_raise_limits(config, err);
    }
    if (rc == RC_OK) {
        (void)places_make(config, report); /* the report knows */
    }
    if (rc == RC_OK) {
        snprintf(snapshots, sizeof(snapshots), "%s/plugins", config->state_dir);
        rc = generation_make(out, config, snapshots, settings->stop_fd, report);
    }
    return rc == RC_CLOSED ? error_set(err, rc, "told to stop") : rc;
}

int
boot_load(struct generation **out, const struct boot_settings *settings,
          struct error *err)
{
    struct config_report report = {0};
    struct config *config = NULL;
    int rc = config_read(&config, settings->config_path, &report);
    if (rc != RC_NOMEM && places_check(config, &report) != RC_OK) {
        rc = RC_INVALID;
    }
    if (rc == RC_INVALID) { /* what is wrong with its plugins, besides? */
        struct checked checked;
        rc = checked_make(&checked, config, settings->stop_fd, &report, err);
        config = NULL;
    } else if (rc == RC_OK) {
        rc = make(out, config, settings, &report, err);
    }
    if (report.errors > 0 || !settings->quiet) {
        report_print(&report, stderr);
    }
    if (rc != RC_OK && report.errors > 0) {
        error_set(err, RC_INVALID, "%zu error%s in %s", report.errors,
                  report.errors == 1 ? "" : "s", settings->config_path);
        rc = rc == RC_IO ? rc : RC_INVALID; /* the machine's fault, or theirs */
    }
    report_fini(&report);
    if (rc != RC_OK) {
        config_close(config);
    }
    return rc;
}

int
boot_open_inbox(struct inbox **out, const struct generation *generation,
                struct error *err)
{
    const struct config *config = generation->config;
    const struct inbox_settings settings = {
        .path = config->inbox_path, .min_free_bytes = config->min_free_bytes};
    return inbox_open(out, &settings, err);
}

/* ---- What was rolled back to ---------------------------------------- */

static void
log_kept(const struct inbox_generation *last, int rc, const struct error *err)
{
    struct log_value text;
    if (rc == RC_OK) {
        log_write(LOG_WARN, "reload", "serving what was rolled back to",
                  "generation=%lld hint=\"pegboard reload applies the files\"",
                  (long long)last->number);
    } else {
        log_write(LOG_ERROR, "reload", "cannot serve what was rolled back to",
                  "generation=%lld detail=%s action=serve_the_files",
                  (long long)last->number,
                  log_quote(&text, err->text, strlen(err->text)));
    }
}

/* Then nobody knows whether it could serve: a start that goes on without it
 * would undo the rollback for good. */
static int
is_no_fault_of_it(int rc)
{
    return rc == RC_CLOSED || rc == RC_NOMEM;
}

/* Put the kept generation in the place of the one that was left on purpose. */
static int
go_back(struct generation **generation, const struct inbox_generation *last,
        const struct boot_settings *settings)
{
    struct generation *kept = NULL;
    struct config_report report = {0};
    struct error err = {.text = "it has mistakes"};
    int rc = candidate_from_archive(
        &kept, settings->config_path, (*generation)->config->state_dir,
        last->number, settings->stop_fd, &report, &err);
    if (rc == RC_OK) {
        rc = candidate_raise_limits(kept->config, &err);
    }
    if (rc == RC_OK) {
        rc = log_open_file(kept->config->log_file, &err);
    }
    report_print(&report, stderr);
    report_fini(&report);
    if (is_no_fault_of_it(rc)) {
        generation_drop(kept);
        return rc;
    }
    log_kept(last, rc, &err);
    struct generation *other = rc == RC_OK ? *generation : kept;
    *generation = rc == RC_OK ? kept : *generation;
    generation_drop(other);
    return rc;
}

/* Whether what serves now is what served last: there is nothing to go back to
 * in that. The inputs of a rollback tell of what was left by it. */
static int
is_as_before(const struct generation *generation,
             const struct inbox_generation *last, int is_same)
{
    return (is_same && !last->is_rollback) ||
           archive_is_same(generation->config->state_dir, last->number,
                           generation);
}

int
boot_enrol(struct generation **generation, struct inbox *inbox,
           const struct boot_settings *settings, struct error *err)
{
    struct inbox_generation last, record = {0};
    int rc = inbox_generation(inbox, &last, err);
    if (rc == RC_OK) {
        rc = archive_inputs(*generation, record.inputs, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    int is_same = strcmp(record.inputs, last.inputs) == 0;
    record.number = last.number + 1;
    if (is_same && last.is_rollback) {
        rc = go_back(generation, &last, settings);
        if (is_no_fault_of_it(rc)) {
            return error_set(err, rc, "%s",
                             rc == RC_CLOSED ? "told to stop"
                                             : "out of memory");
        }
        record.is_rollback = rc == RC_OK;
    }
    const struct config *config = (*generation)->config;
    record.previous =
        is_as_before(*generation, &last, is_same) ? last.previous : last.number;
    rc = archive_keep(config->state_dir, record.number, *generation, err);
    if (rc == RC_OK) {
        rc = generation_enrol(*generation, inbox, &record, err);
    }
    if (rc == RC_OK) {
        candidate_serves(config, inbox, settings->verbose);
    }
    return rc;
}
