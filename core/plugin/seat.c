/* core/plugin/seat.c: a place for one runner: from its start to its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/seat.h"

#include "clock.h"
#include "config/config.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
#include "plugin/hearing.h"
#include "plugin/probe.h"
#include "plugin/runner.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS   60000

/* A runner that was asked to leave may take this long for its shutdown(). */
#define LEAVE_MS 5000

/* One whose socket is closed may take this long to end by itself: how it ends
 * says more than a SIGKILL of ours would. */
#define END_MS 1000

/* Reads from the socket of a runner that has ended: all that a socket holds. */
#define LAST_WORDS_MAX 16

/* ---- Its descriptors ------------------------------------------------ */

void
seat_watch(struct seat *seat, int fd, uint32_t events)
{
    int epoll = seat->host->epoll;
    struct epoll_event event = {.events = events, .data.ptr = seat};
    if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
    }
}

static void
watch_all(struct seat *seat)
{
    seat_watch(seat, seat->runner->socket, EPOLLIN);
    seat_watch(seat, seat->runner->output, EPOLLIN);
    seat_watch(seat, seat->runner->pid_fd, EPOLLIN);
}

static void
unwatch(const struct seat_host *host, const struct runner *runner)
{
    const int fds[] = {runner->socket, runner->output, runner->pid_fd};
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            epoll_ctl(host->epoll, EPOLL_CTL_DEL, fds[i], NULL);
        }
    }
}

/* ---- It did not work ------------------------------------------------ */

