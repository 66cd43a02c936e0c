/* core/plugin/serving.h: the generation that serves, for whoever needs it for a
 * moment.
 *
 * A request, a call of the API, a step of a job holds it from beginning to end,
 * and so sees one generation whole, whatever is committed meanwhile.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SERVING_H
#define CORE_SERVING_H

#include <pthread.h>

struct generation;

struct serving {
    pthread_mutex_t lock;
    struct generation *now; /* guarded by lock; held; NULL: none yet */
};

void serving_init(struct serving *serving);

/** The one that serves now; generation_drop() it. NULL when there is none. From
 * any thread. */
struct generation *serving_hold(struct serving *serving);

/** From now on `next` serves, which is taken over; the former one is dropped.
 */
void serving_set(struct serving *serving, struct generation *next);

void serving_fini(struct serving *serving);

#endif
