/* tests/unit/test_sockets.c: CivetWeb's sockets, found among our descriptors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/sockets.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int
open_listening(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*address);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)address, &len);
    return fd;
}

/* Begin to connect; whether it succeeds within 200 ms. */
static int
dial(const struct sockaddr_in *address, int *fd)
{
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd wait = {.fd = *fd, .events = POLLOUT};
    if (connect(*fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        assert_int_equal(errno, EINPROGRESS);
    }
    return poll(&wait, 1, 200) == 1 && (wait.revents & POLLERR) == 0;
}

static void
listening_and_open_ones_are_found(void **state)
{
    (void)state;
    struct sockaddr_in here, other, all;
    int listening = open_listening(&here), second = open_listening(&other);
    int client, accepted;
    assert_int_equal(sockets_listening_at(&here), listening);
    assert_int_equal(sockets_listening_at(&other), second);
    assert_int_equal(sockets_open_at(&here), 0);

    assert_true(dial(&here, &client));
    accepted = accept(listening, NULL, NULL);
    all = here;
    all.sin_addr.s_addr = htonl(INADDR_ANY);
    assert_int_equal(sockets_open_at(&here), 1);
    assert_int_equal(sockets_open_at(&all), 1);
    assert_int_equal(sockets_open_at(&other), 0);

    sockets_end_at(&here);
    assert_int_equal(recv(accepted, &(char){0}, 1, 0), 0);
    assert_int_equal(send(accepted, "x", 1, 0), 1); /* answers get out */
    assert_int_equal(sockets_listening_at(&here), listening);
    close(accepted);
    assert_int_equal(sockets_open_at(&here), 0);
    close(client);
    close(listening);
    close(second);
    assert_int_equal(sockets_listening_at(&here), -1);
}

static void
refused_ones_do_not_come_and_those_there_stay(void **state)
{
    (void)state;
    struct sockaddr_in here;
    char byte;
    int listening = open_listening(&here), early, late;
    assert_true(dial(&here, &early));
    assert_int_equal(sockets_waiting(listening), 1);
    sockets_refuse(listening);
    assert_false(dial(&here, &late));
    assert_int_equal(sockets_waiting(listening), 1);

    int accepted = accept(listening, NULL, NULL);
    assert_int_equal(sockets_waiting(listening), 0);
    assert_int_equal(send(early, "x", 1, 0), 1);
    assert_int_equal(recv(accepted, &byte, 1, 0), 1);
    close(accepted);
    close(early);
    close(late);
    close(listening);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_and_open_ones_are_found),
        cmocka_unit_test(refused_ones_do_not_come_and_those_there_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