/* Leave the seat empty for a while. */
static void
pause_seat(struct seat *seat, const char *what, const char *why)
{
    int64_t pause_ms = PAUSE_FIRST_MS;
    for (unsigned n = 0; n < seat->failures && pause_ms < PAUSE_MAX_MS; n++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    seat->failures++;
    seat->due_ms = clock_mono_ms() + pause_ms;
    snprintf(seat->host->why, sizeof(seat->host->why), "%s", why);
    struct log_value text;
    log_write(LOG_ERROR, "plugin", what,
              "plugin=%s detail=%s action=restart_in_%lld_ms",
              seat->host->plugin->config->name,
              log_quote(&text, why, strlen(why)), (long long)pause_ms);
}

/* Whoever asked for the runner is told, or it is tried again. */
static void
fail_seat(struct seat *seat, const char *what, const char *why)
{
    struct stage_plugin *outcome = seat->host->outcome;
    seat->state = SEAT_EMPTY;
    if (seat->host->state == SQUAD_RETIRED) {
        return; /* nobody misses it */
    }
    if (outcome == NULL) {
        pause_seat(seat, what, why);
    } else if (!outcome->failed) { /* the first failure is told */
        outcome->failed = 1;
        snprintf(outcome->why, sizeof(outcome->why), "%s", why);
    }
}

static void
await_end(struct seat *seat, int64_t due_ms)
{
    unwatch(seat->host, seat->runner);
    seat->state = SEAT_ENDING;
    seat->due_ms = due_ms;
    seat_watch(seat, seat->runner->pid_fd, EPOLLIN);
}

static void
kill_seat(struct seat *seat, const char *why)
{
    snprintf(seat->why, sizeof(seat->why), "%s", why);
    runner_kill(seat->runner);
    await_end(seat, INT64_MAX);
}

static void
kill_for(struct seat *seat, enum handshake_fault fault)
{
    struct error err;
    handshake_explain(fault, seat->doing, 0, &err);
    kill_seat(seat, err.text);
}

static void
dismiss(struct seat *seat)
{
    runner_quit(seat->runner);
    seat->state = SEAT_LEAVING;
    seat->due_ms = clock_mono_ms() + LEAVE_MS;
    watch_all(seat); /* what shutdown() says */
}

/* ---- Its states ----------------------------------------------------- */

/* What can be told of it before it serves. */
static void
name_runner(struct runner *runner, const struct plugin *plugin)
{
    memcpy(runner->is.fingerprint, plugin->fingerprint,
           sizeof(runner->is.fingerprint));
    snprintf(runner->is.digest, sizeof(runner->is.digest), "%s",
             plugin->snapshot.digest);
}

void
seat_start(struct seat *seat)
{
    const struct plugin *plugin = seat->host->plugin;
    struct error err;
    seat->doing = "loading it";
    seat->why[0] = '\0';
    if (runner_start(&seat->runner, plugin->config, plugin->snapshot.path,
                     &err) != RC_OK) {
        fail_seat(seat, "cannot start a runner", err.text);
        return;
    }
    name_runner(seat->runner, plugin);
    seat->state = SEAT_LOADING;
    seat->due_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    watch_all(seat);
}

/* Generations and plugins have their numbers once they serve, not before. */
static void
hand_over(struct seat *seat)
{
    const struct seat_host *host = seat->host;
    const struct plugin *plugin = host->plugin;
    struct runner *runner = seat->runner;
    unwatch(host, runner);
    runner->is.plugin = plugin->id;
    runner->is.generation = host->generation->number;
    seat->state = SEAT_SERVING;
    seat->doing = NULL;
    log_write(LOG_INFO, "plugin", "runner ready",
              "plugin=%s version=\"%s\" pid=%d digest=%.12s generation=%u",
              plugin->config->name, plugin->manifest.version, (int)runner->pid,
              plugin->snapshot.digest, runner->is.generation);
    host->ready_fn(host->ready_arg, runner);
}

/* Why the process has ended. */
static void
explain_end(struct seat *seat, int status)
{
    struct error err;
    if (seat->doing == NULL) {
        runner_describe_end(status, seat->why, sizeof(seat->why));
    } else {
        handshake_explain(HANDSHAKE_ENDED, seat->doing, status, &err);
        snprintf(seat->why, sizeof(seat->why), "%s", err.text);
    }
}

/* The process is gone: collect it, and think about the next one. */
static void
collect_seat(struct seat *seat)
{
    int status = 0;
    enum seat_state was = seat->state;
    if (was == SEAT_LEAVING) {
        hearing_leave(seat);
    }
    unwatch(seat->host, seat->runner);
    hearing_output(seat, 1);
    if (runner_reap(seat->runner, 0, &status) != RC_OK) {
        seat_watch(seat, seat->runner->pid_fd, EPOLLIN); /* not yet after all */
        return;
    }
    seat->runner = NULL;
    if (was == SEAT_LEAVING) {
        seat->state = SEAT_EMPTY;
        seat->due_ms = clock_mono_ms();
        return;
    }
    if (seat->why[0] == '\0') {
        explain_end(seat, status);
    }
    fail_seat(seat,
              seat->doing == NULL ? "runner ended" : "plugin does not start",
              seat->why);
}

/* Whether what the runner says is for us, besides what it says at its end. */
static int
is_heard(const struct seat *seat)
{
    return seat->state == SEAT_LOADING || seat->state == SEAT_INIT ||
           seat->state == SEAT_PARKED;
}

static void
hear(struct seat *seat)
{
    struct error err;
    int rc = hearing_start(seat, &err);
    if (rc == RC_CLOSED) {
        await_end(seat, clock_mono_ms() + END_MS);
    } else if (rc != RC_OK) {
        kill_seat(seat, err.text);
    } else {
        seat_serve(seat);
    }
}

/* ---- For its squad -------------------------------------------------- */

int64_t
seat_due_ms(const struct seat *seat)
{
    switch (seat->state) {
    case SEAT_EMPTY:
        return seat->host->state == SQUAD_SERVING ? seat->due_ms : INT64_MAX;
    case SEAT_PARKED:
    case SEAT_SERVING:
        return INT64_MAX;
    case SEAT_LOADING:
    case SEAT_INIT:
    case SEAT_LEAVING:
    case SEAT_ENDING:
        break;
    }
    return seat->due_ms;
}

void
seat_on_deadline(struct seat *seat)
{
    switch (seat->state) {
    case SEAT_EMPTY:
        seat_start(seat);
        break;
    case SEAT_LOADING:
    case SEAT_INIT:
        kill_for(seat, HANDSHAKE_LATE);
        break;
    case SEAT_LEAVING:
        log_write(LOG_WARN, "plugin", "runner does not leave",
                  "plugin=%s action=kill", seat->host->plugin->config->name);
        kill_seat(seat, "");
        break;
    case SEAT_ENDING:
        kill_for(seat, HANDSHAKE_CLOSED);
        break;
    case SEAT_PARKED:
    case SEAT_SERVING:
        break;
    }
}

/* What it said before it ended says more than its end. */
static void
hear_out(struct seat *seat)
{
    for (int n = 0;
         n < LAST_WORDS_MAX && is_heard(seat) && runner_has_news(seat->runner);
         n++) {
        hear(seat);
    }
}

void
seat_on_event(struct seat *seat)
{
    int status;
    if (seat->runner == NULL || seat->state == SEAT_SERVING) {
        return; /* earlier news of this round dealt with it */
    }
    if (is_heard(seat)) {
        hear(seat);
    } else if (seat->state == SEAT_LEAVING) {
        hearing_leave(seat);
    }
    if (seat->state == SEAT_SERVING ||
        runner_ended(seat->runner, &status) != RC_OK) {
        return;
    }
    hear_out(seat);
    if (seat->state != SEAT_SERVING) {
        collect_seat(seat);
    }
}

void
seat_serve(struct seat *seat)
{
    if (seat->state == SEAT_PARKED && seat->host->state == SQUAD_SERVING) {
        hand_over(seat);
    }
}

void
seat_return(struct seat *seat, int ended, unsigned long handled)
{
    if (handled > 0) {
        seat->failures = 0;
    }
    if (ended) {
        seat->state = SEAT_ENDING;
        seat->due_ms = INT64_MAX;
        collect_seat(seat);
    } else {
        dismiss(seat);
    }
}

void
seat_recover(struct seat *seat)
{
    seat->failures = 0;
    if (seat->state == SEAT_EMPTY) {
        seat->due_ms = clock_mono_ms();
    }
}

void
seat_retire(struct seat *seat)
{
    if (seat->state == SEAT_LOADING || seat->state == SEAT_INIT) {
        kill_seat(seat, ""); /* it has handled nothing yet */
    } else if (seat->state == SEAT_PARKED) {
        dismiss(seat);
    }
}

void
seat_clear(struct seat *seat)
{
    if (seat->runner != NULL) {
        runner_kill(seat->runner);
        runner_reap(seat->runner, 1, NULL);
        seat->runner = NULL;
        seat->state = SEAT_EMPTY;
    }
}
