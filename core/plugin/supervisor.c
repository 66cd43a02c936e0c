/* core/plugin/supervisor.c: keeps `concurrency` runners of every plugin alive.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/supervisor.h"

#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/seat.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What another thread brings: a runner on its way back, or, without one, the
 * news that its plugin works again. */
struct homecoming {
    struct homecoming *next;
    const struct plugin *plugin;
    struct runner *runner;
    int ended;
    unsigned long handled;
};

struct supervisor {
    struct seat_host host;
    struct seat *seats;
    size_t seat_count;
    int wake; /* eventfd, in the epoll set with a NULL pointer */

    pthread_mutex_t lock;
    /* Guarded by lock; in the order in which they happened. */
    struct homecoming *homecomings, **homecomings_end;
};

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
recover(struct supervisor *s, const struct plugin *plugin)
{
    for (size_t i = 0; i < s->seat_count; i++) {
        if (s->seats[i].plugin == plugin) {
            seat_recover(&s->seats[i]);
        }
    }
}

static void
welcome(struct supervisor *s)
{
    uint64_t count;
    (void)!read(s->wake, &count, sizeof(count)); /* only resets it */
    pthread_mutex_lock(&s->lock);
    struct homecoming *home = s->homecomings;
    s->homecomings = NULL;
    s->homecomings_end = &s->homecomings;
    pthread_mutex_unlock(&s->lock);

    while (home != NULL) {
        struct homecoming *next = home->next;
        if (home->runner == NULL) {
            recover(s, home->plugin);
        } else {
            seat_return(find_seat(s, home->runner), home->ended, home->handled);
        }
        free(home);
        home = next;
    }
}

void
supervisor_turn(struct supervisor *s)
{
    struct epoll_event events[32];
    int n = epoll_wait(s->host.epoll, events, 32, 0);
    welcome(s);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL) {
            seat_on_event(events[i].data.ptr);
        }
    }
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < s->seat_count; i++) {
        if (s->seats[i].due_ms <= now_ms) {
            seat_on_deadline(&s->seats[i]);
        }
    }
}

int
supervisor_fd(const struct supervisor *s)
{
    return s->host.epoll;
}

int64_t
supervisor_deadline_ms(const struct supervisor *s)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < s->seat_count; i++) {
        const struct seat *seat = &s->seats[i];
        if (seat->due_ms < next_ms &&
            !(s->host.stopping && seat->state == SEAT_EMPTY)) {
            next_ms = seat->due_ms;
        }
    }
    return next_ms;
}

/* Takes over a copy. Returns 0 when out of memory. */
static int
bring(struct supervisor *s, const struct homecoming *news)
{
    struct homecoming *home = malloc(sizeof(*home));
    if (home == NULL) {
        return 0;
    }
    *home = *news;
    pthread_mutex_lock(&s->lock);
    *s->homecomings_end = home;
    s->homecomings_end = &home->next;
    pthread_mutex_unlock(&s->lock);
    uint64_t one = 1;
    (void)!write(s->wake, &one, sizeof(one)); /* full means awake already */
    return 1;
}

void
supervisor_return(struct supervisor *s, const struct plugin *plugin,
                  struct runner *runner, int ended, unsigned long handled)
{
    struct homecoming news = {
        .plugin = plugin, .runner = runner, .ended = ended, .handled = handled};
    /* Without memory its seat stays taken until we stop: nothing better to do.
     */
    (void)bring(s, &news);
}

void
supervisor_recovered(struct supervisor *s, const struct plugin *plugin)
{
    struct homecoming news = {.plugin = plugin};
    (void)bring(s, &news); /* without memory they wait out their pauses */
}

void
supervisor_stop(struct supervisor *s)
{
    s->host.stopping = 1;
    for (size_t i = 0; i < s->seat_count; i++) {
        seat_stop(&s->seats[i]);
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
            s->seats[s->seat_count++] =
                (struct seat){.host = &s->host, .plugin = plugin};
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
    s->host.ready_fn = fn;
    s->host.ready_arg = arg;
    s->homecomings_end = &s->homecomings;
    pthread_mutex_init(&s->lock, NULL);
    s->host.epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (s->host.epoll < 0 || s->wake < 0 ||
        epoll_ctl(s->host.epoll, EPOLL_CTL_ADD, s->wake, &event) != 0) {
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
    if (s->host.epoll >= 0) {
        close(s->host.epoll);
    }
    if (s->wake >= 0) {
        close(s->wake);
    }
    pthread_mutex_destroy(&s->lock);
    free(s->seats);
    free(s);
}
