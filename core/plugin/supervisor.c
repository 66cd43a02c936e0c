/* core/plugin/supervisor.c: keeps `concurrency` runners of every plugin alive,
 * and starts those of a new generation beside them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/supervisor.h"

#include "clock.h"
#include "config/config.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/mailbox.h"
#include "plugin/seat.h"
#include "plugin/squad.h"
#include "plugin/staging.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct supervisor {
    struct seat_host host; /* what squads are made with */
    struct staging staging;
    struct mailbox mailbox; /* in the epoll set with a NULL pointer */
    int stopping;
    atomic_uint runners;

    pthread_mutex_t lock;
    /* Changed by the main thread only, under the lock; others see the views,
     * under the lock. */
    struct squad *squads;
};

/* ---- The list of squads --------------------------------------------- */

static void
link_squad(struct supervisor *s, struct squad *squad)
{
    struct squad **end = &s->squads;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    pthread_mutex_lock(&s->lock);
    *end = squad;
    pthread_mutex_unlock(&s->lock);
}

static void
unlink_squad(struct supervisor *s, struct squad **at)
{
    pthread_mutex_lock(&s->lock);
    *at = (*at)->next;
    pthread_mutex_unlock(&s->lock);
}

/* Free retired squads whose runners have all left; once a round, when no more
 * news of their seats can come. */
static void
sweep(struct supervisor *s)
{
    struct squad **at = &s->squads;
    while (*at != NULL) {
        struct squad *squad = *at;
        if (squad->host.state != SQUAD_RETIRED || squad_runners(squad) > 0) {
            at = &squad->next;
            continue;
        }
        unlink_squad(s, at);
        if (squad->has_served && !s->stopping) {
            log_write(LOG_INFO, "plugin", "plugin retired",
                      "plugin=%s digest=%.12s generation=%u",
                      squad->host.plugin->config->name,
                      squad->host.plugin->snapshot.digest,
                      squad->host.generation->number);
        }
        squad_free(squad);
    }
}

static void
refresh_views(struct supervisor *s)
{
    unsigned runners = 0;
    pthread_mutex_lock(&s->lock);
    for (struct squad *squad = s->squads; squad != NULL; squad = squad->next) {
        squad_show(squad);
        runners += squad_runners(squad);
    }
    pthread_mutex_unlock(&s->lock);
    atomic_store(&s->runners, runners);
}

/* The one that serves a plugin, or NULL. */
static struct squad *
find_serving(struct supervisor *s, uint32_t plugin)
{
    struct squad *squad = s->squads;
    while (squad != NULL && (squad->host.state != SQUAD_SERVING ||
                             squad->host.plugin->id != plugin)) {
        squad = squad->next;
    }
    return squad;
}

/* The one that was staged for exactly this plugin of its generation, or NULL.
 */
static struct squad *
find_staged(struct supervisor *s, const struct plugin *plugin)
{
    struct squad *squad = s->squads;
    while (squad != NULL && (squad->host.state != SQUAD_STAGED ||
                             squad->host.plugin != plugin)) {
        squad = squad->next;
    }
    return squad;
}

static struct seat *
find_seat(struct supervisor *s, const struct runner *runner)
{
    struct seat *seat = NULL;
    for (struct squad *q = s->squads; q != NULL && seat == NULL; q = q->next) {
        seat = squad_seat(q, runner);
    }
    return seat;
}

/* ---- What others ask for -------------------------------------------- */

static void
begin_stage(struct supervisor *s, struct message *message)
{
    struct stage *stage = message->stage;
    staging_begin(&s->staging, stage);
    for (size_t i = 0; i < stage->count; i++) {
        struct squad *squad = message_squad(message);
        squad->stage = stage;
        squad->host.outcome = &stage->plugins[i];
        link_squad(s, squad);
    }
}

/* One plugin of the generation that serves from now on; `fresh` is an empty
 * squad for it, taken over. */
static void
switch_plugin(struct supervisor *s, struct squad *fresh)
{
    const struct plugin *plugin = fresh->host.plugin;
    struct squad *former = find_serving(s, plugin->id);
    struct squad *staged = find_staged(s, plugin);
    if (staged == NULL && former != NULL &&
        plugin_is_same(former->host.plugin, plugin)) {
        squad_follow(former, fresh->host.generation, plugin);
        squad_free(fresh);
        return;
    }
    if (staged != NULL) {
        squad_free(fresh);
        squad_serve(staged);
    } else {
        link_squad(s, fresh);
        squad_serve(fresh);
    }
}

static void
switch_generation(struct supervisor *s, struct message *message)
{
    while (message->squads != NULL) {
        switch_plugin(s, message_squad(message));
    }
    /* Whoever is not of it by now is of a plugin that changed, or is gone. */
    for (struct squad *squad = s->squads; squad != NULL; squad = squad->next) {
        if (squad->host.state == SQUAD_SERVING &&
            squad->host.generation != message->generation) {
            squad_retire(squad);
        }
    }
}

static void
take_back(struct supervisor *s, const struct message *message)
{
    struct seat *seat = find_seat(s, message->runner);
    assert(seat != NULL); /* a squad stays as long as a runner of its does */
    seat_return(seat, message->ended, message->handled);
}

static void
recover(struct supervisor *s, uint32_t plugin)
{
    struct squad *squad = find_serving(s, plugin);
    if (squad != NULL) {
        squad_recover(squad);
    }
}

