/* core/delivery/retire.c: old runners, those of a generation that no longer
 * serves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/retire.h"

#include "clock.h"
#include "delivery/crew.h"
#include "delivery/pool.h"
#include "delivery/worker.h"
#include "log.h"
#include "plugin/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* Its time is over. */
static void
cut_short(struct worker *worker)
{
    struct log_value event;
    if (!crew_cut_short(worker, "a reload")) {
        return; /* it has just finished, or is ending anyway */
    }
    pthread_mutex_lock(worker->pool->host->lock);
    worker->retired->killed++;
    pthread_mutex_unlock(worker->pool->host->lock);
    log_write(LOG_WARN, "delivery", "old runner takes too long",
              "plugin=%s pid=%d event=%s action=kill_and_run_again",
              worker->runner->is.name, (int)worker->runner->pid,
              worker_event(worker, &event));
}

void
retire_all(struct pool *pool, struct retirement *by, int64_t leave_by_ms)
{
    unsigned count = 0;
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->state == WORKER_RETURNED) {
            continue;
        }
        if (w->retired != NULL) {
            cut_short(w);
            continue;
        }
        w->retired = by;
        w->leave_by_ms = leave_by_ms;
        w->is_excused = pool->health.is_broken;
        count++;
    }
    pthread_mutex_lock(pool->host->lock);
    by->left += count;
    pthread_mutex_unlock(pool->host->lock);
    atomic_fetch_add(&pool->old, count);
}

void
retire_dismiss(struct pool *pool)
{
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->retired != NULL && w->state == WORKER_IDLE) {
            crew_dismiss(w);
        }
    }
}

void
retire_hasten(struct pool *pool)
{
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->retired != NULL) {
            w->leave_by_ms = clock_mono_ms();
        }
    }
}

int64_t
retire_check(struct pool *pool, int64_t next_ms)
{
    int64_t now_ms = clock_mono_ms();
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->retired == NULL || w->state != WORKER_BUSY) {
            continue;
        }
        if (w->leave_by_ms <= now_ms) {
            cut_short(w);
        } else if (w->leave_by_ms < next_ms) {
            next_ms = w->leave_by_ms;
        }
        if (w->state == WORKER_IDLE) {
            next_ms = now_ms; /* its verdict was there: it leaves now */
        }
    }
    return next_ms;
}

void
retire_gone(struct worker *worker)
{
    const struct pool_host *host = worker->pool->host;
    uint64_t one = 1;
    pthread_mutex_lock(host->lock);
    worker->retired->left--;
    pthread_mutex_unlock(host->lock);
    worker->retired = NULL; /* whose counts may be freed from now on */
    atomic_fetch_sub(&worker->pool->old, 1);
    (void)!write(host->drain_fd, &one, sizeof(one)); /* full says it as well */
}
