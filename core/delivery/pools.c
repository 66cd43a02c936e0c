/* core/delivery/pools.c: the pools of all plugins, and the switch from one
 * generation to the next.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/pools.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/attempt.h"
#include "delivery/blame.h"
#include "delivery/pool.h"
#include "delivery/retire.h"
#include "delivery/worker.h"
#include "error.h"
#include "plugin/generation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Retirements that are over and are still told one by one: whoever asks for an
 * older one has long had an answer. */
#define RETIREMENTS_KEPT 16

struct pool *
pools_find(const struct pools *pools, uint32_t plugin)
{
    struct pool *pool = pools->first;
    while (pool != NULL && pool->id != plugin) {
        pool = pool->next;
    }
    return pool;
}

/* ---- Pauses --------------------------------------------------------- */

struct pausing {
    struct pausing *next;
    struct inbox_plugin state;
};

static struct pausing *
find_pausing(const struct pools *pools, uint32_t plugin)
{
    struct pausing *pausing = pools->pausings;
    while (pausing != NULL && pausing->state.id != plugin) {
        pausing = pausing->next;
    }
    return pausing;
}

static void
keep_pausing(struct pools *pools, const struct inbox_plugin *state)
{
    struct pausing *pausing = find_pausing(pools, state->id);
    if (pausing == NULL) {
        pausing = malloc(sizeof(*pausing));
        if (pausing == NULL) {
            return; /* at the next start it is read again */
        }
        pausing->next = pools->pausings;
        pools->pausings = pausing;
    }
    pausing->state = *state;
}

void
pools_pause_locked(struct pools *pools, const struct inbox_plugin *state)
{
    struct pool *pool = pools_find(pools, state->id);
    keep_pausing(pools, state);
    if (pool != NULL) {
        pool->news = *state;
        pool->has_news = 1;
        atomic_store(&pool->is_paused, state->paused_ms != 0);
    }
}

/* It may have been paused or resumed since its plugin was enrolled. */
static void
catch_up(struct pools *pools, struct pool *fresh)
{
    struct inbox_plugin state = fresh->plugin->stored;
    pthread_mutex_lock(pools->host->lock);
    const struct pausing *pausing = find_pausing(pools, fresh->id);
    if (pausing != NULL) {
        state = pausing->state;
    }
    pthread_mutex_unlock(pools->host->lock);
    if (state.paused_ms != fresh->plugin->stored.paused_ms) {
        pool_pause(fresh, &state);
    }
}

/* ---- One plugin ----------------------------------------------------- */

/* The inbox has forgotten the crashes of another program's deliveries: those
 * that it handed out before shall not bring them back. */
static void
forget_crashes(struct pool *pool)
{
    for (struct attempt *a = pool->ready; a != NULL; a = a->next) {
        attempt_forget_crashes(a);
    }
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->attempt != NULL) {
            attempt_forget_crashes(w->attempt);
        }
    }
    if (pool->suspect != NULL) {
        attempt_forget_crashes(pool->suspect);
    }
}

/* It serves that plugin now. The generation is held before the former one is
 * dropped: they may be the same. */
static void
point_at(struct pool *pool, struct generation *generation,
         const struct plugin *plugin)
{
    struct generation *former = pool->generation;
    pool->generation = generation_hold(generation);
    pool->plugin = plugin;
    generation_drop(former);
}

static void
keep_pool(struct pool *pool, struct generation *generation,
          const struct plugin *plugin, struct retirement *by,
          int64_t leave_by_ms)
{
    const struct plugin *former = pool->plugin;
    if (!pool->is_leaving && !plugin_is_same(former, plugin)) {
        retire_all(pool, by, leave_by_ms);
    }
    if (strcmp(former->snapshot.digest, plugin->snapshot.digest) != 0) {
        forget_crashes(pool);
    }
    if (former->config->livemode != plugin->config->livemode ||
        former->config->order != plugin->config->order) {
        /* They were let through by the former rule. */
        pool_undo_backwards(pool);
    }
    pool->is_leaving = 0;
    point_at(pool, generation, plugin);
    blame_forget(pool, "the plugin was reloaded");
}

/* Its plugin is gone: the rest is done by pool_feed(), as for a pause. */
static void
leave_pool(struct pool *pool, struct retirement *by, int64_t leave_by_ms)
{
    if (pool->is_leaving) {
        return;
    }
    retire_all(pool, by, leave_by_ms);
    pool->is_leaving = 1;
    blame_forget(pool, "the plugin was taken out");
}

/* ---- All plugins ---------------------------------------------------- */

