/* tests/unit/inbox_rig.h: a running inbox, on the model or on SQLite, with a
 * listener that collects claims, and threads that put.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INBOX_RIG_H
#define TESTS_INBOX_RIG_H

#include "inbox_fixture.h"

#include "clock.h"
#include "inbox_model.h"

#include <pthread.h>
#include <time.h>

#define PATIENCE_MS 10000 /* then what is waited for will never come */

struct rig {
    struct inbox *inbox;
    struct inbox_model *model; /* NULL on SQLite */
    uint32_t plugin;           /* one that exists */
    uint64_t commits;          /* of opening */
    struct inbox_settings settings;

    pthread_mutex_t lock; /* guards what came */
    struct inbox_claim *claims, **claims_end;
    unsigned claim_count; /* of all that came */
    struct inbox_lookup *lookups;
};

static inline void
pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Wait until it is so. */
#define AWAIT(condition)                                                       \
    for (int64_t end_ms = clock_mono_ms() + PATIENCE_MS; !(condition);) {      \
        if (clock_mono_ms() > end_ms) {                                        \
            fail_msg("never came: %s", #condition);                            \
        }                                                                      \
        pause_ms(1);                                                           \
    }

static inline void
collect(void *arg, struct inbox_claim *claims)
{
    struct rig *rig = arg;
    pthread_mutex_lock(&rig->lock);
    *rig->claims_end = claims;
    while (*rig->claims_end != NULL) {
        rig->claims_end = &(*rig->claims_end)->next;
        rig->claim_count++;
    }
    pthread_mutex_unlock(&rig->lock);
}

static inline void
collect_lookups(void *arg, struct inbox_lookup *lookups)
{
    struct rig *rig = arg;
    pthread_mutex_lock(&rig->lock);
    while (lookups != NULL) {
        struct inbox_lookup *next = lookups->next;
        lookups->next = rig->lookups;
        rig->lookups = lookups;
        lookups = next;
    }
    pthread_mutex_unlock(&rig->lock);
}

/* One that came and was not taken; NULL for none. inbox_lookups_free() it. */
static inline struct inbox_lookup *
take_lookup(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    struct inbox_lookup *lookup = rig->lookups;
    if (lookup != NULL) {
        rig->lookups = lookup->next;
        lookup->next = NULL;
    }
    pthread_mutex_unlock(&rig->lock);
    return lookup;
}

static inline struct inbox_lookup *
await_lookup(struct rig *rig)
{
    struct inbox_lookup *lookup;
    AWAIT((lookup = take_lookup(rig)) != NULL);
    return lookup;
}

/* The oldest claim that came and was not taken; NULL for none. free() it. */
static inline struct inbox_claim *
take_claim(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    struct inbox_claim *claim = rig->claims;
    if (claim != NULL) {
        rig->claims = claim->next;
        if (rig->claims == NULL) {
            rig->claims_end = &rig->claims;
        }
    }
    pthread_mutex_unlock(&rig->lock);
    return claim;
}

static inline struct inbox_claim *
await_claim(struct rig *rig)
{
    struct inbox_claim *claim;
    AWAIT((claim = take_claim(rig)) != NULL);
    return claim;
}

static inline unsigned
claims_so_far(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    unsigned count = rig->claim_count;
    pthread_mutex_unlock(&rig->lock);
    return count;
}

/* ---- Opening and closing -------------------------------------------- */

/* Let the rig hear of what comes. */
static inline void
listen_to(struct rig *rig)
{
    struct inbox_listener listener = {
        .claims = collect, .lookups = collect_lookups, .arg = rig};
    inbox_listen(rig->inbox, &listener);
}

/* Open the rig's inbox, with its settings; also after close_inbox(). */
static inline int
open_inbox(struct rig *rig)
{
    struct inbox_policy policy = {.name = "first", .digest = ""};
    rig->settings.path = inbox_path;
    if (rig->model != NULL
            ? inbox_start(&rig->inbox, &rig->model->base, &rig->settings, NULL)
            : inbox_open(&rig->inbox, &rig->settings, NULL)) {
        return -1;
    }
    listen_to(rig);
    rig->plugin = enrol_one(rig->inbox, &policy).id;
    struct inbox_stats stats;
    inbox_stats(rig->inbox, &stats);
    rig->commits = stats.commits;
    return rig->plugin != 0 ? 0 : -1;
}

static inline int
start_rig(void **state, struct rig *rig)
{
    pthread_mutex_init(&rig->lock, NULL);
    rig->claims_end = &rig->claims;
    *state = rig;
    return open_inbox(rig);
}

static inline int
rig_on_model(void **state)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    struct rig *rig = calloc(1, sizeof(*rig));
    if (rig == NULL) {
        return -1;
    }
    rig->model = inbox_model_open();
    return start_rig(state, rig);
}

