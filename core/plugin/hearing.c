/* core/plugin/hearing.c: what a runner says while nobody but its seat listens.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/hearing.h"

#include "clock.h"
#include "config/config.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
#include "plugin/probe.h"
#include "plugin/runner.h"
#include "plugin/seat.h"

#include <sys/epoll.h>

static const char *
name_of(const struct seat *seat)
{
    return seat->host->plugin->config->name;
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
    log_write(LOG_WARN, "plugin", "prints", "plugin=%s text=%s", name_of(seat),
              log_quote(&text, line, len));
}

void
hearing_output(struct seat *seat, int flush)
{
    struct runner *runner = seat->runner;
    runner_output(runner, flush, log_line, seat);
    if (runner->output_ended) {
        epoll_ctl(seat->host->epoll, EPOLL_CTL_DEL, runner->output, NULL);
    }
}

static void
watch_socket(struct seat *seat)
{
    seat_watch(seat, seat->runner->socket,
               runner_is_writing(seat->runner) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int
on_manifest(struct seat *seat, struct wire_frame *frame, struct error *err)
{
    struct manifest manifest = {0};
    int rc = handshake_manifest(frame, &manifest, err);
    manifest_fini(&manifest); /* the same bytes: the same manifest */
    if (rc != RC_OK) {
        return rc;
    }
    rc = handshake_init(seat->runner, seat->host->plugin);
    if (rc != RC_OK) {
        return error_set(err, rc, "out of memory"); /* unless it is gone */
    }
    watch_socket(seat);
    seat->state = SEAT_INIT;
    seat->doing = "init()";
    seat->due_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    return RC_OK;
}

static int
on_ready(struct seat *seat, struct wire_frame *frame, struct error *err)
{
    int rc = handshake_ready(frame, err);
    if (rc == RC_OK) {
        seat->state = SEAT_PARKED;
        seat->doing = "being idle";
        seat->due_ms = INT64_MAX;
    }
    return rc;
}

static int
on_frame(struct seat *seat, struct wire_frame *frame, struct error *err)
{
    if (frame->header.type == WIRE_LOG && seat->state == SEAT_LOADING) {
        return RC_OK; /* of its sandbox: the probe's runner said the same */
    }
    if (frame->header.type == WIRE_LOG) {
        handshake_log(frame, name_of(seat));
        return RC_OK;
    }
    if (seat->state == SEAT_LOADING) {
        return on_manifest(seat, frame, err);
    }
    if (seat->state == SEAT_INIT) {
        return on_ready(seat, frame, err);
    }
    return handshake_explain(HANDSHAKE_NONSENSE, seat->doing, 0, err);
}

int
hearing_start(struct seat *seat, struct error *err)
{
    struct runner *runner = seat->runner;
    handshake_explain(HANDSHAKE_NONSENSE, seat->doing, 0, err);
    if (runner_is_writing(runner)) {
        runner_flush(runner); /* its end shows when reading */
        watch_socket(seat);
    }
    hearing_output(seat, 0);
    int received = runner_receive(runner);
    int rc = RC_OK;
    while (rc == RC_OK) {
        struct wire_frame frame;
        rc = runner_frame(runner, &frame);
        if (rc == RC_OK) {
            rc = on_frame(seat, &frame, err);
        }
    }
    return rc == RC_BUSY ? received : rc; /* BUSY: every whole frame is taken */
}

void
hearing_leave(struct seat *seat)
{
    struct wire_frame frame;
    hearing_output(seat, 0);
    if (runner_receive(seat->runner) != RC_OK) {
        epoll_ctl(seat->host->epoll, EPOLL_CTL_DEL, seat->runner->socket, NULL);
    }
    while (runner_frame(seat->runner, &frame) == RC_OK) {
        if (frame.header.type == WIRE_LOG) {
            handshake_log(&frame, name_of(seat));
        }
    }
}
