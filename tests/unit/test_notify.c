/* tests/unit/test_notify.c: what is said to a service manager.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "notify.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define THREADS    4
#define EACH_SENDS 200

static struct notify notify;
static int manager; /* the other end */
static char heard[1024];

static int
setup(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    snprintf(name, sizeof(name), "@pegboard-test-notify-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    if (manager < 0 ||
        bind(manager, (const struct sockaddr *)&address, size) != 0 ||
        setenv("NOTIFY_SOCKET", name, 1) != 0) {
        return -1;
    }
    notify_init(&notify);
    return notify.socket >= 0 && getenv("NOTIFY_SOCKET") == NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    notify_fini(&notify);
    return close(manager);
}

/* The next datagram; "" for none. */
static const char *
hear(void)
{
    ssize_t len = recv(manager, heard, sizeof(heard) - 1, MSG_DONTWAIT);
    heard[len > 0 ? len : 0] = '\0';
    return heard;
}

static void
ready_comes_with_a_status(void **state)
{
    (void)state;
    notify_ready(&notify, "serving %d plugins", 3);
    assert_string_equal(hear(), "READY=1\nSTATUS=serving 3 plugins");
    assert_string_equal(hear(), "");
}

static void
reloading_tells_when(void **state)
{
    (void)state;
    long long at_us = 0;
    int64_t before_us = clock_mono_us();
    notify_reloading(&notify);
    assert_int_equal(
        sscanf(hear(), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=", &at_us), 1);
    assert_in_range(at_us, before_us, clock_mono_us());
}

static void
status_is_one_short_line(void **state)
{
    (void)state;
    char expected[8 + NOTIFY_STATUS_MAX] = "STATUS=";
    notify_status(&notify, "refused: %s", "a\nSTOPPING=1\r\x7f\xc3\xa9");
    assert_string_equal(hear(), "STATUS=refused: a STOPPING=1????");
    notify_status(&notify, "%0*d", NOTIFY_STATUS_MAX + 1, 0);
    memset(expected + 7, '0', NOTIFY_STATUS_MAX);
    assert_string_equal(hear(), expected);
}

static void *
send_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH_SENDS; i++) {
        notify_ready(&notify, "reloaded");
        notify_reloading(&notify);
    }
    return NULL;
}

/* What a full socket does not take is lost, and whole. */
static void
threads_do_not_mix_their_lines(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (const char *text = hear(); text[0] != '\0'; text = hear(), count++) {
        long long at_us;
        assert_true(strcmp(text, "READY=1\nSTATUS=reloaded") == 0 ||
                    sscanf(text,
                           "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
                           &at_us) == 1);
    }
    assert_true(count > 0);
}

static void
without_a_manager_nothing_happens(void **state)
{
    (void)state;
    struct notify none;
    notify_init(&none);
    notify_ready(&none, "serving");
    notify_reloading(&none);
    assert_true(notify_turn(&none, 1) == INT64_MAX);
    notify_fini(&none);
    assert_string_equal(hear(), "");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(ready_comes_with_a_status),         T(reloading_tells_when),
        T(status_is_one_short_line),          T(threads_do_not_mix_their_lines),
        T(without_a_manager_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
