/* core/plugin/serving.c: the generation that serves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/serving.h"

#include "plugin/generation.h"

#include <stddef.h>

void
serving_init(struct serving *serving)
{
    pthread_mutex_init(&serving->lock, NULL);
    serving->now = NULL;
}

struct generation *
serving_hold(struct serving *serving)
{
    pthread_mutex_lock(&serving->lock);
    struct generation *now = serving->now;
    if (now != NULL) {
        generation_hold(now);
    }
    pthread_mutex_unlock(&serving->lock);
    return now;
}

void
serving_set(struct serving *serving, struct generation *next)
{
    pthread_mutex_lock(&serving->lock);
    struct generation *former = serving->now;
    serving->now = next;
    pthread_mutex_unlock(&serving->lock);
    generation_drop(former);
}

void
serving_fini(struct serving *serving)
{
    serving_set(serving, NULL);
    pthread_mutex_destroy(&serving->lock);
}
