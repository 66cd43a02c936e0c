/* core/plugin/squad.c: the runners of one plugin of one generation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/squad.h"

#include "config/config.h"
#include "plugin/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making and ending ---------------------------------------------- */

struct squad *
squad_make(const struct seat_host *host, struct generation *generation,
           const struct plugin *plugin)
{
    size_t count = (size_t)plugin->config->concurrency;
    struct squad *squad = calloc(1, sizeof(*squad));
    struct seat *seats = calloc(count, sizeof(*seats));
    if (squad == NULL || seats == NULL) {
        free(squad);
        free(seats);
        return NULL;
    }
    squad->host = (struct seat_host){
        .ready_fn = host->ready_fn,
        .ready_arg = host->ready_arg,
        .epoll = host->epoll,
        .state = SQUAD_STAGED,
        .generation = generation_hold(generation),
        .plugin = plugin,
    };
    for (size_t i = 0; i < count; i++) {
        seats[i].host = &squad->host;
    }
    squad->seats = seats;
    squad->seat_count = count;
    return squad;
}

void
squad_free(struct squad *squad)
{
    if (squad != NULL) {
        generation_drop(squad->host.generation);
        free(squad->seats);
        free(squad);
    }
}

void
squad_clear(struct squad *squad)
{
    for (size_t i = 0; i < squad->seat_count; i++) {
        seat_clear(&squad->seats[i]);
    }
}

/* ---- Its states ----------------------------------------------------- */

int
squad_start_one(struct squad *squad)
{
    for (size_t i = 0; i < squad->seat_count; i++) {
        if (squad->seats[i].state == SEAT_EMPTY) {
            seat_start(&squad->seats[i]);
            return 1;
        }
    }
    return 0;
}

void
squad_serve(struct squad *squad)
{
    squad->host.state = SQUAD_SERVING;
    squad->host.outcome = NULL;
    squad->stage = NULL;
    squad->has_served = 1;
    for (size_t i = 0; i < squad->seat_count; i++) {
        seat_serve(&squad->seats[i]);
    }
}

void
squad_follow(struct squad *squad, struct generation *generation,
             const struct plugin *plugin)
{
    struct generation *former = squad->host.generation;
    squad->host.generation = generation_hold(generation);
    squad->host.plugin = plugin;
    generation_drop(former);
    squad_recover(squad);
}

void
squad_recover(struct squad *squad)
{
    squad->host.why[0] = '\0';
    for (size_t i = 0; i < squad->seat_count; i++) {
        seat_recover(&squad->seats[i]);
    }
}

void
squad_retire(struct squad *squad)
{
    squad->host.state = SQUAD_RETIRED;
    for (size_t i = 0; i < squad->seat_count; i++) {
        seat_retire(&squad->seats[i]);
    }
}

int64_t
squad_due_ms(const struct squad *squad)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < squad->seat_count; i++) {
        int64_t due_ms = seat_due_ms(&squad->seats[i]);
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    return next_ms;
}

void
squad_turn(struct squad *squad, int64_t now_ms)
{
    for (size_t i = 0; i < squad->seat_count; i++) {
        if (seat_due_ms(&squad->seats[i]) <= now_ms) {
            seat_on_deadline(&squad->seats[i]);
        }
    }
}

/* ---- Looking -------------------------------------------------------- */

struct seat *
squad_seat(struct squad *squad, const struct runner *runner)
{
    for (size_t i = 0; i < squad->seat_count; i++) {
        if (squad->seats[i].runner == runner) {
            return &squad->seats[i];
        }
    }
    return NULL;
}

static unsigned
count_seats(const struct squad *squad, enum seat_state state)
{
    unsigned count = 0;
    for (size_t i = 0; i < squad->seat_count; i++) {
        count += squad->seats[i].state == state;
    }
    return count;
}

unsigned
squad_starting(const struct squad *squad)
{
    return count_seats(squad, SEAT_LOADING) + count_seats(squad, SEAT_INIT);
}

int
squad_is_parked(const struct squad *squad)
{
    return count_seats(squad, SEAT_PARKED) == squad->seat_count;
}

unsigned
squad_runners(const struct squad *squad)
{
    unsigned count = 0;
    for (size_t i = 0; i < squad->seat_count; i++) {
        count += squad->seats[i].runner != NULL;
    }
    return count;
}

/* One that serves has started well: it is not asked how often it failed. */
static void
show_failures(const struct squad *squad, struct supervisor_status *out)
{
    for (size_t i = 0; i < squad->seat_count; i++) {
        const struct seat *seat = &squad->seats[i];
        if (seat->failures == 0 || seat->state == SEAT_SERVING) {
            continue;
        }
        if (seat->failures > out->failures) {
            out->failures = seat->failures;
        }
        if (seat->state == SEAT_EMPTY &&
            (out->retry_at_ms == 0 || seat->due_ms < out->retry_at_ms)) {
            out->retry_at_ms = seat->due_ms;
        }
    }
    if (out->failures > 0) {
        memcpy(out->why, squad->host.why, sizeof(out->why));
    }
}

void
squad_show(struct squad *squad)
{
    struct squad_view *view = &squad->view;
    view->is_serving = squad->host.state == SQUAD_SERVING;
    if (!view->is_serving) {
        return; /* what is staged may have no number yet */
    }
    view->plugin = squad->host.plugin->id;
    view->status.wanted = (unsigned)squad->seat_count;
    view->status.serving = count_seats(squad, SEAT_SERVING);
    view->status.failures = 0;
    view->status.retry_at_ms = 0;
    view->status.why[0] = '\0';
    show_failures(squad, &view->status);
}
