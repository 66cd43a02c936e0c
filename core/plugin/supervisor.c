/* core/plugin/supervisor.c: keeps `concurrency` runners of every plugin alive.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/supervisor.h"

#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
#include "plugin/probe.h"
#include "plugin/runner.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS   60000

/* A runner that was asked to leave may take this long for its shutdown(). */
#define LEAVE_MS 5000

/* One whose socket is closed may take this long to end by itself: how it ends
 * says more than a SIGKILL of ours would. */
#define END_MS 1000

enum seat_state {
    SEAT_EMPTY = 0,   /* due_ms: when to start a runner */
    SEAT_LOADING = 1, /* MANIFEST is awaited until due_ms */
    SEAT_INIT = 2,    /* READY is awaited until due_ms */
    SEAT_SERVING = 3, /* somebody else has the runner */
    SEAT_LEAVING = 4, /* QUIT was sent; killed at due_ms */
    SEAT_ENDING = 5,  /* its end is awaited; killed at due_ms */
};

/* A place for one runner. */
struct seat {
    const struct plugin *plugin;
    enum seat_state state;
    struct runner *runner;
    int64_t due_ms;           /* monotonic */
    struct log_limit lines;   /* what it prints while it starts or leaves */
    int served;               /* its runner was ready once */
    unsigned failures;        /* since the last event handled */
    char why[ERROR_TEXT_MAX]; /* why it had to be killed; "": its end tells */
};

/* A runner on its way back from another thread. */
struct homecoming {
    struct homecoming *next;
    struct runner *runner;
    int ended;
    unsigned long handled;
};

struct supervisor {
    supervisor_ready_fn *ready_fn;
    void *ready_arg;
    struct seat *seats;
    size_t seat_count;
    int epoll;
    int wake; /* eventfd, in the epoll set with a NULL pointer */
    int stopping;

    pthread_mutex_t lock;
    struct homecoming *homecomings; /* guarded by lock */
};

/* ---- One seat --------------------------------------------------------------
 */

static void
watch(struct supervisor *s, struct seat *seat, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = seat};
    if (fd >= 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &event);
    }
}

static void
unwatch(struct supervisor *s, const struct runner *runner)
{
    const int fds[] = {runner->socket, runner->output, runner->pid_fd};
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            epoll_ctl(s->epoll, EPOLL_CTL_DEL, fds[i], NULL);
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
await_end(struct supervisor *s, struct seat *seat, int64_t due_ms)
{
    unwatch(s, seat->runner);
    seat->state = SEAT_ENDING;
    seat->due_ms = due_ms;
    watch(s, seat, seat->runner->pid_fd, EPOLLIN);
}

static void
kill_seat(struct supervisor *s, struct seat *seat, const char *why)
{
    snprintf(seat->why, sizeof(seat->why), "%s", why);
    runner_kill(seat->runner);
    await_end(s, seat, INT64_MAX);
}

static void
dismiss(struct supervisor *s, struct seat *seat)
{
    runner_quit(seat->runner);
    seat->state = SEAT_LEAVING;
    seat->due_ms = clock_mono_ms() + LEAVE_MS;
    watch(s, seat, seat->runner->socket, EPOLLIN); /* what shutdown() says */
    watch(s, seat, seat->runner->output, EPOLLIN);
    watch(s, seat, seat->runner->pid_fd, EPOLLIN);
}

static void
start_seat(struct supervisor *s, struct seat *seat)
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
    watch(s, seat, seat->runner->socket, EPOLLIN);
    watch(s, seat, seat->runner->output, EPOLLIN);
    watch(s, seat, seat->runner->pid_fd, EPOLLIN);
}

static void
serve_seat(struct supervisor *s, struct seat *seat)
{
    unwatch(s, seat->runner);
    seat->state = SEAT_SERVING;
    seat->served = 1;
    seat->due_ms = INT64_MAX;
    log_write(LOG_INFO, "plugin", "runner ready",
              "plugin=%s version=\"%s\" pid=%d digest=%.12s",
              seat->plugin->config->name, seat->plugin->manifest.version,
              (int)seat->runner->pid, seat->plugin->snapshot.digest);
    s->ready_fn(s->ready_arg, seat->plugin, seat->runner);
}

/* ---- A starting runner speaks --------------------------------------- */

static int
on_frame(struct supervisor *s, struct seat *seat, struct wire_frame *frame,
         struct error *err)
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
            watch(s, seat, seat->runner->socket,
                  runner_is_writing(seat->runner) ? EPOLLIN | EPOLLOUT
                                                  : EPOLLIN);
            seat->state = SEAT_INIT;
            seat->due_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
        }
        return rc;
    }
    int rc = handshake_ready(frame, err);
    if (rc == RC_OK) {
        serve_seat(s, seat);
    }
    return rc;
}

