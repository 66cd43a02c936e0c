/* core/reload/reload.c: who asked for a reload, and what they are told.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/reload.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/dispatcher.h"
#include "http/server.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/serving.h"
#include "reload/answer.h"
#include "reload/change.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Beyond its time a drain may take this long, for killed processes to go. */
#define DRAIN_REST_MS 10000

enum ticket_state {
    TICKET_WAITING = 0, /* whoever asks now may share it */
    TICKET_RUNNING = 1,
    TICKET_DRAINING = 2, /* committed */
    TICKET_OVER = 3,
};

/* One reload, for all who asked for it in time. */
struct ticket {
    struct ticket *next;
    enum ticket_state state;
    unsigned holders; /* those that wait, and the list */
    struct reload_answer answer;
    int64_t committed_ms; /* monotonic */
    int64_t drain_ms;
    int64_t count; /* how many there had been with it: reload_last.count */
};

struct reload {
    struct reload_settings settings;
    struct change_host host;
    pthread_t thread;
    int wake; /* eventfd */

    pthread_mutex_t lock;
    pthread_cond_t over; /* a ticket is */
    /* Guarded by lock. */
    struct ticket *tickets; /* in the order in which they were asked for */
    struct reload_last last;
    int stop, idle;

    int has_thread;
    int is_dirty; /* only the thread's: there may be files to remove */
};

/* ---- Tickets; all with the lock held -------------------------------- */

static void
drop_ticket(struct ticket *ticket)
{
    if (--ticket->holders == 0) {
        reload_answer_fini(&ticket->answer);
        free(ticket);
    }
}

static void
end_ticket(struct reload *r, struct ticket *ticket)
{
    struct ticket **at = &r->tickets;
    while (*at != ticket) {
        at = &(*at)->next;
    }
    *at = ticket->next;
    ticket->state = TICKET_OVER;
    pthread_cond_broadcast(&r->over);
    drop_ticket(ticket);
}

/* The one of that kind that has not begun, or a new one. NULL when out of
 * memory. */
static struct ticket *
take_ticket(struct reload *r, enum reload_kind kind)
{
    struct ticket **at = &r->tickets;
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->state == TICKET_WAITING && (*at)->answer.kind == kind) {
            return *at;
        }
    }
    struct ticket *ticket = calloc(1, sizeof(*ticket));
    if (ticket != NULL) {
        ticket->answer.kind = kind;
        ticket->holders = 1;
        *at = ticket;
    }
    return ticket;
}

static struct ticket *
next_ticket(struct reload *r)
{
    struct ticket *ticket = r->tickets;
    while (ticket != NULL && ticket->state != TICKET_WAITING) {
        ticket = ticket->next;
    }
    return ticket;
}

/* ---- The thread ----------------------------------------------------- */

static void
run_ticket(struct reload *r, struct ticket *ticket)
{
    const struct reload_settings *settings = &r->settings;
    struct reload_answer *answer = &ticket->answer;
    int is_real = answer->kind != RELOAD_TRY;
    if (is_real) {
        settings->begun(settings->arg);
        (void)log_reopen(NULL);
    }
    r->is_dirty = 1;
    change_run(&r->host, answer);
    answer_log(answer);
    if (is_real) {
        settings->ended(settings->arg, answer);
    }
    ticket->committed_ms = clock_mono_ms();
    if (is_real && answer->end == RELOAD_DONE) {
        struct generation *now = serving_hold(settings->serving);
        ticket->drain_ms = now->config->drain_ms;
        server_narrow(settings->server, now->config, now->config->drain_ms);
        generation_drop(now);
    }
}