static void
free_pools(struct pool *pools)
{
    while (pools != NULL) {
        struct pool *next = pools->next;
        free(pools);
        pools = next;
    }
}

/* Memory for a pool of each plugin that has none. @return RC_OK or RC_NOMEM */
static int
make_pools(const struct pools *pools, struct generation *generation,
           struct pool **out)
{
    for (size_t i = 0; i < generation->plugin_count; i++) {
        if (pools_find(pools, generation->plugins[i].id) != NULL) {
            continue;
        }
        struct pool *pool = calloc(1, sizeof(*pool));
        if (pool == NULL) {
            free_pools(*out);
            return RC_NOMEM;
        }
        pool->plugin = &generation->plugins[i];
        pool->next = *out;
        *out = pool;
    }
    return RC_OK;
}

static void
add_pools(struct pools *pools, struct generation *generation,
          struct pool *fresh)
{
    while (fresh != NULL) {
        struct pool *next = fresh->next;
        pool_init(fresh, pools->host, fresh->plugin);
        fresh->generation = generation_hold(generation);
        pthread_mutex_lock(pools->host->lock);
        fresh->next = pools->first;
        pools->first = fresh;
        pthread_mutex_unlock(pools->host->lock);
        catch_up(pools, fresh);
        fresh = next;
    }
}

/* Those with runners left stay: their runners point at them, and there is at
 * most one for each plugin. */
static void
forget_retirements_locked(struct pools *pools)
{
    unsigned kept = 0;
    struct retirement **at = &pools->retirements;
    while (*at != NULL) {
        struct retirement *retirement = *at;
        if (retirement->left > 0 || kept++ < RETIREMENTS_KEPT) {
            at = &retirement->next;
        } else {
            pools->killed += retirement->killed;
            *at = retirement->next;
            free(retirement);
        }
    }
}

static void
note_retirement(struct pools *pools, struct retirement *retirement)
{
    if (retirement->left == 0) {
        free(retirement); /* nobody had to go */
        return;
    }
    pthread_mutex_lock(pools->host->lock);
    retirement->next = pools->retirements;
    pools->retirements = retirement;
    forget_retirements_locked(pools);
    pthread_mutex_unlock(pools->host->lock);
}

int
pools_switch(struct pools *pools, struct generation *generation,
             int64_t drain_ms)
{
    struct pool *fresh = NULL;
    struct retirement *retirement = calloc(1, sizeof(*retirement));
    if (retirement == NULL || make_pools(pools, generation, &fresh) != RC_OK) {
        free(retirement);
        return RC_NOMEM;
    }
    retirement->generation = generation->number;
    int64_t leave_by_ms = clock_mono_ms() + drain_ms;
    for (struct pool *pool = pools->first; pool != NULL; pool = pool->next) {
        const struct plugin *plugin = generation_plugin(generation, pool->id);
        if (plugin != NULL) {
            keep_pool(pool, generation, plugin, retirement, leave_by_ms);
        } else {
            leave_pool(pool, retirement, leave_by_ms);
        }
    }
    add_pools(pools, generation, fresh);
    note_retirement(pools, retirement);
    return RC_OK;
}

void
pools_sweep(struct pools *pools)
{
    struct pool **at = &pools->first;
    while (*at != NULL) {
        struct pool *pool = *at;
        if (!pool->is_leaving || pool->workers != NULL) {
            at = &pool->next;
            continue;
        }
        pthread_mutex_lock(pools->host->lock);
        *at = pool->next;
        pthread_mutex_unlock(pools->host->lock);
        pool_fini(pool);
        generation_drop(pool->generation);
        free(pool);
    }
}

void
pools_count_old_locked(const struct pools *pools, unsigned generation,
                       struct dispatcher_drain *out)
{
    *out = (struct dispatcher_drain){.killed =
                                         generation == 0 ? pools->killed : 0};
    for (const struct retirement *r = pools->retirements; r != NULL;
         r = r->next) {
        if (generation == 0 || r->generation == generation) {
            out->left += r->left;
            out->killed += r->killed;
        }
    }
}

void
pools_fini(struct pools *pools)
{
    while (pools->first != NULL) {
        struct pool *pool = pools->first;
        pools->first = pool->next;
        pool_fini(pool);
        generation_drop(pool->generation);
        free(pool);
    }
    while (pools->pausings != NULL) {
        struct pausing *next = pools->pausings->next;
        free(pools->pausings);
        pools->pausings = next;
    }
    while (pools->retirements != NULL) {
        struct retirement *next = pools->retirements->next;
        free(pools->retirements);
        pools->retirements = next;
    }
}