static void
read_seat(struct supervisor *s, struct seat *seat)
{
    struct error err = {.text = "the runner spoke nonsense"};
    if (runner_is_writing(seat->runner)) {
        runner_flush(seat->runner); /* its end shows when reading */
        watch(s, seat, seat->runner->socket,
              runner_is_writing(seat->runner) ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    runner_output(seat->runner, 0, log_line, seat);
    int received = runner_receive(seat->runner);
    int rc = RC_OK;
    while (rc == RC_OK &&
           (seat->state == SEAT_LOADING || seat->state == SEAT_INIT)) {
        struct wire_frame frame;
        rc = runner_frame(seat->runner, &frame);
        if (rc == RC_OK) {
            rc = on_frame(s, seat, &frame, &err);
        }
    }
    if (seat->state != SEAT_LOADING && seat->state != SEAT_INIT) {
        return;
    }
    if (rc != RC_OK && rc != RC_BUSY) {
        kill_seat(s, seat, err.text);
    } else if (received == RC_CLOSED) {
        await_end(s, seat, clock_mono_ms() + END_MS);
    } else if (received != RC_OK) {
        kill_seat(s, seat, err.text);
    }
}

/* What its shutdown() has to say. */
static void
hear_leaving(struct supervisor *s, struct seat *seat)
{
    struct wire_frame frame;
    runner_output(seat->runner, 0, log_line, seat);
    if (runner_receive(seat->runner) != RC_OK) {
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, seat->runner->socket, NULL);
    }
    while (runner_frame(seat->runner, &frame) == RC_OK) {
        if (frame.header.type == WIRE_LOG) {
            handshake_log(&frame, seat->plugin->config->name);
        }
    }
}

/* The process is gone: collect it, and think about the next one. */
static void
collect_seat(struct supervisor *s, struct seat *seat)
{
    int status = 0;
    int served = seat->served;
    enum seat_state was = seat->state;
    if (was == SEAT_LEAVING) {
        hear_leaving(s, seat);
    }
    unwatch(s, seat->runner);
    runner_output(seat->runner, 1, log_line, seat);
    if (runner_reap(seat->runner, 0, &status) != RC_OK) {
        watch(s, seat, seat->runner->pid_fd, EPOLLIN); /* not yet after all */
        return;
    }
    seat->runner = NULL;
    if (was == SEAT_LEAVING || s->stopping) {
        seat->state = SEAT_EMPTY;
        seat->due_ms = s->stopping ? INT64_MAX : clock_mono_ms();
        return;
    }
    if (seat->why[0] == '\0') {
        runner_describe_end(status, seat->why, sizeof(seat->why));
    }
    pause_seat(seat, served ? "runner ended" : "plugin does not start",
               seat->why);
}

/* ---- All seats ------------------------------------------------------ */

static struct seat *
find_seat(struct supervisor *s, const struct runner *runner)
{
    for (size_t i = 0; i < s->seat_count; i++) {
        if (s->seats[i].runner == runner) {
            return &s->seats[i];
        }
    }
    return NULL;
}

static void
welcome(struct supervisor *s)
{
    uint64_t count;
    (void)!read(s->wake, &count, sizeof(count)); /* only resets it */
    pthread_mutex_lock(&s->lock);
    struct homecoming *home = s->homecomings;
    s->homecomings = NULL;
    pthread_mutex_unlock(&s->lock);

    while (home != NULL) {
        struct homecoming *next = home->next;
        struct seat *seat = find_seat(s, home->runner);
        if (home->handled > 0) {
            seat->failures = 0;
        }
        if (home->ended) {
            seat->state = SEAT_ENDING;
            collect_seat(s, seat);
        } else {
            dismiss(s, seat);
        }
        free(home);
        home = next;
    }
}

static void
on_deadline(struct supervisor *s, struct seat *seat)
{
    switch (seat->state) {
    case SEAT_EMPTY:
        if (!s->stopping) {
            start_seat(s, seat);
        }
        break;
    case SEAT_LOADING:
    case SEAT_INIT:
        kill_seat(s, seat, "it takes too long");
        break;
    case SEAT_LEAVING:
        log_write(LOG_WARN, "plugin", "runner does not leave",
                  "plugin=%s action=kill", seat->plugin->config->name);
        kill_seat(s, seat, "");
        break;
    case SEAT_ENDING:
        kill_seat(s, seat, "it closed its socket");
        break;
    case SEAT_SERVING:
        break;
    }
}

static void
on_event(struct supervisor *s, struct seat *seat)
{
    int status;
    if (seat->runner == NULL || seat->state == SEAT_SERVING) {
        return; /* earlier news of this round dealt with it */
    }
    if (seat->state == SEAT_LOADING || seat->state == SEAT_INIT) {
        read_seat(s, seat);
    } else if (seat->state == SEAT_LEAVING) {
        hear_leaving(s, seat);
    }
    if (seat->state != SEAT_SERVING && seat->runner != NULL &&
        runner_ended(seat->runner, &status) == RC_OK) {
        collect_seat(s, seat);
    }
}

void
supervisor_turn(struct supervisor *s)
{
    struct epoll_event events[32];
    int n = epoll_wait(s->epoll, events, 32, 0);
    welcome(s);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL) {
            on_event(s, events[i].data.ptr);
        }
    }
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < s->seat_count; i++) {
        if (s->seats[i].due_ms <= now_ms) {
            on_deadline(s, &s->seats[i]);
        }
    }
}