/* Look whether the former runners are gone. */
static void
check_drain(struct reload *r, struct ticket *ticket)
{
    struct reload_answer *answer = &ticket->answer;
    struct dispatcher_drain drain;
    int64_t since_ms = clock_mono_ms() - ticket->committed_ms;
    dispatcher_draining(r->settings.dispatcher, answer->generation, &drain);
    answer->killed = drain.killed;
    if (drain.left > 0 && since_ms < ticket->drain_ms + DRAIN_REST_MS) {
        return;
    }
    answer->drained_ms = drain.left == 0 ? since_ms : -1;
    if (answer->killed > 0 || drain.left > 0) {
        answer->end = RELOAD_KILLED;
        answer_log_killed(answer);
        if (ticket->count == r->last.count) { /* else another is the last */
            r->last.end = RELOAD_KILLED;
        }
    }
    end_ticket(r, ticket);
}

/* Returns whether some drain is going on. */
static int
check_drains(struct reload *r)
{
    int draining = 0;
    struct ticket *next;
    for (struct ticket *t = r->tickets; t != NULL; t = next) {
        next = t->next;
        if (t->state == TICKET_DRAINING) {
            draining = 1;
            check_drain(r, t);
        }
    }
    return draining;
}

static void
run_next(struct reload *r, struct ticket *ticket)
{
    ticket->state = TICKET_RUNNING;
    r->last.is_running = ticket->answer.kind != RELOAD_TRY;
    pthread_mutex_unlock(&r->lock);
    run_ticket(r, ticket);
    pthread_mutex_lock(&r->lock);
    r->last.is_running = 0;
    answer_note(&ticket->answer, &r->last);
    ticket->count = r->last.count;
    if (ticket->answer.kind != RELOAD_TRY &&
        ticket->answer.end == RELOAD_DONE) {
        ticket->state = TICKET_DRAINING;
    } else {
        ticket->answer.drained_ms = -1;
        end_ticket(r, ticket);
    }
}

static void
sleep_until_news(struct reload *r, int draining)
{
    struct pollfd fds[2] = {
        {.fd = r->wake, .events = POLLIN},
        {.fd = dispatcher_drain_fd(r->settings.dispatcher), .events = POLLIN}};
    uint64_t count;
    poll(fds, 2, draining ? 1000 : -1);
    for (size_t i = 0; i < 2; i++) {
        (void)!read(fds[i].fd, &count, sizeof(count)); /* only resets it */
    }
}

/* Files of what is left, or never came to serve, go when all is quiet. */
static void
sweep_when_quiet(struct reload *r)
{
    struct dispatcher_drain drain;
    dispatcher_draining(r->settings.dispatcher, 0, &drain);
    if (r->is_dirty && drain.left == 0) {
        r->is_dirty = 0;
        change_sweep(&r->host);
    }
}

/* Nothing was done for it, and nothing will be. */
static void
tell_stopped(const struct reload *r, struct reload_answer *answer)
{
    struct generation *now = serving_hold(r->settings.serving);
    answer->end = RELOAD_STOPPED;
    answer->generation = now->number;
    answer->drained_ms = -1;
    snprintf(answer->why, sizeof(answer->why), "the daemon is stopping");
    generation_drop(now);
}

static void *
reload_main(void *arg)
{
    struct reload *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        int draining = check_drains(r);
        struct ticket *ticket = next_ticket(r);
        if (ticket != NULL) {
            run_next(r, ticket);
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        sweep_when_quiet(r);
        sleep_until_news(r, draining);
        pthread_mutex_lock(&r->lock);
    }
    while (r->tickets != NULL) {
        struct ticket *ticket = r->tickets;
        ticket->answer.drained_ms = -1;
        if (ticket->state == TICKET_WAITING) {
            tell_stopped(r, &ticket->answer);
        }
        end_ticket(r, ticket);
    }
    r->idle = 1;
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- For other threads ---------------------------------------------- */

static void
wake(struct reload *r)
{
    uint64_t one = 1;
    (void)!write(r->wake, &one, sizeof(one)); /* full means awake already */
}

void
reload_poke(struct reload *r, enum reload_kind kind)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    if (!r->stop && take_ticket(r, kind) == NULL) {
        log_write(LOG_ERROR, "reload", "no memory for a reload",
                  "action=ask_again");
    }
    pthread_mutex_unlock(&r->lock);
    wake(r);
}

