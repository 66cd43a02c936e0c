/* tests/unit/http_fixture.h: a small HTTP server in a thread, one connection
 * at a time, that keeps what it got. To be included after <cmocka.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "stripe/signature.h"

#include "clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_SECRET "whsec_fixture"

/* Set before server_start(), read after server_stop(): the thread owns it in
 * between. */
struct server {
    int status;        /* 0: 200 when the signature is good, else 400 */
    int fail_after;    /* answer 500 from this request on; 0: never */
    int hang_up;       /* close instead of answering */
    size_t answer_len; /* of a body of 'x'; 0: a short JSON */
    int connections, requests;
    char head[4096]; /* of the last request */
    char body[65536];
    size_t body_len;
    char url[64];
    int listener, stop[2];
    pthread_t thread;
};

/* Wait until `fd` can be read; 0 when the server is to stop. */
static inline int
server_wait(const struct server *server, int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = server->stop[0], .events = POLLIN}};
    poll(fds, 2, -1);
    return fds[1].revents == 0;
}

/* Read one byte; 0 at the end. */
static inline int
server_byte(const struct server *server, int fd, char *byte)
{
    return server_wait(server, fd) && read(fd, byte, 1) == 1;
}

static inline int
server_read_request(struct server *server, int fd)
{
    size_t len = 0;
    for (;;) {
        if (len + 1 == sizeof(server->head) ||
            !server_byte(server, fd, &server->head[len])) {
            return 0;
        }
        server->head[++len] = '\0';
        if (len >= 4 && strcmp(server->head + len - 4, "\r\n\r\n") == 0) {
            break;
        }
    }
    const char *length = strstr(server->head, "Content-Length: ");
    server->body_len = length == NULL ? 0 : (size_t)atol(length + 16);
    if (server->body_len >= sizeof(server->body)) {
        return 0;
    }
    for (size_t i = 0; i < server->body_len; i++) {
        if (!server_byte(server, fd, &server->body[i])) {
            return 0;
        }
    }
    server->body[server->body_len] = '\0';
    return 1;
}

static inline int
server_status(const struct server *server)
{
    if (server->fail_after != 0 && server->requests >= server->fail_after) {
        return 500;
    }
    if (server->status != 0) {
        return server->status;
    }
    struct signature_keys *keys = NULL;
    if (signature_keys_open(&keys, NULL) != 0 ||
        signature_keys_add(keys, "fixture", SERVER_SECRET,
                           strlen(SERVER_SECRET), NULL) != 0) {
        return 500;
    }
    const char *value = strstr(server->head, "Stripe-Signature: ");
    value = value == NULL ? "" : value + 18;
    struct signature_result result;
    enum signature_verdict verdict =
        signature_check(keys, value, strcspn(value, "\r"), 1, server->body,
                        server->body_len, clock_wall_ms() / 1000, 300, &result);
    signature_keys_close(keys);
    return verdict == SIGNATURE_OK ? 200 : 400;
}

static inline void
server_answer(struct server *server, int fd)
{
    const char *json = "{\"received\":true}";
    size_t len = server->answer_len != 0 ? server->answer_len : strlen(json);
    char *text = malloc(len + 256);
    if (text == NULL) {
        return;
    }
    int head = snprintf(text, 256,
                        "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
                        "Location: /elsewhere\r\n\r\n",
                        server_status(server), len);
    memset(text + head, 'x', len);
    if (server->answer_len == 0) {
        memcpy(text + head, json, len);
    }
    size_t left = (size_t)head + len;
    for (const char *from = text; left > 0;) {
        ssize_t sent = send(fd, from, left, MSG_NOSIGNAL);
        if (sent <= 0) {
            break;
        }
        from += sent;
        left -= (size_t)sent;
    }
    free(text);
}

static inline void *
server_run(void *arg)
{
    struct server *server = arg;
    while (server_wait(server, server->listener)) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0) {
            break;
        }
        server->connections++;
        while (server_read_request(server, fd)) {
            server->requests++;
            if (server->hang_up) {
                break;
            }
            server_answer(server, fd);
        }
        close(fd);
    }
    return NULL;
}

static inline void
server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(
        bind(server->listener, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(
        getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/webhook",
             ntohs(address.sin_port));
    assert_int_equal(pipe(server->stop), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server),
                     0);
}

static inline void
server_stop(struct server *server)
{
    close(server->stop[1]); /* wakes every server_wait() */
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->listener);
}

#endif
