/* core/delivery/pool.c: the runners of one plugin, and the deliveries claimed
 * for them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/pool.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/blame.h"
#include "delivery/crew.h"
#include "delivery/recycle.h"
#include "delivery/retire.h"
#include "delivery/worker.h"
#include "error.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/generation.h"

#include <stdlib.h>
#include <string.h>

/* Deliveries asked for beyond those in work, per runner: they are at hand the
 * moment a verdict comes. */
#define PREFETCH_PER_WORKER 2

/* What a pool's workers are doing. Old ones are at work, and no more. */
struct headcount {
    unsigned idle;
    unsigned busy;   /* with an attempt in work, also if its runner is ending,
                        or old */
    unsigned trials; /* ... of these: begun while the plugin was in doubt */
    unsigned able;   /* idle, or busy and well */
};

static struct headcount
count_heads(const struct pool *pool)
{
    struct headcount heads = {0};
    for (const struct worker *w = pool->workers; w != NULL; w = w->next) {
        int is_old = w->retired != NULL;
        heads.busy += w->attempt != NULL;
        heads.idle += !is_old && w->state == WORKER_IDLE;
        heads.trials += !is_old && w->attempt != NULL && w->is_trial;
        heads.able +=
            !is_old && (w->state == WORKER_IDLE || w->state == WORKER_BUSY);
    }
    return heads;
}

/* ---- Claims at hand ------------------------------------------------- */

/* Posted before the plugin was told to take events of one mode only: those of
 * the other never reach it all the same. */
static int
is_of_other_mode(const struct pool *pool, const struct inbox_claim *claim)
{
    enum config_mode mode = pool->plugin->config->livemode;
    return (mode == CONFIG_LIVE && !claim->livemode) ||
           (mode == CONFIG_TEST && claim->livemode);
}

void
pool_queue(struct pool *pool, struct attempt *attempt)
{
    if (pool->asked > 0) {
        pool->asked--;
    }
    if (is_of_other_mode(pool, attempt->claim)) {
        attempt_pass_over(attempt, "the plugin takes events of the other mode");
        attempt_finish(attempt, pool->plugin, pool->host->inbox);
        return;
    }
    attempt->next = NULL;
    *pool->ready_end = attempt;
    pool->ready_end = &attempt->next;
    pool->ready_count++;
}

/* Take out what `at` points to, which may be NULL. */
static struct attempt *
take_ready(struct pool *pool, struct attempt **at)
{
    struct attempt *attempt = *at;
    if (attempt != NULL) {
        *at = attempt->next;
        pool->ready_count--;
        if (attempt->next == NULL) {
            pool->ready_end = at;
        }
        attempt->next = NULL;
    }
    return attempt;
}

/* The next to begin, or NULL. With the plugin in doubt one that has a clean
 * record tells most: two bad events must not keep blaming the plugin. */
static struct attempt *
next_ready(struct pool *pool)
{
    struct attempt **at = &pool->ready;
    if (health_is_wary(&pool->health)) {
        while (*at != NULL &&
               ((*at)->claim->crashes > 0 || (*at)->claim->spared > 0)) {
            at = &(*at)->next;
        }
        at = *at != NULL ? at : &pool->ready;
    }
    return take_ready(pool, at);
}

void
pool_undo_ready(struct pool *pool)
{
    struct attempt *attempt;
    while ((attempt = next_ready(pool)) != NULL) {
        attempt_undo(attempt, pool->host->inbox);
    }
}

void
pool_undo_backwards(struct pool *pool)
{
    while (pool->ready != NULL) {
        struct attempt **last = &pool->ready;
        for (struct attempt **at = last; *at != NULL; at = &(*at)->next) {
            if ((*at)->claim->seq > (*last)->claim->seq) {
                last = at;
            }
        }
        attempt_undo(take_ready(pool, last), pool->host->inbox);
    }
}

/* ---- Held ----------------------------------------------------------- */

static struct hold_time
hold_now(void)
{
    return (struct hold_time){.wall_ms = clock_wall_ms(),
                              .mono_ms = clock_mono_ms()};
}

int64_t
pool_held_ms(const struct pool *pool)
{
    return hold_total_ms(&pool->hold, clock_mono_ms());
}

/* Whatever began or ended its being held: note the time. */
static void
keep_hold(struct pool *pool)
{
    int is_held = pool->health.is_broken || hold_is_paused(&pool->hold);
    if (hold_set(&pool->hold, is_held, hold_now())) {
        inbox_keep_held(pool->host->inbox, &pool->hold.kept);
    }
}

void
pool_pause(struct pool *pool, const struct inbox_plugin *state)
{
    struct log_value reason;
    const char *name = pool->plugin->config->name;
    hold_pause(&pool->hold, state);
    atomic_store(&pool->is_paused, hold_is_paused(&pool->hold));
    if (hold_is_paused(&pool->hold)) {
        log_write(LOG_INFO, "delivery", "plugin is paused",
                  "plugin=%s until_ms=%lld reason=%s", name,
                  (long long)state->paused_until_ms,
                  log_quote(&reason, state->reason, strlen(state->reason)));
    } else {
        log_write(LOG_INFO, "delivery", "plugin is resumed", "plugin=%s", name);
    }
}

/* Whether to stand still. */
static int
stand_still(struct pool *pool)
{
    if (hold_expire(&pool->hold, clock_wall_ms())) {
        atomic_store(&pool->is_paused, 0);
        log_write(LOG_INFO, "delivery", "pause is over",
                  "plugin=%s action=resume", pool->plugin->config->name);
    }
    keep_hold(pool);
    int is_still = pool->is_leaving || hold_is_paused(&pool->hold);
    if (is_still) {
        /* Also what crashes only now: no other delivery will clear it. */
        blame_excuse(pool, "the plugin was paused");
        if (pool->asked > 0) {
            inbox_unwant(pool->host->inbox, pool->id);
            pool->asked = 0;
        }
        pool_undo_ready(pool); /* also what was just being claimed */
    }
    return is_still;
}