/* Start no more, of whatever. */
static void
retire_all(struct supervisor *s)
{
    for (struct squad *squad = s->squads; squad != NULL; squad = squad->next) {
        squad_retire(squad);
    }
    staging_abandon(&s->staging, s->squads, "we are stopping");
}

static void
handle(struct supervisor *s, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_RETURN:
        take_back(s, message);
        break;
    case MESSAGE_RECOVERED:
        recover(s, message->plugin);
        break;
    case MESSAGE_STAGE:
        begin_stage(s, message);
        break;
    case MESSAGE_UNSTAGE:
        staging_unstage(&s->staging, s->squads, message->unstaging);
        message->unstaging = NULL;
        break;
    case MESSAGE_SWITCH:
        switch_generation(s, message);
        break;
    }
    if (s->stopping) {
        retire_all(s); /* what came with it */
    }
}

static void
read_messages(struct supervisor *s)
{
    struct message *message = mailbox_take(&s->mailbox);
    while (message != NULL) {
        struct message *next = message->next;
        handle(s, message);
        message_free(message);
        message = next;
    }
}

/* ---- The main thread ------------------------------------------------ */

void
supervisor_turn(struct supervisor *s)
{
    struct epoll_event events[32];
    int n = epoll_wait(s->host.epoll, events, 32, 0);
    read_messages(s);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL) {
            seat_on_event(events[i].data.ptr);
        }
    }
    int64_t now_ms = clock_mono_ms();
    for (struct squad *squad = s->squads; squad != NULL; squad = squad->next) {
        squad_turn(squad, now_ms);
    }
    staging_turn(&s->staging, s->squads);
    sweep(s);
    staging_settle(&s->staging, s->squads);
    refresh_views(s);
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
    for (const struct squad *q = s->squads; q != NULL; q = q->next) {
        int64_t due_ms = squad_due_ms(q);
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    return next_ms;
}

/* ---- Any thread ----------------------------------------------------- */

void
supervisor_return(struct supervisor *s, struct runner *runner, int ended,
                  unsigned long handled)
{
    const struct message message = {.kind = MESSAGE_RETURN,
                                    .runner = runner,
                                    .ended = ended,
                                    .handled = handled};
    /* Without memory its seat stays taken until we stop: nothing better to do.
     */
    (void)mailbox_post(&s->mailbox, &message);
}

void
supervisor_recovered(struct supervisor *s, uint32_t plugin)
{
    const struct message message = {.kind = MESSAGE_RECOVERED,
                                    .plugin = plugin};
    /* Without memory they wait out their pauses. */
    (void)mailbox_post(&s->mailbox, &message);
}

void
supervisor_stage(struct supervisor *s, struct stage *stage)
{
    mailbox_post_stage(&s->mailbox, &s->host, stage);
}

void
supervisor_unstage(struct supervisor *s, struct stage *stage,
                   void (*unstaged)(void *arg), void *arg)
{
    mailbox_post_unstage(&s->mailbox, stage, unstaged, arg);
}

void
supervisor_switch(struct supervisor *s, struct generation *generation)
{
    mailbox_post_switch(&s->mailbox, &s->host, generation);
}

int
supervisor_status(struct supervisor *s, uint32_t plugin,
                  struct supervisor_status *out)
{
    int rc = RC_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    for (const struct squad *q = s->squads; q != NULL; q = q->next) {
        if (q->view.is_serving && q->view.plugin == plugin) {
            *out = q->view.status;
            rc = RC_OK;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

unsigned
supervisor_runners(struct supervisor *s)
{
    return atomic_load(&s->runners);
}

/* ---- Opening and closing -------------------------------------------- */

int
supervisor_open(struct supervisor **out, supervisor_ready_fn *fn, void *arg,
                struct error *err)
{
    struct supervisor *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return error_set(err, RC_NOMEM, "supervisor: out of memory");
    }
    s->host.ready_fn = fn;
    s->host.ready_arg = arg;
    pthread_mutex_init(&s->lock, NULL);
    int rc = mailbox_init(&s->mailbox);
    s->host.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (rc != RC_OK || s->host.epoll < 0 ||
        epoll_ctl(s->host.epoll, EPOLL_CTL_ADD, s->mailbox.wake, &event) != 0) {
        int saved = errno;
        supervisor_close(s);
        return error_errno(err, RC_IO, saved, "supervisor: no descriptors");
    }
    *out = s;
    return RC_OK;
}

void
supervisor_stop(struct supervisor *s)
{
    s->stopping = 1;
    retire_all(s);
}

int
supervisor_is_empty(const struct supervisor *s)
{
    const struct squad *squad = s->squads;
    while (squad != NULL && squad_runners(squad) == 0) {
        squad = squad->next;
    }
    return squad == NULL;
}

void
supervisor_close(struct supervisor *s)
{
    if (s == NULL) {
        return;
    }
    supervisor_stop(s);
    /* Whoever is told that something is over may ask for more. */
    while (s->squads != NULL || s->staging.unstagings != NULL ||
           s->mailbox.first != NULL) {
        read_messages(s);
        for (struct squad *q = s->squads; q != NULL; q = q->next) {
            squad_clear(q);
        }
        sweep(s);
        staging_settle(&s->staging, s->squads);
    }
    if (s->host.epoll >= 0) {
        close(s->host.epoll);
    }
    mailbox_fini(&s->mailbox);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
