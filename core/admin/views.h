/* core/admin/views.h: a few views of the inbox, lent to whoever answers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_VIEWS_H
#define CORE_VIEWS_H

#include "inbox/view.h"

#include <pthread.h>

struct error;

/** Questions that are answered beside each other; others wait. */
#define VIEWS_MAX 3

/** How long others wait: those that have one may be waiting for the disk. */
#define VIEWS_WAIT_MS 5000

struct views {
    pthread_mutex_t lock;
    pthread_cond_t back;
    int64_t wait_ms;               /* VIEWS_WAIT_MS, but in tests */
    const char *path;              /* of the inbox; borrowed */
    struct view *views[VIEWS_MAX]; /* opened when first needed */
    int lent[VIEWS_MAX];           /* guarded by lock */
};

void views_init(struct views *views, const char *path);

/** Close them. All are back. */
void views_fini(struct views *views);

/** Take one, when it is there: views_return().
 * @param plugins  what is served, borrowed until it is back
 * @return RC_OK; RC_BUSY when none came back in time; or as view_open() */
int views_lend(struct views *views, const struct view_plugins *plugins,
               struct view **out, struct error *err);

/** Accepts NULL. */
void views_return(struct views *views, struct view *view);

#endif
