/* tests/unit/switch_rig.h: a dispatcher on a real inbox, generations made by
 * hand, and runners whose other end is the test: a process that only waits to
 * be killed, and a socket over which the test gets its events.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SWITCH_RIG_H
#define TESTS_SWITCH_RIG_H

#include "inbox_rig.h"

#include "config/config.h"
#include "delivery/dispatcher.h"
#include "plugin/generation.h"
#include "plugin/runner.h"
#include "plugin/wire.h"

#include <pegboard/plugin.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define LONG_MS   60000 /* a drain that never ends by itself */
#define FAKES_MAX 64
#define FRAME_MAX 4096

/* A runner, and what it does. */
struct fake {
    struct runner *runner; /* the dispatcher's until it is returned */
    pid_t pid;
    int peer;         /* our end of its socket */
    int end;          /* an eventfd instead of its pidfd; -1 */
    char version;     /* of its plugin */
    uint64_t working; /* frame id of the event in its hands; 0: none */
    uint32_t attempt; /* ... */
    char event[EVENT_ID_MAX + 1];

    int is_returned; /* guarded by the stage's lock, as all below */
    enum dispatcher_return why;
    unsigned long handled;
};

struct switch_stage {
    struct rig *rig;
    struct dispatcher *dispatcher;
    struct generation *now; /* held */
    unsigned numbers;       /* given so far */
    pthread_mutex_t lock;
    struct fake *fakes[FAKES_MAX]; /* guarded by lock */
    size_t fake_count;             /* ... changed by the test alone */
};

/* ---- Generations ---------------------------------------------------- */

/* The next generation, with one plugin, or without any when `version` is 0. Of
 * two with the same version it is the same plugin. */
static inline struct generation *
make_generation(struct switch_stage *stage, char version, int64_t concurrency)
{
    struct generation *made = calloc(1, sizeof(*made));
    struct config *config = calloc(1, sizeof(*config));
    assert_true(made != NULL && config != NULL);
    atomic_init(&made->holders, 1);
    made->number = ++stage->numbers;
    made->config = config;
    config->plugins = calloc(1, sizeof(*config->plugins));
    made->plugins = calloc(1, sizeof(*made->plugins));
    assert_true(config->plugins != NULL && made->plugins != NULL);
    config->plugins[0] = (struct config_plugin){
        .name = "first",
        .enabled = 1,
        .concurrency = concurrency,
        .timeout_ms = LONG_MS,
        .retry_first_ms = 1,
        .retry_max_ms = 1,
        .max_attempts = 1000,
        .max_age_ms = 72LL * 3600 * 1000,
    };
    struct plugin *plugin = &made->plugins[0];
    plugin->config = &config->plugins[0];
    plugin->id = plugin->stored.id = stage->rig->plugin;
    memset(plugin->fingerprint, version, sizeof(plugin->fingerprint));
    memset(plugin->snapshot.digest, version, INBOX_DIGEST_MAX);
    made->plugin_count = version != 0;
    return made;
}

/* The stage holds only the one that serves: who still uses a former one has to
 * hold it himself. */
static inline void
switch_to(struct switch_stage *stage, char version, int64_t concurrency,
          int64_t drain_ms)
{
    struct generation *next = make_generation(stage, version, concurrency);
    assert_int_equal(dispatcher_switch(stage->dispatcher, next, drain_ms),
                     RC_OK);
    generation_drop(stage->now);
    stage->now = next;
}

/* Whatever is due to happen without us has happened. Breakers close. */
static inline void
settle(struct switch_stage *stage)
{
    struct inbox_action nothing = {.kind = INBOX_REPLAY_ALL,
                                   .now_ms = clock_wall_ms()};
    for (int round = 0; round < 3; round++) {
        assert_int_equal(
            dispatcher_switch(stage->dispatcher, stage->now, LONG_MS), RC_OK);
        assert_int_equal(inbox_act(stage->rig->inbox, &nothing), RC_OK);
    }
    assert_int_equal(dispatcher_switch(stage->dispatcher, stage->now, LONG_MS),
                     RC_OK);
}

/* ---- Runners -------------------------------------------------------- */

static inline pid_t
start_process(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    return pid;
}