static inline int
rig_on_sqlite(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    return rig == NULL || make_folder(NULL) != 0 ? -1 : start_rig(state, rig);
}

/* Close the inbox; the rows stay to be looked at. */
static inline void
close_inbox(struct rig *rig)
{
    inbox_close(rig->inbox);
    rig->inbox = NULL;
}

static inline int
close_rig(void **state)
{
    struct rig *rig = *state;
    close_inbox(rig);
    inbox_claims_free(rig->claims);
    inbox_lookups_free(rig->lookups);
    pthread_mutex_destroy(&rig->lock);
    int rc = 0;
    if (rig->model != NULL) {
        inbox_model_free(rig->model);
    } else {
        rc = remove_folder(NULL);
    }
    free(rig);
    return rc;
}

#define ON_MODEL(test)                                                         \
    {                                                                          \
#test " (model)", test, rig_on_model, close_rig, NULL                  \
    }
#define ON_SQLITE(test)                                                        \
    {                                                                          \
#test " (sqlite)", test, rig_on_sqlite, close_rig, NULL                \
    }
#define ON_BOTH(test) ON_MODEL(test), ON_SQLITE(test)

/* ---- The rows of a closed inbox ------------------------------------- */

static inline int64_t
events_in(const struct rig *rig)
{
    return rig->model != NULL ? (int64_t)inbox_model_events(rig->model)
                              : ask_file("SELECT count(*) FROM event");
}

static inline int64_t
attempts_in(const struct rig *rig)
{
    return rig->model != NULL ? (int64_t)inbox_model_attempts(rig->model)
                              : ask_file("SELECT count(*) FROM attempt");
}

/* With state -1: all. */
static inline int64_t
deliveries_in(const struct rig *rig, int state)
{
    char sql[96];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM delivery WHERE %d IN (state, -1)", state);
    return rig->model != NULL
               ? (int64_t)inbox_model_deliveries(rig->model, state)
               : ask_file(sql);
}

/* ---- Putting -------------------------------------------------------- */

/* Put event `id` for the rig's plugin, as of now; PATIENCE_MS to wait. */
static inline int
put_event(struct rig *rig, const char *id)
{
    struct arrival a;
    arrive(&a, id, 1)->received_ms = clock_wall_ms();
    a.plugins[0] = rig->plugin;
    return inbox_put(rig->inbox, &a.put, PATIENCE_MS);
}

/* One put on a thread of its own. */
struct putter {
    struct rig *rig;
    struct arrival arrival;
    int64_t wait_ms;
    int rc;
    pthread_t thread;
};

static inline void *
putter_main(void *arg)
{
    struct putter *p = arg;
    p->rc = inbox_put(p->rig->inbox, &p->arrival.put, p->wait_ms);
    return NULL;
}

static inline void
start_put(struct rig *rig, struct putter *p, const char *id, int64_t wait_ms)
{
    p->rig = rig;
    p->wait_ms = wait_ms;
    arrive(&p->arrival, id, 1)->received_ms = clock_wall_ms();
    p->arrival.plugins[0] = rig->plugin;
    assert_int_equal(pthread_create(&p->thread, NULL, putter_main, p), 0);
}

static inline int
end_put(struct putter *p)
{
    assert_int_equal(pthread_join(p->thread, NULL), 0);
    return p->rc;
}

static inline struct inbox_stats
stats_of(struct rig *rig)
{
    struct inbox_stats stats;
    inbox_stats(rig->inbox, &stats);
    return stats;
}

/* Those since the inbox was opened. */
static inline uint64_t
commits_of(struct rig *rig)
{
    return stats_of(rig).commits - rig->commits;
}

#endif