int
supervisor_fd(const struct supervisor *s)
{
    return s->epoll;
}

int64_t
supervisor_deadline_ms(const struct supervisor *s)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < s->seat_count; i++) {
        const struct seat *seat = &s->seats[i];
        if (seat->due_ms < next_ms &&
            !(s->stopping && seat->state == SEAT_EMPTY)) {
            next_ms = seat->due_ms;
        }
    }
    return next_ms;
}

void
supervisor_return(struct supervisor *s, const struct plugin *plugin,
                  struct runner *runner, int ended, unsigned long handled)
{
    (void)plugin; /* its seat knows */
    struct homecoming *home = calloc(1, sizeof(*home));
    if (home == NULL) {
        return; /* its seat stays taken until we stop: nothing better to do */
    }
    home->runner = runner;
    home->ended = ended;
    home->handled = handled;
    pthread_mutex_lock(&s->lock);
    home->next = s->homecomings;
    s->homecomings = home;
    pthread_mutex_unlock(&s->lock);
    uint64_t one = 1;
    (void)!write(s->wake, &one, sizeof(one)); /* full means awake already */
}

void
supervisor_stop(struct supervisor *s)
{
    s->stopping = 1;
    for (size_t i = 0; i < s->seat_count; i++) {
        struct seat *seat = &s->seats[i];
        if (seat->state == SEAT_LOADING || seat->state == SEAT_INIT) {
            kill_seat(s, seat, ""); /* it has handled nothing yet */
        }
    }
}

int
supervisor_is_empty(const struct supervisor *s)
{
    for (size_t i = 0; i < s->seat_count; i++) {
        if (s->seats[i].runner != NULL) {
            return 0;
        }
    }
    return 1;
}

/* ---- Opening and closing -------------------------------------------- */

static int
make_seats(struct supervisor *s, const struct generation *generation)
{
    size_t count = 0;
    for (size_t i = 0; i < generation->plugin_count; i++) {
        count += (size_t)generation->plugins[i].config->concurrency;
    }
    s->seats = calloc(count + 1, sizeof(*s->seats));
    if (s->seats == NULL) {
        return RC_NOMEM;
    }
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        for (int64_t n = 0; n < plugin->config->concurrency; n++) {
            s->seats[s->seat_count++].plugin = plugin;
        }
    }
    return RC_OK;
}

int
supervisor_open(struct supervisor **out, const struct generation *generation,
                supervisor_ready_fn *fn, void *arg, struct error *err)
{
    struct supervisor *s = calloc(1, sizeof(*s));
    if (s == NULL || make_seats(s, generation) != RC_OK) {
        free(s);
        return error_set(err, RC_NOMEM, "supervisor: out of memory");
    }
    s->ready_fn = fn;
    s->ready_arg = arg;
    pthread_mutex_init(&s->lock, NULL);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (s->epoll < 0 || s->wake < 0 ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &event) != 0) {
        int saved = errno;
        supervisor_close(s);
        return error_errno(err, RC_IO, saved, "supervisor: no descriptors");
    }
    *out = s;
    return RC_OK;
}

void
supervisor_close(struct supervisor *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->seat_count; i++) {
        if (s->seats[i].runner != NULL) {
            runner_kill(s->seats[i].runner);
            runner_reap(s->seats[i].runner, 1, NULL);
        }
    }
    while (s->homecomings != NULL) {
        struct homecoming *next = s->homecomings->next;
        free(s->homecomings);
        s->homecomings = next;
    }
    if (s->epoll >= 0) {
        close(s->epoll);
    }
    if (s->wake >= 0) {
        close(s->wake);
    }
    pthread_mutex_destroy(&s->lock);
    free(s->seats);
    free(s);
}
