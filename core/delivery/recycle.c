/* core/delivery/recycle.c: runners that have served long enough.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/recycle.h"

#include "clock.h"
#include "config/config.h"
#include "delivery/crew.h"
#include "delivery/pool.h"
#include "delivery/worker.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define JITTER_MAX 100 /* thousandths, either way */

/* The memory of one is looked at once in this time, and only if it has worked:
 * it is a file to be read. */
#define WEIGH_MS 1000

void
recycle_init(struct recycling *recycling)
{
    uint32_t random = 0;
    (void)!getrandom(&random, sizeof(random), 0); /* 0 will do as well */
    *recycling = (struct recycling){
        .since_ms = clock_mono_ms(),
        .jitter = (int)(random % (2 * JITTER_MAX + 1)) - JITTER_MAX,
    };
}

static int64_t
with_jitter(int64_t limit, int jitter)
{
    return limit + limit * jitter / 1000;
}

/* Bytes of its memory that are in the machine's; 0 when that cannot be read. */
static int64_t
resident_bytes(pid_t pid)
{
    char path[32], text[128];
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    const char *second = strchr(text, ' ');
    return second != NULL
               ? strtoll(second, NULL, 10) * (int64_t)sysconf(_SC_PAGESIZE)
               : 0;
}

static int
is_heavy(struct worker *worker, int64_t limit, int64_t now_ms)
{
    struct recycling *recycling = &worker->recycling;
    if (recycling->weighed == worker->handled || recycling->weigh_ms > now_ms) {
        return 0;
    }
    recycling->weighed = worker->handled;
    recycling->weigh_ms = now_ms + WEIGH_MS;
    return resident_bytes(worker->runner->pid) > limit;
}

/* Why it shall go; NULL: it may stay. */
static const char *
reason_to_go(struct worker *worker, int64_t now_ms)
{
    const struct config_plugin *config = worker->pool->plugin->config;
    const struct recycling *recycling = &worker->recycling;
    int jitter = recycling->jitter;
    if (config->recycle_events > 0 &&
        (int64_t)worker->handled >=
            with_jitter(config->recycle_events, jitter)) {
        return "events";
    }
    if (config->recycle_age_ms > 0 &&
        now_ms - recycling->since_ms >=
            with_jitter(config->recycle_age_ms, jitter)) {
        return "age";
    }
    if (config->recycle_memory > 0 &&
        is_heavy(worker, config->recycle_memory, now_ms)) {
        return "memory";
    }
    return NULL;
}

void
recycle_dismiss(struct pool *pool)
{
    int64_t now_ms = clock_mono_ms();
    for (struct worker *w = pool->workers; w != NULL; w = w->next) {
        if (w->retired != NULL || w->state != WORKER_IDLE) {
            continue;
        }
        const char *why = reason_to_go(w, now_ms);
        if (why != NULL) {
            log_write(LOG_INFO, "delivery", "runner recycled",
                      "plugin=%s pid=%d why=%s handled=%lu age_s=%lld",
                      w->runner->is.name, (int)w->runner->pid, why, w->handled,
                      (long long)((now_ms - w->recycling.since_ms) / 1000));
            crew_dismiss(w);
        }
    }
}
