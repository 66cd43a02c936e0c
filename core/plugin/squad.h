/* core/plugin/squad.h: the runners of one plugin of one generation; private to
 * the supervisor, and used on the main thread only.
 *
 *   STAGED --switch--> SERVING --another one is switched to--> RETIRED --> gone
 *     +-------------------- unstaged, or one fails -------------+
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SQUAD_H
#define CORE_SQUAD_H

#include "plugin/seat.h"
#include "plugin/supervisor.h"

#include <stddef.h>
#include <stdint.h>

/** What other threads may see of it; guarded by the supervisor's lock. */
struct squad_view {
    int is_serving; /* else the rest is not to be seen */
    uint32_t plugin;
    struct supervisor_status status;
};

struct squad {
    struct squad *next;
    struct seat_host host; /* its state, generation and plugin */
    struct seat *seats;
    size_t seat_count;
    const struct stage *stage; /* that it is of, while staged or after a failure
                                  there; its name, as it may be gone */
    const void *unstaging;     /* who waits for its end; NULL: nobody */
    int has_served;
    struct squad_view view;
};

/**
 * Make a staged one that has started no runner.
 *
 * @param host        for its first three members
 * @param generation  held by the squad
 * @return NULL when out of memory
 */
struct squad *squad_make(const struct seat_host *host,
                         struct generation *generation,
                         const struct plugin *plugin);

/** Free it; it has no runners. Accepts NULL. */
void squad_free(struct squad *squad);

/** Start the runner of one more seat of a staged squad.
 * @return 0: they are all started */
int squad_start_one(struct squad *squad);

/** Runners that are on their way to be ready. */
unsigned squad_starting(const struct squad *squad);

/** Whether every seat has a runner that is ready, and parked. */
int squad_is_parked(const struct squad *squad);

/** Runner processes there are. */
unsigned squad_runners(const struct squad *squad);

/** Hand over those that are parked, and start the others. */
void squad_serve(struct squad *squad);

/** The same plugin is in another generation now, which is held instead. */
void squad_follow(struct squad *squad, struct generation *generation,
                  const struct plugin *plugin);

/** Forget failures, and wait no longer. */
void squad_recover(struct squad *squad);

/** Start no more, and let those leave that nobody has. */
void squad_retire(struct squad *squad);

/** Kill and collect all. */
void squad_clear(struct squad *squad);

/** When squad_turn() is to be called; INT64_MAX: not at all. */
int64_t squad_due_ms(const struct squad *squad);

/** Do what is due. */
void squad_turn(struct squad *squad, int64_t now_ms);

/** The seat of that runner, or NULL. */
struct seat *squad_seat(struct squad *squad, const struct runner *runner);

/** Bring its view up to date. */
void squad_show(struct squad *squad);

#endif
