/* core/daemon.c: the daemon's life: steps up in order, and down in reverse.
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon_parts.h"

#include "admin/api.h"
#include "cli/command.h"
#include "clock.h"
#include "config/config.h"
#include "delivery/dispatcher.h"
#include "delivery/tail.h"
#include "error.h"
#include "http/admin.h"
#include "http/server.h"
#include "inbox/inbox.h"
#include "log.h"
#include "notify.h"
#include "plugin/generation.h"
#include "plugin/serving.h"
#include "plugin/supervisor.h"
#include "reload/boot.h"
#include "reload/reload.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* After the drain, runners may take this long to be gone. */
#define DRAIN_REST_MS 8000

/* How often on_turn() is called, and the drain is looked at. */
#define TURN_MS 20

/* ---- Serving --------------------------------------------------------- */

/* One thread takes signals, by reading; no handler ever runs. */
static int
take_signals(struct daemon *d, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited by every thread */
    signal(SIGPIPE, SIG_IGN);
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return d->signals >= 0 ? RC_OK
                           : error_errno(err, RC_IO, errno, "no signalfd");
}

/* A line for whoever looks into the log, after logrotate made it new. */
static void
log_state(struct daemon *d)
{
    struct inbox_stats stats;
    (void)log_reopen(NULL);
    inbox_stats(d->inbox, &stats);
    log_write(
        LOG_INFO, "daemon", "state",
        "events=%llu closed=%llu dead=%llu runners=%u",
        (unsigned long long)stats.events, (unsigned long long)stats.closed,
        (unsigned long long)stats.buried, supervisor_runners(d->supervisor));
}

/* Which stop signal came, or 0; others are dealt with. */
static int
next_signal(struct daemon *d)
{
    struct signalfd_siginfo info;
    while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP && !terminal_is_gone(&d->terminal)) {
            reload_poke(d->reload, RELOAD_APPLY);
        } else if (info.ssi_signo == SIGUSR1) {
            log_state(d);
        } else {
            return (int)info.ssi_signo;
        }
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
    int64_t sign_ms = notify_turn(&d->notify, daemon_is_live(d));
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
        if (settings->wants_reload != NULL &&
            settings->wants_reload(settings->arg)) {
            reload_poke(d->reload, RELOAD_APPLY);
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
    notify_status(&d->notify, "stopping now");
    return 1;
}

/* Answers in work get out, and attempts in work may end; what is cut runs again
 * at the next start. Bounded: a process that cannot be killed must not keep us.
 */
static void
drain(struct daemon *d)
{
    struct generation *generation = serving_hold(&d->serving);
    int64_t deadline_ms = clock_mono_ms() + generation->config->drain_ms;
    int64_t last_ms = deadline_ms + DRAIN_REST_MS;
    int hurried = 0;
    generation_drop(generation);
    atomic_store(&d->is_stopping, 1);
    notify_send(&d->notify,
                "STOPPING=1\nSTATUS=finishing attempts in work\n"
                "EXTEND_TIMEOUT_USEC=%lld",
                (long long)(last_ms - clock_mono_ms()) * 1000);
    server_refuse(d->server);
    reload_stop(d->reload);
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
            server_hurry(d->server);
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

/* The reload's thread may be waiting for us to end what it had staged. */
static void
stop_reload(struct daemon *d)
{
    while (!reload_is_idle(d->reload)) {
        turn(d, TURN_MS);
        if (next_signal(d) != 0) {
            server_hurry(d->server); /* it may be closing a listener */
        }
    }
}

static void
stop(struct daemon *d)
{
    if (d->serving.now != NULL) {
        drain(d);
        stop_reload(d);
    }
    admin_stop(d->admin);
    api_close(d->api);
    reload_close(d->reload);
    server_stop(d->server);
    dispatcher_stop(d->dispatcher);
    supervisor_close(d->supervisor);
    inbox_close(d->inbox);
    serving_fini(&d->serving);
    notify_fini(&d->notify);
    if (d->signals >= 0) {
        close(d->signals);
    }
}

static void
announce(struct daemon *d, const char *url)
{
    struct generation *generation = serving_hold(&d->serving);
    log_write(LOG_INFO, "daemon", "serving",
              "url=%s plugins=%zu admin=%s generation=%u version=%s", url,
              generation->plugin_count, admin_url(d->admin), generation->number,
              PEGBOARD_VERSION);
    notify_ready(&d->notify, "serving %s, %zu plugins", url,
                 generation->plugin_count);
    generation_drop(generation);
}

int
daemon_run(const struct daemon_settings *settings)
{
    struct daemon d = {.settings = settings, .signals = -1};
    struct error err = {0};
    char url[SERVER_URL_MAX];
    serving_init(&d.serving);
    log_setup(LOG_INFO, LOG_AUTO);
    umask(0077);
    notify_init(&d.notify);
    if (settings->tail) {
        tail_start(settings->color);
        terminal_find(&d.terminal);
    }

    int rc = take_signals(&d, &err);
    if (rc == RC_OK) {
        rc = daemon_start(&d, &err);
    }
    if (rc != RC_OK) {
        int told = rc == RC_CLOSED; /* a signal came while it started */
        stop(&d);
        return told
                   ? EXIT_OK
                   : command_error(rc == RC_INVALID ? EXIT_CONFIG : EXIT_FAILED,
                                   "%s", err.text);
    }
    announce(&d, server_url(d.server, url));
    int code = -1;
    if (settings->on_ready != NULL) {
        code = settings->on_ready(settings->arg, url);
    }
    if (code <= 0) {
        code = serve(&d);
    }
    stop(&d);
    log_write(LOG_INFO, "daemon", "stopped", NULL);
    return code;
}