/* One of the generation that serves, not handed over yet. */
static inline struct fake *
make_fake(struct switch_stage *stage)
{
    int pair[2], output[2];
    struct fake *fake = calloc(1, sizeof(*fake));
    struct runner *runner = calloc(1, sizeof(*runner));
    assert_true(fake != NULL && runner != NULL);
    assert_true(stage->fake_count < FAKES_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(pipe2(output, O_CLOEXEC | O_NONBLOCK), 0);
    close(output[1]); /* it prints nothing */
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *fake =
        (struct fake){.runner = runner,
                      .pid = start_process(),
                      .peer = pair[1],
                      .end = -1,
                      .version = (char)stage->now->plugins[0].fingerprint[0]};
    runner->pid = fake->pid;
    runner->pid_fd = pidfd_open(fake->pid, 0);
    runner->socket = pair[0];
    runner->output = output[0];
    runner->is.plugin = stage->rig->plugin;
    runner->is.generation = stage->now->number;
    memcpy(runner->is.fingerprint, stage->now->plugins[0].fingerprint,
           PLUGIN_FINGERPRINT_BYTES);
    memcpy(runner->is.digest, stage->now->plugins[0].snapshot.digest,
           sizeof(runner->is.digest));
    snprintf(runner->is.name, sizeof(runner->is.name), "first");
    pthread_mutex_lock(&stage->lock);
    stage->fakes[stage->fake_count++] = fake;
    pthread_mutex_unlock(&stage->lock);
    return fake;
}

static inline struct fake *
hire(struct switch_stage *stage)
{
    struct fake *fake = make_fake(stage);
    dispatcher_adopt(stage->dispatcher, fake->runner);
    return fake;
}

/* As hire(), but news of its end come only from tell_end(). */
static inline struct fake *
hire_undying(struct switch_stage *stage)
{
    struct fake *fake = make_fake(stage);
    close(fake->runner->pid_fd);
    fake->end = eventfd(0, EFD_CLOEXEC);
    fake->runner->pid_fd = fake->end;
    dispatcher_adopt(stage->dispatcher, fake->runner);
    return fake;
}

static inline void
tell_end(const struct fake *fake)
{
    uint64_t one = 1;
    assert_int_equal(write(fake->end, &one, sizeof(one)), sizeof(one));
}

static inline int
is_returned(struct switch_stage *stage, const struct fake *fake)
{
    pthread_mutex_lock(&stage->lock);
    int is = fake->is_returned;
    pthread_mutex_unlock(&stage->lock);
    return is;
}

/* Read the event that was sent to it, if there is one.
 * @return 1 when it has just begun */
static inline int
hear(struct fake *fake, int wait_ms)
{
    char bytes[FRAME_MAX];
    struct wire_frame frame;
    struct wire_event event;
    size_t len = 0;
    struct pollfd news = {.fd = fake->peer, .events = POLLIN};
    if (poll(&news, 1, wait_ms) != 1 || (news.revents & POLLIN) == 0) {
        return 0;
    }
    while (wire_peek(bytes, len, WIRE_PAYLOAD_MAX, &frame) == RC_BUSY) {
        ssize_t n = read(fake->peer, bytes + len, sizeof(bytes) - len);
        if (n == 0 && len == 0) {
            return 0; /* our end of a runner that was collected */
        }
        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_int_equal(len, frame.frame_bytes); /* one at a time */
    assert_int_equal(frame.header.type, WIRE_EVENT);
    assert_int_equal(wire_get_event(&frame.payload, &event), RC_OK);
    assert_int_equal(fake->working, 0);
    fake->working = frame.header.id;
    fake->attempt = event.attempt;
    snprintf(fake->event, sizeof(fake->event), "%s", event.event_id);
    return 1;
}

static inline void
expect_event(struct fake *fake, const char *id)
{
    if (!hear(fake, PATIENCE_MS)) {
        fail_msg("no event came, and it should be %s", id);
    }
    assert_string_equal(fake->event, id);
}

static inline void
expect_none(struct switch_stage *stage, struct fake *fake)
{
    settle(stage);
    if (hear(fake, 0)) {
        fail_msg("%s came, and nothing should", fake->event);
    }
}

static inline void
answer(struct fake *fake, uint32_t verdict)
{
    struct wire_writer frame = {0};
    wire_begin(&frame, WIRE_VERDICT, fake->working);
    wire_put_u32(&frame, verdict);
    wire_put_i64(&frame, -1);
    wire_put_cstr(&frame, "");
    wire_put_i64(&frame, 1);
    wire_put_u32(&frame, 0);
    assert_int_equal(wire_end(&frame), RC_OK);
    assert_int_equal(send(fake->peer, frame.bytes, frame.len, MSG_NOSIGNAL),
                     frame.len);
    wire_writer_fini(&frame);
    fake->working = 0;
}

static inline void
expect_return(struct switch_stage *stage, const struct fake *fake,
              enum dispatcher_return why)
{
    AWAIT(is_returned(stage, fake));
    assert_int_equal(fake->why, why);
}

/* It crashes with what it has in its hands. */
static inline void
crash(struct switch_stage *stage, const struct fake *fake)
{
    kill(fake->pid, SIGABRT); /* cmocka handles SIGSEGV, also there */
    expect_return(stage, fake, RETURN_ENDED);
}

/* ---- Looking -------------------------------------------------------- */

static inline struct dispatcher_status
status_of(struct switch_stage *stage)
{
    struct dispatcher_status status;
    assert_int_equal(
        dispatcher_status(stage->dispatcher, stage->rig->plugin, &status),
        RC_OK);
    return status;
}

static inline struct dispatcher_drain
drain_of(struct switch_stage *stage, unsigned generation)
{
    struct dispatcher_drain drain;
    dispatcher_draining(stage->dispatcher, generation, &drain);
    return drain;
}

/* What is asked of the one delivery, or of its attempt number `n`. */
static inline int64_t
ask_delivery(const char *column)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "SELECT %s FROM delivery", column);
    return ask_file(sql);
}

