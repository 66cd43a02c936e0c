/* core/delivery/health.h: is it the event or the plugin?
 *
 * A runner that crashes, or takes too long, takes one delivery with it. That
 * delivery is the suspect, and its result waits until the plugin has been tried
 * with a different one. If that is fine, the event is blamed: the attempt
 * counts, and the third of its kind makes it a dead letter. If that crashes
 * too, the plugin is blamed: its breaker opens, no event loses an attempt, and
 * one delivery at a time tries whether it works again, after pauses of 0.5 s
 * doubled up to 60 s. The first verdict closes it.
 *
 * With nothing else to try, the event is blamed after a while. Pure: no clock,
 * no lock, no I/O.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HEALTH_H
#define CORE_HEALTH_H

#include <stdint.h>

/** Crashes of one delivery that are blamed on it make it a dead letter. */
#define HEALTH_CRASHES_MAX 3

/** With a runner waiting in vain for a different delivery for this long, there
 * is none, and the suspect is blamed. */
#define HEALTH_SUSPECT_MS 3000

#define HEALTH_PAUSE_FIRST_MS 500
#define HEALTH_PAUSE_MAX_MS   60000

/** What is to be done with the delivery that crashed. */
enum health_judgement {
    HEALTH_SUSPECT = 0, /* keep it aside until a verdict, the next crash or
                           health_settle() tells */
    HEALTH_SPARE = 1,   /* the plugin is to blame: this delivery loses nothing,
                           nor does the suspect, if there was one */
};

/** Zero it to start. */
struct health {
    int is_broken;   /* the breaker is open */
    int64_t suspect; /* seq of the delivery kept aside; 0: none */
    int64_t suspect_until_ms;
    int64_t last_crashed; /* seq; no verdict since; 0: none */
    unsigned tries;       /* failed ones since the breaker opened */
    int64_t try_at_ms;    /* while broken: no try before */
};

/** A runner died or was killed with delivery `seq` in its hands.
 * @param now_ms  monotonic; @param random  any 32 bits, for the jitter */
enum health_judgement health_crashed(struct health *health, int64_t seq,
                                     int64_t now_ms, uint32_t random);

/** A verdict came, whatever it is.
 * @return 1 when that closed the breaker, else 0; a suspect, if there was one,
 *         is to be charged */
int health_answered(struct health *health);

/**
 * Look at the clock. As long as something else is there to try, or no runner
 * to try it with, the suspect's time does not run.
 *
 * @param is_alone  a runner is idle, and nothing is in work or at hand
 * @return 1 when the suspect is to be charged: it is none any more
 */
int health_settle(struct health *health, int64_t now_ms, int is_alone);

/** Let the suspect go without a judgement. */
void health_excuse(struct health *health);

/** Whether deliveries are to begin one at a time: while broken or with a
 * suspect. */
int health_is_wary(const struct health *health);

/** Whether a delivery may begin, with `trials` in work that began warily. */
int health_may_begin(const struct health *health, int64_t now_ms,
                     unsigned trials);

#endif
