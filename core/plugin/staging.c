/* core/plugin/staging.c: the start of a stage's squads, and their end when it
 * comes to nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/staging.h"

#include "plugin/squad.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Runners that are starting at the same time: what serves needs the machine
 * too. */
#define STARTING_MAX 8

/* ---- Starting ------------------------------------------------------- */

void
staging_begin(struct staging *staging, struct stage *stage)
{
    assert(staging->stage == NULL); /* one at a time */
    staging->stage = stage;
}

/* Whether it is a squad of which it is not known yet if it starts. */
static int
is_open(const struct squad *squad)
{
    return squad->host.outcome != NULL && !squad->host.outcome->failed &&
           !squad_is_parked(squad);
}

/* One runner that does not start is enough: the plugin's others are useless. */
static void
retire_failed(struct squad *squads)
{
    for (struct squad *s = squads; s != NULL; s = s->next) {
        if (s->host.outcome != NULL && s->host.outcome->failed &&
            s->host.state == SQUAD_STAGED) {
            squad_retire(s);
        }
    }
}

static unsigned
count_starting(const struct squad *squads)
{
    unsigned count = 0;
    for (const struct squad *s = squads; s != NULL; s = s->next) {
        count += s->host.outcome != NULL ? squad_starting(s) : 0;
    }
    return count;
}

static void
start_some(struct squad *squads)
{
    for (struct squad *s = squads; s != NULL; s = s->next) {
        while (is_open(s) && count_starting(squads) < STARTING_MAX &&
               squad_start_one(s)) {
            continue;
        }
    }
}

static void
finish(struct staging *staging, struct squad *squads)
{
    struct stage *stage = staging->stage;
    staging->stage = NULL;
    for (struct squad *s = squads; s != NULL; s = s->next) {
        s->host.outcome = NULL; /* the caller's, who may free it now */
    }
    stage->done(stage->arg, stage);
}

void
staging_turn(struct staging *staging, struct squad *squads)
{
    if (staging->stage == NULL) {
        return;
    }
    retire_failed(squads);
    start_some(squads);
    retire_failed(squads);
    for (const struct squad *s = squads; s != NULL; s = s->next) {
        if (is_open(s)) {
            return;
        }
    }
    finish(staging, squads);
}

/* ---- Ending --------------------------------------------------------- */

void
staging_abandon(struct staging *staging, struct squad *squads, const char *why)
{
    if (staging->stage == NULL) {
        return;
    }
    for (struct squad *s = squads; s != NULL; s = s->next) {
        if (is_open(s)) {
            struct stage_plugin *outcome = s->host.outcome;
            outcome->failed = 1;
            snprintf(outcome->why, sizeof(outcome->why), "%s", why);
        }
    }
    retire_failed(squads);
    finish(staging, squads);
}

void
staging_unstage(struct staging *staging, struct squad *squads,
                struct unstaging *unstaging)
{
    if (staging->stage == unstaging->stage) {
        staging_abandon(staging, squads, "given up");
    }
    for (struct squad *s = squads; s != NULL; s = s->next) {
        if (s->stage == unstaging->stage) {
            s->stage = NULL;
            s->unstaging = unstaging;
            squad_retire(s);
        }
    }
    unstaging->next = staging->unstagings;
    staging->unstagings = unstaging;
}

static int
is_awaited(const struct unstaging *unstaging, const struct squad *squads)
{
    while (squads != NULL && squads->unstaging != unstaging) {
        squads = squads->next;
    }
    return squads != NULL;
}

void
staging_settle(struct staging *staging, const struct squad *squads)
{
    struct unstaging **at = &staging->unstagings;
    while (*at != NULL) {
        struct unstaging *over = *at;
        if (is_awaited(over, squads)) {
            at = &over->next;
            continue;
        }
        *at = over->next;
        if (over->fn != NULL) {
            over->fn(over->arg);
        }
        free(over);
    }
}
