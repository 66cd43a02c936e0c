/* tests/unit/test_listeners.c: listeners that come and go, and secrets that
 * change, while events are sent: no answer is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "server_rig.h"

#include <errno.h>
#include <time.h>

#define ROUNDS  20
#define SENDERS 8
#define SLOW_MS 250 /* longer than it takes to accept no more */
#define WAIT_MS 15000

#define ONE  "127.0.0.1:0"
#define BOTH "127.0.0.2:0, 127.0.0.1:0" /* the new one first: server_url() */

static int
same(struct sockaddr_in a, struct sockaddr_in b)
{
    return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

/* Half of the senders have the listener that stays, half the one that comes and
 * goes. Of each half, half keep their connections, and half are slow. */
static void
no_answer_is_lost_when_listeners_come_and_go(void **state)
{
    (void)state;
    const struct sockaddr_in nowhere = {0};
    struct sender senders[SENDERS] = {0};
    rig_start(ONE);
    struct sockaddr_in home = first_address();
    unsigned threads = count_entries("/proc/self/task");
    unsigned descriptors = count_entries("/proc/self/fd");
    order(0, home);
    order(1, nowhere);
    for (int i = 0; i < SENDERS; i++) {
        senders[i].at = i / 2 % 2;
        senders[i].pause_ms = i / 4 == 0 ? 0 : SLOW_MS;
    }
    start_senders(senders, SENDERS);
    for (int round = 0; round < ROUNDS; round++) {
        reload(BOTH, "file:one", WAIT_MS);
        assert_false(same(first_address(), home));
        order(1, first_address());
        await_answers(senders, SENDERS, 1, 3);

        reload(ONE, "file:one", WAIT_MS);
        assert_true(same(first_address(), home));
        await_answers(senders, SENDERS, 0, 1);
    }
    for (int i = 0; i < SENDERS; i++) {
        if (senders[i].at == 0) {
            assert_int_equal(atomic_load(&senders[i].refused), 0);
        }
    }
    stop_senders(senders, SENDERS);
    reload(ONE, "file:one", WAIT_MS);
    /* Connections end a moment after their senders. */
    int64_t end_ms = clock_mono_ms() + PATIENCE_S * 1000;
    while (count_entries("/proc/self/fd") > descriptors &&
           clock_mono_ms() < end_ms) {
        usleep(1000);
    }
    assert_int_equal(count_entries("/proc/self/task"), threads);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    rig_stop();
}

/* Old, both, new, as in Stripe's overlap; then back. */
static void
no_event_is_refused_when_secrets_overlap(void **state)
{
    (void)state;
    struct sender senders[SENDERS] = {0};
    rig_start(ONE);
    struct generation *first = serving_hold(&rig.serving);
    order(0, first_address());
    start_senders(senders, SENDERS);
    for (int round = 0; round < ROUNDS; round++) {
        reload(ONE, "file:one, file:two", 0);
        atomic_store(&orders.second_key, round % 2 == 0);
        await_answers(senders, SENDERS, 0, 2); /* of these one had the new key*/
        reload(ONE, round % 2 == 0 ? "file:two" : "file:one", 0);
        await_answers(senders, SENDERS, 0, 1);
    }
    stop_senders(senders, SENDERS);
    int64_t end_ms = clock_mono_ms() + PATIENCE_S * 1000;
    while (atomic_load(&first->holders) > 1) { /* nobody keeps it */
        assert_true(clock_mono_ms() < end_ms);
        usleep(1000);
    }
    generation_drop(first);
    rig_stop();
}

/* ---- One listener that leaves ---------------------------------------- */

static void *
narrow_main(void *arg)
{
    (void)arg;
    reload(ONE, "file:one", WAIT_MS);
    return NULL;
}

/* Begin to take the second listener away; returns when it accepts no more. */
static pthread_t
begin_narrow(const struct sockaddr_in *address)
{
    pthread_t thread;
    int fd;
    assert_int_equal(pthread_create(&thread, NULL, narrow_main, NULL), 0);
    while ((fd = dial(address)) >= 0) {
        close(fd);
    }
    assert_int_equal(errno, ECONNREFUSED);
    return thread;
}

static int64_t
cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
open_connections_are_served_to_their_end(void **state)
{
    (void)state;
    int closes = 1;
    rig_start(ONE);
    reload(BOTH, "file:one", WAIT_MS);
    struct sockaddr_in leaving = first_address();
    int idle = dial(&leaving), fresh = dial(&leaving);
    send_event(idle, "whsec_one", "evt_1", 1, 0);
    assert_int_equal(read_answer(idle, &closes), 200);
    assert_false(closes);

    pthread_t thread = begin_narrow(&leaving);
    int64_t before_ms = cpu_ms(), begun_ms = clock_mono_ms();
    usleep(500000);
    assert_true(cpu_ms() - before_ms < 250); /* nothing turns without a rest */

    send_event(fresh, "whsec_one", "evt_2", 1, 0);
    assert_int_equal(read_answer(fresh, &closes), 200);
    assert_true(closes);
    send_event(idle, "whsec_one", "evt_3", 1, 0);
    assert_int_equal(read_answer(idle, &closes), 200);
    assert_true(closes);
    close(fresh);
    close(idle);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ms() - begun_ms < WAIT_MS / 2);
    rig_stop();
}

