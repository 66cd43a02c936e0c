/* core/plugin/staging.h: the start of a stage's squads, and their end when it
 * comes to nothing; private to the supervisor, and used on the main thread
 * only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STAGING_H
#define CORE_STAGING_H

struct squad;
struct stage; /* supervisor.h */

/** Somebody who wants a stage ended. */
struct unstaging {
    struct unstaging *next;
    const struct stage *stage;
    void (*fn)(void *arg); /* called when it is so; may be NULL */
    void *arg;
};

/** Of one supervisor. Zeroed to start with; gone when nothing is asked. */
struct staging {
    struct stage *stage;          /* that is being started, or NULL */
    struct unstaging *unstagings; /* not over yet */
};

/** Begin with a stage, whose squads are in the supervisor's list. */
void staging_begin(struct staging *staging, struct stage *stage);

/** Start what may be started, and say so when that is over. */
void staging_turn(struct staging *staging, struct squad *squads);

/** Give up the stage that is being started, if there is one: what is not ready
 * has failed because of `why`. */
void staging_abandon(struct staging *staging, struct squad *squads,
                     const char *why);

/** End all squads of a stage.
 * @param unstaging  taken over; its stage is compared, and not looked into */
void staging_unstage(struct staging *staging, struct squad *squads,
                     struct unstaging *unstaging);

/** Tell those who waited for squads that are in the list no more. */
void staging_settle(struct staging *staging, const struct squad *squads);

#endif
