/* tests/unit/inbox_random_step.h: random enrolments, and whole steps with them
 * in their middle.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_RANDOM_STEP_H
#define TESTS_INBOX_RANDOM_STEP_H

#include "inbox_random.h"

/* ---- Enrolments ----------------------------------------------------- */

static inline void
random_policy(struct inbox_policy *policy)
{
    static const char *const digests[] = {"", "aa", "bb"};
    policy->order = (enum inbox_order)below(3);
    policy->collapse_twins = below(2) == 0;
    policy->digest = digests[below(COUNT(digests))];
}

/* What a roll borrows is its own. */
static inline void
tie_roll(struct roll_call *call, int enrols, int asks)
{
    call->enrolment.policies = call->policies;
    call->enrolment.plugins = call->plugins;
    call->enrolment.generation = &call->generation;
    call->roll =
        (struct inbox_roll){.enrolment = enrols ? &call->enrolment : NULL,
                            .last = asks ? &call->last : NULL};
}

/* Enrol plugins with the policies they have, or some with others. */
static inline void
random_roll(const struct pair *pair, struct step *step, int changes)
{
    struct roll_call *call = &step->rolls[0];
    for (uint32_t i = 0; i < PLUGINS; i++) {
        struct inbox_policy *policy = &call->policies[call->enrolment.count];
        *policy = pair->policies[i];
        if (changes && below(3) == 0) {
            continue; /* not in it: keeps what it has */
        }
        if (changes && below(3) != 0) {
            random_policy(policy);
        }
        call->enrolment.count++;
    }
    call->generation = (struct inbox_generation){.number = 77, /* not read */
                                                 .previous = below(9),
                                                 .committed_ms = 78,
                                                 .is_rollback = below(2) == 0};
    snprintf(call->generation.inputs, sizeof(call->generation.inputs), "%u",
             below(100));
    int asks = below(2) == 0, enrols = !changes || below(4) != 0;
    step->rolls[1] = *call;
    for (int side = 0; side < 2; side++) {
        tie_roll(&step->rolls[side], enrols, asks);
    }
    step->roll_calls = 1;
}

/* ---- A step --------------------------------------------------------- */

static inline void
random_step(struct pair *pair, struct step *step)
{
    static const int64_t jumps[] = {DAY_MS, -DAY_MS, 700, -300};
    memset(step, 0, sizeof(*step));
    struct inbox_batch batch = {.prune.after_seq = pair->prune_after};
    if (below(12) == 0) {
        batch.jump_ms = jumps[below(COUNT(jumps))];
        pair->now_ms += batch.jump_ms;
    }
    if (below(5) == 0) {
        batch.prune.before_ms = pair->now_ms - below(30 * TIME_OF_STEP_MS);
        batch.prune.limit = 1 + below(10);
    }
    batch.now_ms = pair->now_ms;
    batch.wants = NULL;
    if (below(8) == 0) {
        random_roll(pair, step, 1);
    }
    random_puts(pair, step);
    random_results(pair, step);
    random_actions(pair, step);
    random_lookups(step);
    random_wants(pair, step);
    step->batches[0] = step->batches[1] = batch;
}

static inline int
commit_side(struct pair *pair, struct step *step, int side)
{
    struct inbox_batch *batch = &step->batches[side];
    batch->wants = step->wants[side];
    batch->want_count = step->want_count;
    batch->roll = step->roll_calls > 0 ? &step->rolls[side].roll : NULL;
    for (unsigned i = step->puts; i-- > 0;) {
        step->arrivals[side][i].put.next = batch->puts;
        batch->puts = &step->arrivals[side][i].put;
    }
    for (unsigned i = step->results; i-- > 0;) {
        step->ends[side][i].result.link = batch->results;
        batch->results = &step->ends[side][i].result;
    }
    for (unsigned i = step->actions; i-- > 0;) {
        step->deeds[side][i].action.next = batch->actions;
        batch->actions = &step->deeds[side][i].action;
    }
    for (unsigned i = step->look_ups; i-- > 0;) {
        step->lookups[side][i].next = batch->lookups;
        batch->lookups = &step->lookups[side][i];
    }
    struct inbox_engine *engine = pair->engines[side];
    struct error err = {0};
    int rc = engine->ops->commit(engine, batch, &err);
    if (rc != RC_OK && strstr(err.text, "broken") == NULL) {
        fail_msg("side %d: %s", side, err.text);
    }
    return rc;
}

#endif
