/* tests/unit/test_switch_storm.c: switches of every kind at any time, and never
 * more handlers at work than the version that begins one allows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "switch_rig.h"

#define STEPS        1500
#define EVENTS       400
#define MOST_AT_ONCE 4

struct storm {
    struct switch_stage *stage;
    uint64_t random;
    unsigned concurrency; /* 0: the plugin is taken out */
    char version;
    unsigned events; /* put so far */
    unsigned beside; /* times that new ones were seen beside old ones */
};

/* 0 to most - 1 (xorshift64). */
static unsigned
any(struct storm *storm, unsigned most)
{
    storm->random ^= storm->random << 13;
    storm->random ^= storm->random >> 7;
    storm->random ^= storm->random << 17;
    return (unsigned)(storm->random % most);
}

/* Hear of all that has begun. Those whose verdict we have not given and whose
 * process has not been collected are at work at once; with one of the version
 * that serves among them, which began after all the old ones, they are no more
 * than that version allows. */
static void
hear_all(struct storm *storm)
{
    struct switch_stage *stage = storm->stage;
    unsigned at_work = 0, new = 0;
    dismiss_returned(stage);
    for (size_t i = 0; i < stage->fake_count; i++) {
        if (stage->fakes[i]->working == 0) {
            hear(stage->fakes[i], 0);
        }
    }
    for (size_t i = 0; i < stage->fake_count; i++) {
        const struct fake *fake = stage->fakes[i];
        if (fake->working != 0 && !is_returned(stage, fake)) {
            at_work++;
            new += storm->concurrency > 0 && fake->version == storm->version;
        }
    }
    if (new > 0 && at_work > storm->concurrency) {
        fail_msg("%u are at work, and %u may be", at_work, storm->concurrency);
    }
    storm->beside += new > 0 && new < at_work;
}

static struct fake *
any_at_work(struct storm *storm)
{
    struct switch_stage *stage = storm->stage;
    unsigned start = any(storm, (unsigned)stage->fake_count + 1);
    for (size_t n = 0; n < stage->fake_count; n++) {
        struct fake *fake = stage->fakes[(start + n) % stage->fake_count];
        if (fake->working != 0) {
            return fake;
        }
    }
    return NULL;
}

/* Its runners, as the supervisor would start them. */
static void
hire_all(struct storm *storm)
{
    struct switch_stage *stage = storm->stage;
    unsigned there = 0;
    for (size_t i = 0; i < stage->fake_count; i++) {
        const struct fake *fake = stage->fakes[i];
        there += fake->version == storm->version && !is_returned(stage, fake);
    }
    for (; there < storm->concurrency; there++) {
        hire(stage);
    }
}

static void
switch_somehow(struct storm *storm)
{
    static const int64_t drains[] = {0, 1, 5, LONG_MS};
    int64_t drain_ms = drains[any(storm, 4)];
    unsigned kind = any(storm, 4);
    if (kind == 0) {
        storm->concurrency = 0;
        switch_to(storm->stage, 0, 1, drain_ms);
        return;
    }
    if (kind > 1 || storm->concurrency == 0) { /* else the same once more */
        storm->concurrency = 1 + any(storm, MOST_AT_ONCE);
        storm->version = (char)(storm->version % 100 + 1);
    }
    switch_to(storm->stage, storm->version, storm->concurrency, drain_ms);
}

static void
put_one(struct storm *storm)
{
    char id[16];
    if (storm->events < EVENTS) {
        snprintf(id, sizeof(id), "evt_%u", ++storm->events);
        assert_int_equal(put_event(storm->stage->rig, id), RC_OK);
    }
}

static void
step(struct storm *storm)
{
    hear_all(storm);
    struct fake *fake = any_at_work(storm);
    unsigned what = any(storm, 100);
    if (what < 30) {
        put_one(storm);
    } else if (what < 40) {
        switch_somehow(storm);
    } else if (what < 65) {
        hire_all(storm);
    } else if (fake != NULL && what < 67) {
        kill(fake->pid, SIGABRT);
    } else if (fake != NULL) {
        answer(fake, what < 90 ? PEG_DONE : PEG_RETRY);
    }
}

/* Every event ends, whatever it went through. */
static void
end_storm(struct storm *storm)
{
    storm->version = 101;
    storm->concurrency = 2;
    switch_to(storm->stage, storm->version, storm->concurrency, 0);
    hire_all(storm);
    int64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (stats_of(storm->stage->rig).closed < storm->events) {
        assert_true(clock_mono_ms() < end_ms);
        hear_all(storm);
        hire_all(storm); /* for those that still crash */
        struct fake *fake = any_at_work(storm);
        if (fake != NULL) {
            answer(fake, PEG_DONE);
        } else {
            pause_ms(1);
        }
    }
}

static void
handlers_are_never_too_many_and_every_event_ends(void **state)
{
    struct storm storm = {
        .stage = *state, .random = (uint64_t)clock_mono_us() | 1, .version = 1};
    print_message("seed %llu\n", (unsigned long long)storm.random);
    switch_to(storm.stage, 0, 1, 0);
    /* On, until it has met what it is for. */
    for (int i = 0; i < STEPS || (storm.beside == 0 && i < 20 * STEPS); i++) {
        step(&storm);
    }
    end_storm(&storm);
    assert_true(storm.beside > 0);
    AWAIT(drain_of(storm.stage, 0).left == 0);
    assert_int_equal(ask_file("SELECT count(*) FROM delivery WHERE state <> 3"),
                     0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SWITCH_TEST(handlers_are_never_too_many_and_every_event_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
