/* core/admin/views.c: a few views of the inbox, lent to whoever answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/views.h"

#include "clock.h"
#include "error.h"

#include <string.h>
#include <time.h>

void
views_init(struct views *views, const char *path)
{
    pthread_condattr_t attr;
    memset(views, 0, sizeof(*views));
    views->wait_ms = VIEWS_WAIT_MS;
    views->path = path;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&views->back, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&views->lock, NULL);
}

void
views_fini(struct views *views)
{
    for (size_t i = 0; i < VIEWS_MAX; i++) {
        view_close(views->views[i]);
    }
    pthread_cond_destroy(&views->back);
    pthread_mutex_destroy(&views->lock);
}

static size_t
free_slot_locked(const struct views *views)
{
    size_t slot = 0;
    while (slot < VIEWS_MAX && views->lent[slot]) {
        slot++;
    }
    return slot;
}

/* A slot that is free, or VIEWS_MAX when none became so in time. */
static size_t
wait_for_slot_locked(struct views *views)
{
    int64_t end_ms = clock_mono_ms() + views->wait_ms;
    const struct timespec end = {.tv_sec = end_ms / 1000,
                                 .tv_nsec = end_ms % 1000 * 1000000};
    size_t slot;
    int code = 0;
    while ((slot = free_slot_locked(views)) == VIEWS_MAX && code == 0) {
        code = pthread_cond_timedwait(&views->back, &views->lock, &end);
    }
    return slot;
}

int
views_lend(struct views *views, const struct view_plugins *plugins,
           struct view **out, struct error *err)
{
    struct view *view = NULL;
    pthread_mutex_lock(&views->lock);
    size_t slot = wait_for_slot_locked(views);
    if (slot < VIEWS_MAX) {
        views->lent[slot] = 1;
        view = views->views[slot];
    }
    pthread_mutex_unlock(&views->lock);
    if (slot == VIEWS_MAX) {
        return error_set(err, RC_BUSY,
                         "the inbox is busy: %d others wait for it", VIEWS_MAX);
    }

    int rc = view != NULL ? RC_OK : view_open(&view, views->path, err);
    pthread_mutex_lock(&views->lock);
    if (rc == RC_OK) {
        view_set_plugins(view, plugins);
        views->views[slot] = view;
    } else {
        views->lent[slot] = 0;
        pthread_cond_signal(&views->back);
    }
    pthread_mutex_unlock(&views->lock);
    if (rc == RC_OK) {
        *out = view;
    }
    return rc;
}

void
views_return(struct views *views, struct view *view)
{
    pthread_mutex_lock(&views->lock);
    for (size_t i = 0; view != NULL && i < VIEWS_MAX; i++) {
        if (views->views[i] == view) {
            view_set_plugins(view, NULL);
            views->lent[i] = 0;
            pthread_cond_signal(&views->back);
        }
    }
    pthread_mutex_unlock(&views->lock);
}