static inline int64_t
ask_attempts(const char *where)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM attempt WHERE %s", where);
    return ask_file(sql);
}

#define IS_CRASH    "outcome = 4"
#define IS_LOST     "outcome = 6"
#define BY_A_RELOAD IS_LOST " AND note LIKE 'cut short by a reload%'"
#define BY_OUR_STOP IS_LOST " AND note LIKE 'cut short by our stop%'"
#define IS_EXCUSED  IS_CRASH " AND note LIKE '%does not count%'"

/* Version 1, with `concurrency` events at hand and as many runners at work. */
static inline void
set_to_work(struct switch_stage *stage, struct fake **fakes, unsigned count)
{
    switch_to(stage, 1, count, LONG_MS);
    for (unsigned i = 0; i < count; i++) {
        char id[8];
        snprintf(id, sizeof(id), "evt_%u", i + 1);
        assert_int_equal(put_event(stage->rig, id), RC_OK);
        fakes[i] = hire(stage);
        expect_event(fakes[i], id);
    }
}

static inline void
put_more(struct switch_stage *stage, const char *id)
{
    assert_int_equal(put_event(stage->rig, id), RC_OK);
}

/* ---- Setting up ----------------------------------------------------- */

static inline void
on_return(void *arg, struct runner *runner, enum dispatcher_return why,
          unsigned long handled)
{
    struct switch_stage *stage = arg;
    pthread_mutex_lock(&stage->lock);
    for (size_t i = 0; i < stage->fake_count; i++) {
        struct fake *fake = stage->fakes[i];
        if (fake->runner == runner) {
            fake->is_returned++;
            fake->why = why;
            fake->handled = handled;
        }
    }
    pthread_mutex_unlock(&stage->lock);
}

static inline void
on_recovered(void *arg, uint32_t plugin)
{
    (void)arg;
    (void)plugin;
}

static inline int
set_stage(void **state)
{
    void *rig = NULL;
    struct switch_stage *stage = calloc(1, sizeof(*stage));
    if (stage == NULL || rig_on_sqlite(&rig) != 0) {
        return -1;
    }
    stage->rig = rig;
    pthread_mutex_init(&stage->lock, NULL);
    *state = stage;
    return dispatcher_start(&stage->dispatcher, stage->rig->inbox, on_return,
                            on_recovered, stage, NULL);
}

static inline void
stop_dispatcher(struct switch_stage *stage)
{
    dispatcher_drain(stage->dispatcher, clock_mono_ms());
    AWAIT(dispatcher_drained(stage->dispatcher));
    dispatcher_stop(stage->dispatcher);
    stage->dispatcher = NULL;
}

/* Collect those that came back. */
static inline void
dismiss_returned(struct switch_stage *stage)
{
    for (size_t i = stage->fake_count; i-- > 0;) {
        struct fake *fake = stage->fakes[i];
        if (!is_returned(stage, fake)) {
            continue;
        }
        pthread_mutex_lock(&stage->lock);
        stage->fakes[i] = stage->fakes[--stage->fake_count];
        pthread_mutex_unlock(&stage->lock);
        assert_int_equal(fake->is_returned, 1);
        close(fake->peer);
        kill(fake->pid, SIGKILL);
        runner_reap(fake->runner, 1, NULL);
        free(fake);
    }
}

/* Everybody comes back, and once. */
static inline int
clear_stage(void **state)
{
    struct switch_stage *stage = *state;
    if (stage->dispatcher != NULL) {
        stop_dispatcher(stage);
    }
    dismiss_returned(stage);
    assert_int_equal(stage->fake_count, 0);
    generation_drop(stage->now);
    void *rig = stage->rig;
    pthread_mutex_destroy(&stage->lock);
    free(stage);
    return close_rig(&rig);
}

#define SWITCH_TEST(test)                                                      \
    cmocka_unit_test_setup_teardown(test, set_stage, clear_stage)

#endif
