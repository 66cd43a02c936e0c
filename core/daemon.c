/* core/daemon.c: the daemon's life: steps up in order, and down in reverse.
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include "admin/api.h"
#include "cli/checked.h"
#include "cli/command.h"
#include "clock.h"
#include "config/config.h"
#include "config/places.h"
#include "config/report.h"
#include "delivery/dispatcher.h"
#include "delivery/tail.h"
#include "error.h"
#include "http/admin.h"
#include "http/server.h"
#include "inbox/inbox.h"
#include "log.h"
#include "notify.h"
#include "plugin/generation.h"
#include "plugin/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* A loop that has not turned for this long is stuck. */
#define LIVE_MS 10000

/* A store that hangs in a flush for this long cannot take a post in time. */
#define READY_MS 5000

/* Descriptors besides those of connections with a thread: ours, 256 connections
 * that wait for a thread, and those of each runner (socket, output, pidfd, and
 * two ends while it starts). */
#define OWN_DESCRIPTORS    512
#define RUNNER_DESCRIPTORS 5

/* After the drain, runners may take this long to be gone. */
#define DRAIN_REST_MS 8000

/* How often on_turn() is called, and the drain is looked at. */
#define TURN_MS 20

struct daemon {
    const struct daemon_settings *settings;
    struct generation *generation;
    struct inbox *inbox;
    struct supervisor *supervisor;
    struct dispatcher *dispatcher;
    struct api *api;
    struct admin *admin;
    struct server *server;
    int signals; /* signalfd */
    struct notify notify;
};

/* ---- Glue between the parts ----------------------------------------- */

static void
on_runner_ready(void *arg, const struct plugin *plugin, struct runner *runner)
{
    struct daemon *d = arg;
    dispatcher_adopt(d->dispatcher, plugin, runner);
}

static void
on_runner_return(void *arg, const struct plugin *plugin, struct runner *runner,
                 enum dispatcher_return why, unsigned long handled)
{
    struct daemon *d = arg;
    supervisor_return(d->supervisor, plugin, runner, why == RETURN_ENDED,
                      handled);
}

static void
on_recovered(void *arg, const struct plugin *plugin)
{
    struct daemon *d = arg;
    supervisor_recovered(d->supervisor, plugin);
}

static int
is_live(void *arg)
{
    struct daemon *d = arg;
    return dispatcher_stalled_ms(d->dispatcher) < LIVE_MS &&
           inbox_stalled_ms(d->inbox) < LIVE_MS;
}

static int
is_ready(void *arg)
{
    struct daemon *d = arg;
    return inbox_ready(d->inbox) && inbox_stalled_ms(d->inbox) < READY_MS;
}

/* ---- Steps up ------------------------------------------------------- */

/* One thread takes signals, by reading; no handler ever runs. */
static int
take_signals(struct daemon *d, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited by every thread */
    signal(SIGPIPE, SIG_IGN);
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return d->signals >= 0 ? RC_OK
                           : error_errno(err, RC_IO, errno, "no signalfd");
}