/* More than it has threads and places: some wait in the kernel. */
#define CROWD 300

static void
those_who_wait_are_served_too(void **state)
{
    (void)state;
    int fds[CROWD], closes;
    char id[32];
    pthread_t thread;
    rig_start(ONE);
    reload(BOTH, "file:one", WAIT_MS);
    struct sockaddr_in leaving = first_address();
    for (int i = 0; i < CROWD; i++) {
        fds[i] = dial(&leaving);
        assert_true(fds[i] >= 0);
    }
    assert_int_equal(pthread_create(&thread, NULL, narrow_main, NULL), 0);
    usleep(200000); /* time to do it wrong */
    for (int i = 0; i < CROWD; i++) {
        snprintf(id, sizeof(id), "evt_%d", i);
        send_event(fds[i], "whsec_one", id, 1, 0);
    }
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(read_answer(fds[i], &closes), 200);
        assert_true(closes);
        close(fds[i]);
    }
    pthread_join(thread, NULL);
    rig_stop();
}

static void
its_time_is_bounded(void **state)
{
    (void)state;
    rig_start(ONE);
    reload(BOTH, "file:one", WAIT_MS);
    struct sockaddr_in leaving = first_address();
    int fd = dial(&leaving);
    assert_true(fd >= 0);
    int64_t begun_ms = clock_mono_ms();
    reload(ONE, "file:one", 300); /* its sender is slow */
    assert_true(clock_mono_ms() - begun_ms < WAIT_MS / 2);
    assert_int_equal(recv(fd, &(char){0}, 1, 0), 0);
    close(fd);
    rig_stop();
}

static void
a_stop_does_not_wait_for_idle_connections(void **state)
{
    (void)state;
    rig_start(ONE);
    reload(BOTH, "file:one", WAIT_MS);
    struct sockaddr_in leaving = first_address();
    int fd = dial(&leaving);
    int64_t begun_ms = clock_mono_ms();
    pthread_t thread = begin_narrow(&leaving);
    server_refuse(rig.server);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ms() - begun_ms < WAIT_MS / 2);
    close(fd);
    rig_stop();
}

/* ---- Addresses that cannot be had ------------------------------------ */

static void
assert_not_widened(const char *listen, const char *why)
{
    struct generation *made = make_generation(listen, "file:one");
    struct sockaddr_in home = first_address();
    unsigned descriptors = count_entries("/proc/self/fd");
    struct error err = {0};
    assert_int_equal(server_widen(rig.server, made->config, &err), RC_IO);
    if (strstr(err.text, why) == NULL) {
        fail_msg("%s", err.text);
    }
    assert_true(same(first_address(), home));
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    generation_drop(made);
}

static void
a_taken_port_changes_nothing(void **state)
{
    (void)state;
    struct sockaddr_in taken = {.sin_family = AF_INET};
    socklen_t len = sizeof(taken);
    char listen_at[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    taken.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&taken, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&taken, &len);
    rig_start(ONE);
    snprintf(listen_at, sizeof(listen_at), "%s, 127.0.0.2:0, 127.0.0.1:%u", ONE,
             ntohs(taken.sin_port));
    assert_not_widened(listen_at, "(is another program, or another pegboard, "
                                  "using the port?");
    rig_stop();
    close(fd);
}

static void
an_address_cannot_change_in_place(void **state)
{
    (void)state;
    char listen_at[64];
    rig_start("0.0.0.0:0");
    unsigned port = ntohs(first_address().sin_port);
    snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", port);
    assert_not_widened(listen_at, "choose another port too, or restart");
    rig_stop();
}

static void
a_port_found_is_kept(void **state)
{
    (void)state;
    char listen_at[64];
    rig_start(ONE ", " ONE);
    struct sockaddr_in home = first_address();
    unsigned descriptors = count_entries("/proc/self/fd");
    reload(ONE ", " ONE, "file:one", WAIT_MS);
    assert_true(same(first_address(), home));
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);

    snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u",
             ntohs(home.sin_port));
    reload(listen_at, "file:one", WAIT_MS); /* and may be written down */
    assert_true(same(first_address(), home));
    reload(ONE, "file:one", WAIT_MS);
    assert_true(same(first_address(), home));
    rig_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(an_address_cannot_change_in_place),
        FOLDER_TEST(a_taken_port_changes_nothing),
        FOLDER_TEST(a_port_found_is_kept),
        FOLDER_TEST(its_time_is_bounded),
        FOLDER_TEST(a_stop_does_not_wait_for_idle_connections),
        FOLDER_TEST(those_who_wait_are_served_too),
        FOLDER_TEST(open_connections_are_served_to_their_end),
        FOLDER_TEST(no_event_is_refused_when_secrets_overlap),
        FOLDER_TEST(no_answer_is_lost_when_listeners_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
