/* core/reload/candidate.c: a generation made from files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/candidate.h"

#include "config/config.h"
#include "config/places.h"
#include "config/report.h"
#include "error.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/archive.h"
#include "plugin/generation.h"

#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>

/* Descriptors besides those of connections with a thread: ours, 256 connections
 * that wait for a thread, and those of each runner (socket, output, pidfd, and
 * two ends while it starts). */
#define OWN_DESCRIPTORS    512
#define RUNNER_DESCRIPTORS 5

static int
make(struct generation **out, const struct config_source *source,
     const char *state_dir, int stop_fd, struct config_report *report)
{
    struct config *config = NULL;
    char snapshots[PATH_MAX];
    snprintf(snapshots, sizeof(snapshots), "%s/plugins", state_dir);
    int rc = config_read_from(&config, source, report);
    if (rc != RC_NOMEM) {
        (void)places_check(config, report); /* the report knows */
    }
    if (rc == RC_OK && report->errors == 0) {
        (void)places_make(config, report);
    }
    if (rc == RC_OK || rc == RC_INVALID) {
        /* With mistakes it is looked through for those of its plugins. */
        rc = generation_make(out, config, snapshots, stop_fd, report);
    }
    if (rc != RC_OK) {
        config_close(config);
    }
    return rc;
}

int
candidate_from_files(struct generation **out, const char *path,
                     const char *state_dir, int stop_fd,
                     struct config_report *report)
{
    const struct config_source source = {.path = path};
    return make(out, &source, state_dir, stop_fd, report);
}

int
candidate_from_archive(struct generation **out, const char *path,
                       const char *state_dir, long long number, int stop_fd,
                       struct config_report *report, struct error *err)
{
    struct archived kept = {0};
    int rc = archive_find(&kept, state_dir, number, err);
    if (rc != RC_OK) {
        return rc;
    }
    const struct config_source source = {.path = path,
                                         .text_path = kept.text_path,
                                         .pins = kept.pins,
                                         .pin_count = kept.pin_count};
    rc = make(out, &source, state_dir, stop_fd, report);
    archived_fini(&kept);
    return rc;
}

int
candidate_raise_limits(const struct config *config, struct error *err)
{
    rlim_t threads = (rlim_t)config->threads * config->listen_count;
    rlim_t need = threads * 2 + OWN_DESCRIPTORS;
    for (size_t i = 0; i < config->plugin_count; i++) {
        need += (rlim_t)config->plugins[i].concurrency * 2 * RUNNER_DESCRIPTORS;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < need && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < need) {
        return error_set(err, RC_INVALID,
                         "threads = %lld and the plugins need %lld open files, "
                         "allowed are %lld: raise LimitNOFILE (ulimit -n), or "
                         "lower threads or concurrency",
                         (long long)config->threads, (long long)need,
                         (long long)limit.rlim_cur);
    }
    return RC_OK;
}

void
candidate_serves(const struct config *config, struct inbox *inbox, int verbose)
{
    inbox_tune(inbox, config->retention_ms, config->min_free_bytes);
    log_setup(verbose ? LOG_DEBUG : (enum log_level)config->log_level,
              (enum log_format)config->log_format);
}