/* Out of descriptors CivetWeb's master thread spins: have plenty. */
static int
raise_descriptor_limit(const struct config *config, struct error *err)
{
    rlim_t need = (rlim_t)config->threads * 2 + OWN_DESCRIPTORS;
    for (size_t i = 0; i < config->plugin_count; i++) {
        need += (rlim_t)config->plugins[i].concurrency * RUNNER_DESCRIPTORS;
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

/* From the file to a checked generation; all mistakes are printed. */
static int
load_generation(struct daemon *d, struct error *err)
{
    const struct daemon_settings *settings = d->settings;
    struct config_report report = {0};
    struct config *config = NULL;
    int rc = config_read(&config, settings->config_path, &report);
    if (rc != RC_NOMEM && places_check(config, &report) != RC_OK) {
        rc = RC_INVALID;
    }
    if (rc == RC_INVALID) { /* what is wrong with its plugins, besides? */
        struct checked checked;
        rc = checked_make(&checked, config, &report, err);
        config = NULL;
    }
    if (rc == RC_OK) {
        rc = make_state_dir(config, err);
    }
    if (rc == RC_OK) {
        rc = open_log(config, settings->verbose, &report);
    }
    if (rc == RC_OK) {
        rc = raise_descriptor_limit(config, err);
    }
    if (rc == RC_OK) {
        char plugins[PATH_MAX];
        snprintf(plugins, sizeof(plugins), "%s/plugins", config->state_dir);
        rc = generation_make(&d->generation, config, plugins, d->signals,
                             &report);
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

static int
open_inbox(struct daemon *d, struct error *err)
{
    const struct config *config = d->generation->config;
    struct inbox_settings settings = {
        .path = config->inbox_path,
        .retention_ms = config->retention_ms,
        .min_free_bytes = config->min_free_bytes,
    };
    int rc = inbox_open(&d->inbox, &settings, err);
    return rc == RC_OK ? generation_register(d->generation, d->inbox, err) : rc;
}

/* What operators speak to. */
static int
start_admin(struct daemon *d, struct error *err)
{
    struct api_settings api = {
        .inbox = d->inbox,
        .config = d->generation->config,
        .generation = d->generation,
        .dispatcher = d->dispatcher,
    };
    struct admin_settings settings = {
        .config = d->generation->config,
        .is_live = is_live,
        .is_ready = is_ready,
        .health_arg = d,
    };
    int rc = api_open(&d->api, &api, err);
    if (rc == RC_OK) {
        rc = api_start(d->api, err);
    }
    if (rc == RC_OK) {
        settings.api = d->api;
        rc = admin_start(&d->admin, &settings, err);
    }
    return rc;
}

static int
start(struct daemon *d, struct error *err)
{
    int rc = load_generation(d, err);
    if (rc == RC_OK) {
        rc = open_inbox(d, err);
    }
    if (rc == RC_OK) {
        rc = supervisor_open(&d->supervisor, d->generation, on_runner_ready, d,
                             err);
    }
    if (rc == RC_OK) {
        rc = dispatcher_start(&d->dispatcher, d->generation, d->inbox,
                              on_runner_return, on_recovered, d, err);
    }
    if (rc == RC_OK) {
        rc = start_admin(d, err);
    }
    if (rc == RC_OK) {
        struct server_settings settings = {
            .generation = d->generation,
            .inbox = d->inbox,
            .is_live = is_live,
            .is_ready = is_ready,
            .health_arg = d,
        };
        rc = server_start(&d->server, &settings, err);
    }
    if (rc == RC_OK) {
        api_set_url(d->api, server_url(d->server));
    }
    return rc;
}

/* ---- Serving -------------------------------------------------------- */

/* Which stop signal came, or 0. */
static int
next_signal(struct daemon *d)
{
    struct signalfd_siginfo info;
    while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGHUP || d->settings->tail) {
            return (int)info.ssi_signo; /* dev ends with its terminal */
        }
        log_write(LOG_WARN, "daemon", "SIGHUP ignored",
                  "detail=\"this version reads its configuration at start\"");
    }
    return 0;
}

/* Sleep until something happens, at most `most_ms`, and do it. */
static void
turn(struct daemon *d, int most_ms)
{
    struct pollfd fds[2] = {
        {.fd = d->signals, .events = POLLIN},
        {.fd = supervisor_fd(d->supervisor), .events = POLLIN}};
    int64_t due_ms = supervisor_deadline_ms(d->supervisor);
    int64_t sign_ms = notify_turn(&d->notify, is_live(d));
    int wait_ms = clock_poll_ms(sign_ms < due_ms ? sign_ms : due_ms);
    if (most_ms >= 0 && (wait_ms < 0 || wait_ms > most_ms)) {
        wait_ms = most_ms;
    }
    poll(fds, 2, wait_ms);
    supervisor_turn(d->supervisor);
}

static int
serve(struct daemon *d)
{
    const struct daemon_settings *settings = d->settings;
    int most_ms = settings->on_turn != NULL ? TURN_MS : -1;
    for (;;) {
        turn(d, most_ms);
        int signal_number = next_signal(d);
        if (signal_number != 0) {
            log_write(LOG_INFO, "daemon", "stopping", "signal=SIG%s",
                      sigabbrev_np(signal_number));
            return EXIT_OK;
        }
        if (settings->on_turn != NULL) {
            struct inbox_stats stats;
            inbox_stats(d->inbox, &stats);
            int code = settings->on_turn(settings->arg, &stats);
            if (code >= 0) {
                return code;
            }
        }
    }
}

/* ---- Steps down ----------------------------------------------------- */

/* Whether a second signal came, which cuts the drain short. */
static int
is_hurried(struct daemon *d)
{
    if (next_signal(d) == 0) {
        return 0;
    }
    log_write(LOG_WARN, "daemon", "second signal", "action=stop_now");
    return 1;
}

/* Answers in work get out, and attempts in work may end; what is cut runs again
 * at the next start. Bounded: a process that cannot be killed must not keep us.
 */
static void
drain(struct daemon *d)
{
    int64_t deadline_ms = clock_mono_ms() + d->generation->config->drain_ms;
    int64_t last_ms = deadline_ms + DRAIN_REST_MS;
    int hurried = 0;
    notify_send(&d->notify,
                "STOPPING=1\nSTATUS=finishing attempts in work\n"
                "EXTEND_TIMEOUT_USEC=%lld",
                (long long)(last_ms - clock_mono_ms()) * 1000);
    server_refuse(d->server);
    if (d->dispatcher == NULL) {
        return;
    }
    dispatcher_drain(d->dispatcher, deadline_ms);
    supervisor_stop(d->supervisor);
    while ((server_in_work(d->server) > 0 && clock_mono_ms() < deadline_ms) ||
           !dispatcher_drained(d->dispatcher) ||
           !supervisor_is_empty(d->supervisor)) {
        turn(d, TURN_MS);
        if (!hurried && is_hurried(d)) {
            hurried = 1;
            deadline_ms = clock_mono_ms();
            last_ms = deadline_ms + DRAIN_REST_MS;
            dispatcher_drain(d->dispatcher, deadline_ms);
        }
        if (hurried && dispatcher_drained(d->dispatcher)) {
            return; /* supervisor_close() kills the rest */
        }
        if (clock_mono_ms() > last_ms) {
            log_write(LOG_ERROR, "daemon", "a runner does not end",
                      "action=leave_it");
            return;
        }
    }
}

static void
stop(struct daemon *d)
{
    if (d->generation != NULL) {
        drain(d);
    }
    server_stop(d->server);
    admin_stop(d->admin);
    api_close(d->api);
    dispatcher_stop(d->dispatcher);
    supervisor_close(d->supervisor);
    inbox_close(d->inbox);
    generation_drop(d->generation);
    notify_fini(&d->notify);
    if (d->signals >= 0) {
        close(d->signals);
    }
}

int
daemon_run(const struct daemon_settings *settings)
{
    struct daemon d = {.settings = settings, .signals = -1};
    struct error err = {0};
    log_setup(LOG_INFO, LOG_AUTO);
    umask(0077);
    notify_init(&d.notify);
    if (settings->tail) {
        tail_start(settings->color);
    }

    int rc = take_signals(&d, &err);
    if (rc == RC_OK) {
        rc = start(&d, &err);
    }
    if (rc != RC_OK) {
        stop(&d);
        return command_error(rc == RC_INVALID ? EXIT_CONFIG : EXIT_FAILED, "%s",
                             err.text);
    }
    log_write(LOG_INFO, "daemon", "serving",
              "url=%s plugins=%zu admin=%s version=%s", server_url(d.server),
              d.generation->plugin_count, admin_url(d.admin), PEGBOARD_VERSION);
    notify_send(&d.notify, "READY=1\nSTATUS=serving %s, %zu plugins",
                server_url(d.server), d.generation->plugin_count);
    int code = -1;
    if (settings->on_ready != NULL) {
        code = settings->on_ready(settings->arg, server_url(d.server));
    }
    if (code <= 0) {
        code = serve(&d);
    }
    stop(&d);
    log_write(LOG_INFO, "daemon", "stopped", NULL);
    return code;
}