/* ---- Feeding -------------------------------------------------------- */

/* Never more than `concurrency` handlers of one plugin run at once. Its runners
 * alone do not see to that: those of a former generation may be at work beside
 * them, and one that is ending may be until its process is gone. */
static void
begin_ready(struct pool *pool)
{
    struct headcount heads = count_heads(pool);
    int64_t now_ms = clock_mono_ms();
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->retired == NULL && w->state == WORKER_IDLE &&
            pool->ready != NULL &&
            (int64_t)heads.busy < pool->plugin->config->concurrency &&
            health_may_begin(&pool->health, now_ms, heads.trials)) {
            crew_begin(w, next_ready(pool));
            heads.busy += w->attempt != NULL;
            heads.trials += w->attempt != NULL && w->is_trial;
        }
    }
}

static void
ask_for_more(struct pool *pool, const struct headcount *heads)
{
    unsigned room = heads->able * (1 + PREFETCH_PER_WORKER);
    unsigned have = heads->busy + pool->ready_count + pool->asked;
    if (room > have) {
        pool->asked += room - have;
        inbox_want(pool->host->inbox, pool->id, room - have);
    }
}

void
pool_feed(struct pool *pool)
{
    retire_dismiss(pool);
    recycle_dismiss(pool);
    int still = stand_still(pool);
    if (!still) {
        begin_ready(pool);
    }
    struct headcount heads = count_heads(pool);
    if (!still) {
        ask_for_more(pool, &heads);
    }
    atomic_store(&pool->runners, heads.able);
    atomic_store(&pool->running, heads.busy);
    atomic_store(&pool->is_broken, pool->health.is_broken);
}

/* ---- What runners say ----------------------------------------------- */

void
pool_on_lookup(struct pool *pool, const struct inbox_lookup *lookup)
{
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->serial == lookup->tag) {
            crew_tell(w, lookup);
            return;
        }
    }
}

void
pool_look_up(struct pool *pool, struct worker *worker, const char *key,
             size_t len)
{
    struct inbox_lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL) {
        struct inbox_lookup none = {.rc = RC_NOMEM};
        crew_tell(worker, &none);
        return;
    }
    lookup->plugin = pool->id;
    lookup->tag = worker->serial;
    lookup->key_len = len;
    memcpy(lookup->key, key, len); /* the caller has checked its length */
    inbox_look_up(pool->host->inbox, lookup);
}

void
pool_answered(struct pool *pool, struct worker *worker)
{
    struct attempt *attempt = worker_put_down(worker);
    worker->state = WORKER_IDLE;
    worker->handled++;
    attempt_finish(attempt, pool->plugin, pool->host->inbox);
    if (worker->retired == NULL) { /* nothing is known of the new version */
        blame_answered(pool);
    }
}

/* ---- Deadlines, draining, the end ----------------------------------- */

/* The earlier of `next_ms` and a time that is still to come. */
static int64_t
earlier(int64_t next_ms, int64_t time_ms, int64_t now_ms)
{
    return time_ms > now_ms && time_ms < next_ms ? time_ms : next_ms;
}

int64_t
pool_check(struct pool *pool, int late, int64_t next_ms)
{
    next_ms = crew_check(pool, late, next_ms);
    next_ms = retire_check(pool, next_ms);
    int64_t now_ms = clock_mono_ms();
    struct headcount heads = count_heads(pool);
    int is_alone = heads.idle > 0 && heads.busy == 0 && pool->ready == NULL;
    blame_settle(pool, now_ms, is_alone);
    if (pool->suspect != NULL) {
        next_ms = earlier(next_ms, pool->health.suspect_until_ms, now_ms);
    }
    if (pool->health.is_broken) {
        next_ms = earlier(next_ms, pool->health.try_at_ms, now_ms);
    }
    const struct inbox_plugin *kept = &pool->hold.kept;
    if (kept->paused_ms != 0 && kept->paused_until_ms != 0) {
        int64_t left_ms = kept->paused_until_ms - clock_wall_ms();
        next_ms = earlier(next_ms, now_ms + left_ms, now_ms);
    }
    return next_ms;
}

unsigned
pool_drain(struct pool *pool)
{
    unsigned left = 0;
    pool_undo_ready(pool);
    blame_excuse(pool, "we are stopping");
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->state == WORKER_IDLE) {
            crew_dismiss(w);
        }
        left += w->state != WORKER_RETURNED;
    }
    return left;
}

void
pool_init(struct pool *pool, struct pool_host *host,
          const struct plugin *plugin)
{
    *pool = (struct pool){.host = host, .id = plugin->id, .plugin = plugin};
    pool->ready_end = &pool->ready;
    struct inbox_plugin kept = plugin->stored;
    kept.id = plugin->id;
    if (hold_init(&pool->hold, &kept, hold_now())) {
        inbox_keep_held(host->inbox, &pool->hold.kept);
    }
    atomic_store(&pool->is_paused, hold_is_paused(&pool->hold));
}

void
pool_fini(struct pool *pool)
{
    pool_undo_ready(pool);
    blame_excuse(pool, "we are stopping");
    while (pool->workers != NULL) {
        struct worker *next = pool->workers->next;
        attempt_close(pool->workers->attempt); /* runs again at the next start*/
        free(pool->workers);
        pool->workers = next;
    }
}
