/* core/inbox/enrol.c: enrolling a generation, as the threads see it that want
 * it. The writer does it, between two of its transactions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox/inbox.h"

#include "error.h"
#include "inbox/engine.h"
#include "inbox/writer.h"

#include <stdlib.h>
#include <string.h>

/* Queue it and wait for the writer's answer. */
static int
call_roll(struct inbox *inbox, struct inbox_roll *roll, struct error *err)
{
    roll->err = err;
    atomic_store(&roll->rc, RC_UNKNOWN);
    sem_init(&roll->finished, 0, 0);

    pthread_mutex_lock(&inbox->lock);
    int closing = inbox->closing;
    if (!closing) {
        *inbox->rolls_end = roll;
        inbox->rolls_end = &roll->next;
        pthread_cond_signal(&inbox->work);
    }
    pthread_mutex_unlock(&inbox->lock);

    int rc = RC_CLOSED;
    if (closing) {
        error_set(err, rc, "inbox: it is closing");
    } else {
        while (sem_wait(&roll->finished) != 0) {
            /* interrupted: go on waiting */
        }
        rc = atomic_load(&roll->rc);
    }
    sem_destroy(&roll->finished);
    return rc;
}

/* ---- Room for their wishes ------------------------------------------ */

/* Beforehand: once it is committed nothing may fail. */
static int
reserve_demands(struct inbox *inbox, size_t count)
{
    pthread_mutex_lock(&inbox->lock);
    size_t most = inbox->demand_count + inbox->demand_reserved + count;
    struct demand *more =
        realloc(inbox->demands, (most + 1) * sizeof(*inbox->demands));
    if (more != NULL) {
        inbox->demands = more;
        inbox->demand_reserved += count;
    }
    pthread_mutex_unlock(&inbox->lock);
    return more != NULL ? RC_OK : RC_NOMEM;
}

/* Use what was reserved, or with no plugins only give it up. */
static void
make_demands(struct inbox *inbox, const struct inbox_plugin *plugins,
             size_t count)
{
    pthread_mutex_lock(&inbox->lock);
    for (size_t i = 0; plugins != NULL && i < count; i++) {
        if (writer_demand_locked(inbox, plugins[i].id) == NULL) {
            inbox->demands[inbox->demand_count++] =
                (struct demand){.plugin = plugins[i].id};
        }
    }
    inbox->demand_reserved -= count;
    pthread_mutex_unlock(&inbox->lock);
}

/* ---- The calls ------------------------------------------------------ */

int
inbox_enrol(struct inbox *inbox, struct inbox_enrolment *enrolment,
            struct error *err)
{
    /* Copies: a transaction that fails in the end has written to them. */
    struct inbox_generation generation = *enrolment->generation;
    struct inbox_plugin *plugins =
        calloc(enrolment->count + 1, sizeof(*plugins));
    struct inbox_enrolment made = {.policies = enrolment->policies,
                                   .count = enrolment->count,
                                   .plugins = plugins,
                                   .generation = &generation};
    struct inbox_roll roll = {.enrolment = &made};
    if (plugins == NULL || reserve_demands(inbox, made.count) != RC_OK) {
        free(plugins);
        return error_set(err, RC_NOMEM, "inbox: out of memory");
    }
    int rc = call_roll(inbox, &roll, err);
    if (rc == RC_OK && made.count > 0) {
        memcpy(enrolment->plugins, plugins, made.count * sizeof(*plugins));
    }
    if (rc == RC_OK) {
        *enrolment->generation = generation;
    }
    make_demands(inbox, rc == RC_OK ? plugins : NULL, made.count);
    free(plugins);
    return rc;
}

int
inbox_generation(struct inbox *inbox, struct inbox_generation *out,
                 struct error *err)
{
    struct inbox_generation last = {0};
    struct inbox_roll roll = {.last = &last};
    int rc = call_roll(inbox, &roll, err);
    if (rc == RC_OK) {
        *out = last;
    }
    return rc;
}
