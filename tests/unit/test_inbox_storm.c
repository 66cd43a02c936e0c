/* tests/unit/test_inbox_storm.c: everything at once: threads that put until
 * they are answered, a dispatcher with all verdicts, and a store that fails now
 * and then, or plugins that change all the time. Each event must end, each
 * attempt be handed out once and logged once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "inbox_rig.h"

#include <stdatomic.h>

#define PUTTERS 8
#define EACH    150 /* events of a putter */
#define EVENTS  (PUTTERS * EACH)
#define WISHES  16
#define OBJECTS 20

struct storm {
    struct rig *rig;
    unsigned seed;
    atomic_uint stored, refused;
    /* The dispatcher's, by seq. */
    unsigned tried[EVENTS + 1]; /* attempts that got a verdict */
    int in_hand[EVENTS + 1], ended[EVENTS + 1];
    unsigned results, buried, left;
};

struct storm_putter {
    struct storm *storm;
    int number;
    pthread_t thread;
};

/* On SQLite some are of one object; the model would take for ever. */
static int
put_one(struct rig *rig, const char *id, int number)
{
    struct arrival a;
    arrive(&a, id, 1)->received_ms = clock_wall_ms();
    a.plugins[0] = rig->plugin;
    if (rig->model == NULL) {
        snprintf(a.event.object_id, sizeof(a.event.object_id), "pi_%d",
                 number % OBJECTS);
    }
    return inbox_put(rig->inbox, &a.put, PATIENCE_MS);
}

static void *
put_until_answered(void *arg)
{
    struct storm_putter *p = arg;
    for (int i = 0; i < EACH; i++) {
        char id[32];
        snprintf(id, sizeof(id), "evt_%d_%d", p->number, i);
        while (put_one(p->storm->rig, id, i) != RC_OK) {
            atomic_fetch_add(&p->storm->refused, 1);
            pause_ms(1);
        }
        atomic_fetch_add(&p->storm->stored, 1);
    }
    return NULL;
}

/* Now and then commits fail, once or twice, in one way or another; some do not,
 * or nothing would ever get on. */
static void *
break_the_store(void *arg)
{
    struct storm *storm = arg;
    unsigned seed = storm->seed + 1;
    static const int codes[] = {RC_UNKNOWN, RC_UNKNOWN, RC_FULL, RC_IO};
    uint64_t commits = 0;
    while (atomic_load(&storm->stored) < EVENTS) {
        pause_ms(1);
        if (stats_of(storm->rig).commits < commits + 1) {
            continue;
        }
        commits = stats_of(storm->rig).commits;
        int rc = codes[rand_r(&seed) % 4];
        inbox_model_fail(storm->rig->model, rc,
                         rc == RC_UNKNOWN && rand_r(&seed) % 2,
                         1 + (unsigned)rand_r(&seed) % 2);
    }
    inbox_model_fail(storm->rig->model, RC_OK, 0, 0);
    return NULL;
}

/* The plugin becomes another again and again. */
static void *
enrol_for_ever(void *arg)
{
    struct storm *storm = arg;
    static const char *const digests[] = {"aa", "bb"};
    int64_t number = 1;
    for (unsigned n = 0; atomic_load(&storm->stored) < EVENTS; n++) {
        struct inbox_policy policy = {.name = "first",
                                      .order = (enum inbox_order)(n % 3),
                                      .digest = digests[n % 2]};
        struct inbox_generation last;
        if (enrol_one(storm->rig->inbox, &policy).id != storm->rig->plugin ||
            inbox_generation(storm->rig->inbox, &last, NULL) != RC_OK ||
            last.number != ++number) {
            abort();
        }
        pause_ms(2);
    }
    print_message("%lld generations\n", (long long)number);
    return NULL;
}

static struct inbox_result *
verdict(struct storm *storm, const struct inbox_claim *claim)
{
    static const enum inbox_next all[] = {INBOX_CLOSE, INBOX_CLOSE, INBOX_CLOSE,
                                          INBOX_CLOSE, INBOX_AGAIN, INBOX_AGAIN,
                                          INBOX_UNDO,  INBOX_BURY};
    enum inbox_next next = all[rand_r(&storm->seed) % 8];
    struct inbox_result *result = result_of(claim, INBOX_RETRY, next);
    result->due_ms = clock_wall_ms() + rand_r(&storm->seed) % 20;
    storm->in_hand[claim->seq] = 0;
    if (next != INBOX_UNDO) {
        storm->tried[claim->seq]++;
        storm->results++;
    }
    if (next == INBOX_CLOSE || next == INBOX_BURY) {
        storm->ended[claim->seq] = 1;
        storm->left--;
        storm->buried += next == INBOX_BURY;
    }
    return result;
}

static void
dispatch_all(struct storm *storm)
{
    struct rig *rig = storm->rig;
    storm->left = EVENTS;
    inbox_want(rig->inbox, rig->plugin, WISHES);
    while (storm->left > 0) {
        struct inbox_claim *claim = await_claim(rig);
        assert_true(claim->seq >= 1 && claim->seq <= EVENTS);
        assert_false(storm->in_hand[claim->seq]);
        assert_false(storm->ended[claim->seq]);
        assert_int_equal(claim->attempt, storm->tried[claim->seq] + 1);
        storm->in_hand[claim->seq] = 1;
        inbox_finish(rig->inbox, verdict(storm, claim));
        inbox_want(rig->inbox, rig->plugin, 1);
        free(claim);
    }
}

static void
each_event_ends_once(void **state)
{
    struct rig *rig = *state;
    static struct storm storm;
    static struct storm_putter putters[PUTTERS];
    pthread_t helper;
    memset(&storm, 0, sizeof(storm));
    storm.rig = rig;
    storm.seed = (unsigned)clock_mono_us();
    print_message("seed %u\n", storm.seed);
    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (struct storm_putter){.storm = &storm, .number = i};
        assert_int_equal(pthread_create(&putters[i].thread, NULL,
                                        put_until_answered, &putters[i]),
                         0);
    }
    assert_int_equal(
        pthread_create(&helper, NULL,
                       rig->model != NULL ? break_the_store : enrol_for_ever,
                       &storm),
        0);
    dispatch_all(&storm);
    for (int i = 0; i < PUTTERS; i++) {
        pthread_join(putters[i].thread, NULL);
    }
    pthread_join(helper, NULL);
    if (rig->model != NULL) {
        print_message("%u puts refused, %llu commits failed\n",
                      atomic_load(&storm.refused),
                      (unsigned long long)stats_of(rig).failures);
        assert_true(stats_of(rig).failures > 0);
    }
    close_inbox(rig);
    assert_int_equal(events_in(rig), EVENTS);
    assert_int_equal(attempts_in(rig), storm.results);
    assert_int_equal(deliveries_in(rig, INBOX_DEAD), storm.buried);
    assert_int_equal(deliveries_in(rig, -1), storm.buried);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(each_event_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