/* Waits with the lock held. */
static int
await_ticket(struct reload *r, const struct ticket *ticket, int64_t wait_ms)
{
    int64_t end_ms = clock_mono_ms() + wait_ms;
    const struct timespec end = {.tv_sec = end_ms / 1000,
                                 .tv_nsec = end_ms % 1000 * 1000000};
    int rc = 0;
    while (ticket->state != TICKET_OVER && rc == 0) {
        rc = pthread_cond_timedwait(&r->over, &r->lock, &end);
    }
    return ticket->state == TICKET_OVER ? RC_OK : RC_TIMEOUT;
}

static void
tell_no_memory(struct reload_answer *answer)
{
    answer->end = RELOAD_FAILED;
    snprintf(answer->why, sizeof(answer->why), "out of memory");
}

/* Wait with others for the end of a ticket; with the lock held. */
static void
share(struct reload *r, struct ticket *ticket, int64_t wait_ms,
      struct reload_answer *answer)
{
    ticket->holders++;
    wake(r);
    if (await_ticket(r, ticket, wait_ms) != RC_OK) {
        answer->end = RELOAD_LATE;
    } else if (answer_copy(answer, &ticket->answer) != RC_OK) {
        tell_no_memory(answer);
    }
    drop_ticket(ticket);
}

void
reload_ask(struct reload *r, enum reload_kind kind, int64_t wait_ms,
           struct reload_answer *answer)
{
    struct generation *now = serving_hold(r->settings.serving);
    *answer = (struct reload_answer){
        .kind = kind, .generation = now->number, .drained_ms = -1};
    generation_drop(now);
    pthread_mutex_lock(&r->lock);
    struct ticket *ticket = r->stop ? NULL : take_ticket(r, kind);
    if (ticket != NULL) {
        share(r, ticket, wait_ms, answer);
    } else if (r->stop) {
        tell_stopped(r, answer);
    } else {
        tell_no_memory(answer);
    }
    pthread_mutex_unlock(&r->lock);
}

void
reload_last(struct reload *r, struct reload_last *out)
{
    pthread_mutex_lock(&r->lock);
    *out = r->last;
    pthread_mutex_unlock(&r->lock);
}

/* ---- Starting and stopping ------------------------------------------ */

static int
open_reload(struct reload *r, struct error *err)
{
    int rc = change_host_init(&r->host, &r->settings, err);
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (rc == RC_OK && r->wake < 0) {
        rc = error_errno(err, RC_IO, errno, "reload: no descriptor");
    }
    if (rc == RC_OK) {
        int failed = pthread_create(&r->thread, NULL, reload_main, r);
        r->has_thread = failed == 0;
        if (failed != 0) {
            rc = error_errno(err, RC_IO, failed, "reload: cannot start");
        }
    }
    return rc;
}

int
reload_start(struct reload **out, const struct reload_settings *settings,
             struct error *err)
{
    struct reload *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return error_set(err, RC_NOMEM, "reload: out of memory");
    }
    r->settings = *settings;
    r->is_dirty = 1; /* what a former process left */
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->over, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&r->lock, NULL);
    int rc = open_reload(r, err);
    if (rc != RC_OK) {
        reload_close(r);
        return rc;
    }
    pthread_setname_np(r->thread, "peg-reload");
    *out = r;
    return RC_OK;
}

void
reload_stop(struct reload *r)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->stop = 1;
    pthread_mutex_unlock(&r->lock);
    change_host_stop(&r->host);
    wake(r);
}

int
reload_is_idle(struct reload *r)
{
    if (r == NULL) {
        return 1;
    }
    pthread_mutex_lock(&r->lock);
    int idle = r->idle;
    pthread_mutex_unlock(&r->lock);
    return idle;
}

void
reload_close(struct reload *r)
{
    if (r == NULL) {
        return;
    }
    if (r->has_thread) {
        pthread_join(r->thread, NULL);
    }
    change_host_fini(&r->host);
    if (r->wake >= 0) {
        close(r->wake);
    }
    pthread_cond_destroy(&r->over);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
