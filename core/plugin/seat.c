/* core/plugin/seat.c: a place for one runner: from its start to its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/seat.h"

#include "clock.h"
#include "config/config.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
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

/* ---- Its states ------------------------------------------------------- */

static void
watch(struct seat *seat, int fd, uint32_t events)
{
    int epoll = seat->host->epoll;
    struct epoll_event event = {.events = events, .data.ptr = seat};
    if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
    }
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

static void
log_line(void *arg, const char *line, size_t len)
{
    struct seat *seat = arg;
    struct log_value text;
    unsigned dropped;
    if (!log_limit_pass(&seat->lines, &dropped)) {
        return;
    }
    log_write(LOG_WARN, "plugin", "prints", "plugin=%s text=%s",
              seat->plugin->config->name, log_quote(&text, line, len));
}

/* Leave the seat empty for a while after a failure. */
static void
pause_seat(struct seat *seat, const char *what, const char *why)
{
    int64_t pause_ms = PAUSE_FIRST_MS;
    for (unsigned n = 0; n < seat->failures && pause_ms < PAUSE_MAX_MS; n++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    seat->failures++;
    seat->state = SEAT_EMPTY;
    seat->due_ms = clock_mono_ms() + pause_ms;
    struct log_value text;
    log_write(LOG_ERROR, "plugin", what,
              "plugin=%s detail=%s action=restart_in_%lld_ms",
              seat->plugin->config->name, log_quote(&text, why, strlen(why)),
              (long long)pause_ms);
}

static void
await_end(struct seat *seat, int64_t due_ms)
{
    unwatch(seat->host, seat->runner);
    seat->state = SEAT_ENDING;
    seat->due_ms = due_ms;
    watch(seat, seat->runner->pid_fd, EPOLLIN);
}

static void
kill_seat(struct seat *seat, const char *why)
{
    snprintf(seat->why, sizeof(seat->why), "%s", why);
    runner_kill(seat->runner);
    await_end(seat, INT64_MAX);
}

static void
dismiss(struct seat *seat)
{
    runner_quit(seat->runner);
    seat->state = SEAT_LEAVING;
    seat->due_ms = clock_mono_ms() + LEAVE_MS;
    watch(seat, seat->runner->socket, EPOLLIN); /* what shutdown() says */
    watch(seat, seat->runner->output, EPOLLIN);
    watch(seat, seat->runner->pid_fd, EPOLLIN);
}

static void
start_seat(struct seat *seat)
{
    struct error err;
    if (runner_start(&seat->runner, seat->plugin->config,
                     seat->plugin->snapshot.path, &err) != RC_OK) {
        pause_seat(seat, "cannot start a runner", err.text);
        return;
    }
    seat->state = SEAT_LOADING;
    seat->served = 0;
    seat->why[0] = '\0';
    seat->due_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    watch(seat, seat->runner->socket, EPOLLIN);
    watch(seat, seat->runner->output, EPOLLIN);
    watch(seat, seat->runner->pid_fd, EPOLLIN);
}

static void
serve_seat(struct seat *seat)
{
    unwatch(seat->host, seat->runner);
    seat->state = SEAT_SERVING;
    seat->served = 1;
    seat->due_ms = INT64_MAX;
    log_write(LOG_INFO, "plugin", "runner ready",
              "plugin=%s version=\"%s\" pid=%d digest=%.12s",
              seat->plugin->config->name, seat->plugin->manifest.version,
              (int)seat->runner->pid, seat->plugin->snapshot.digest);
    seat->host->ready_fn(seat->host->ready_arg, seat->plugin, seat->runner);
}

/* ---- A starting runner speaks --------------------------------------- */

static void
hear_output(struct seat *seat)
{
    struct runner *runner = seat->runner;
    runner_output(runner, 0, log_line, seat);
    if (runner->output_ended) {
        epoll_ctl(seat->host->epoll, EPOLL_CTL_DEL, runner->output, NULL);
    }
}

static int
on_frame(struct seat *seat, struct wire_frame *frame, struct error *err)
{
    if (frame->header.type == WIRE_LOG) {
        handshake_log(frame, seat->plugin->config->name);
        return RC_OK;
    }
    if (seat->state == SEAT_LOADING) {
        struct manifest manifest = {0};
        int rc = handshake_manifest(frame, &manifest, err);
        manifest_fini(&manifest); /* the same bytes: the same manifest */
        if (rc == RC_OK) {
            rc = handshake_init(seat->runner, seat->plugin);
            watch(seat, seat->runner->socket,
                  runner_is_writing(seat->runner) ? EPOLLIN | EPOLLOUT
                                                  : EPOLLIN);
            seat->state = SEAT_INIT;
            seat->due_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
        }
        return rc;
    }
    int rc = handshake_ready(frame, err);
    if (rc == RC_OK) {
        serve_seat(seat);
    }
    return rc;
}

static void
read_seat(struct seat *seat)
{
    struct error err = {.text = "the runner spoke nonsense"};
    if (runner_is_writing(seat->runner)) {
        runner_flush(seat->runner); /* its end shows when reading */
        watch(seat, seat->runner->socket,
              runner_is_writing(seat->runner) ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    hear_output(seat);
    int received = runner_receive(seat->runner);
    int rc = RC_OK;
    while (rc == RC_OK &&
           (seat->state == SEAT_LOADING || seat->state == SEAT_INIT)) {
        struct wire_frame frame;
        rc = runner_frame(seat->runner, &frame);
        if (rc == RC_OK) {
            rc = on_frame(seat, &frame, &err);
        }
    }
    if (seat->state != SEAT_LOADING && seat->state != SEAT_INIT) {
        return;
    }
    if (rc != RC_OK && rc != RC_BUSY) {
        kill_seat(seat, err.text);
    } else if (received == RC_CLOSED) {
        await_end(seat, clock_mono_ms() + END_MS);
    } else if (received != RC_OK) {
        kill_seat(seat, err.text);
    }
}

/* What its shutdown() has to say. */
static void
hear_leaving(struct seat *seat)
{
    struct wire_frame frame;
    hear_output(seat);
    if (runner_receive(seat->runner) != RC_OK) {
        epoll_ctl(seat->host->epoll, EPOLL_CTL_DEL, seat->runner->socket, NULL);
    }
    while (runner_frame(seat->runner, &frame) == RC_OK) {
        if (frame.header.type == WIRE_LOG) {
            handshake_log(&frame, seat->plugin->config->name);
        }
    }
}

/* The process is gone: collect it, and think about the next one. */
static void
collect_seat(struct seat *seat)
{
    int status = 0;
    int served = seat->served;
    enum seat_state was = seat->state;
    if (was == SEAT_LEAVING) {
        hear_leaving(seat);
    }
    unwatch(seat->host, seat->runner);
    runner_output(seat->runner, 1, log_line, seat);
    if (runner_reap(seat->runner, 0, &status) != RC_OK) {
        watch(seat, seat->runner->pid_fd, EPOLLIN); /* not yet after all */
        return;
    }
    seat->runner = NULL;
    if (was == SEAT_LEAVING || seat->host->stopping) {
        seat->state = SEAT_EMPTY;
        seat->due_ms = seat->host->stopping ? INT64_MAX : clock_mono_ms();
        return;
    }
    if (seat->why[0] == '\0') {
        runner_describe_end(status, seat->why, sizeof(seat->why));
    }
    pause_seat(seat, served ? "runner ended" : "plugin does not start",
               seat->why);
}

void
seat_on_deadline(struct seat *seat)
{
    switch (seat->state) {
    case SEAT_EMPTY:
        if (!seat->host->stopping) {
            start_seat(seat);
        }
        break;
    case SEAT_LOADING:
    case SEAT_INIT:
        kill_seat(seat, "it takes too long");
        break;
    case SEAT_LEAVING:
        log_write(LOG_WARN, "plugin", "runner does not leave",
                  "plugin=%s action=kill", seat->plugin->config->name);
        kill_seat(seat, "");
        break;
    case SEAT_ENDING:
        kill_seat(seat, "it closed its socket");
        break;
    case SEAT_SERVING:
        break;
    }
}

void
seat_on_event(struct seat *seat)
{
    int status;
    if (seat->runner == NULL || seat->state == SEAT_SERVING) {
        return; /* earlier news of this round dealt with it */
    }
    if (seat->state == SEAT_LOADING || seat->state == SEAT_INIT) {
        read_seat(seat);
    } else if (seat->state == SEAT_LEAVING) {
        hear_leaving(seat);
    }
    if (seat->state != SEAT_SERVING && seat->runner != NULL &&
        runner_ended(seat->runner, &status) == RC_OK) {
        collect_seat(seat);
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
        collect_seat(seat);
    } else {
        dismiss(seat);
    }
}

void
seat_recover(struct seat *seat)
{
    seat->failures = 0;
    if (seat->state == SEAT_EMPTY && !seat->host->stopping) {
        seat->due_ms = clock_mono_ms();
    }
}

void
seat_stop(struct seat *seat)
{
    if (seat->state == SEAT_LOADING || seat->state == SEAT_INIT) {
        kill_seat(seat, ""); /* it has handled nothing yet */
    }
}
