/* tests/unit/api_fixture.h: an admin API with canned answers, and what commands
 * asked it. To be included after config_fixture.h and cli_fixture.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define API_TOKEN                                                              \
    "pgb_op_"                                                                  \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* The answer to requests whose first line begins with `request`. The first that
 * fits is taken; with `once` it is used up by that. */
struct api_canned {
    const char *request; /* "GET /api/v1/events?" */
    int status;
    const char *body;
    int once;
};

/* Fill `canned` before api_start(), read the rest after api_stop(): the thread
 * owns it in between. */
struct canned_api {
    struct api_canned canned[16];
    char asked[65536]; /* first lines and bodies, one a line */
    char head[8192];   /* of the last request */
    int requests;
    char url[64];
    int listener, stop[2];
    pthread_t thread;
};

static inline int
api_wait(const struct canned_api *api, int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = api->stop[0], .events = POLLIN}};
    poll(fds, 2, -1);
    return fds[1].revents == 0;
}

static inline void
api_note(struct canned_api *api, const char *text, size_t len)
{
    size_t used = strlen(api->asked);
    if (used + len + 2 < sizeof(api->asked)) {
        memcpy(api->asked + used, text, len);
        strcpy(api->asked + used + len, "\n");
    }
}

/* Read a head and its body; 0 at the end. */
static inline int
api_read(struct canned_api *api, int fd)
{
    size_t len = 0;
    while (len < 4 || strcmp(api->head + len - 4, "\r\n\r\n") != 0) {
        if (len + 1 == sizeof(api->head) || !api_wait(api, fd) ||
            read(fd, &api->head[len], 1) != 1) {
            return 0;
        }
        api->head[++len] = '\0';
    }
    api_note(api, api->head, strcspn(api->head, "\r"));
    const char *length = strstr(api->head, "Content-Length: ");
    size_t body_len = length == NULL ? 0 : (size_t)atol(length + 16);
    char body[8192];
    for (size_t i = 0; i < body_len; i++) {
        if (i == sizeof(body) || !api_wait(api, fd) ||
            read(fd, &body[i], 1) != 1) {
            return 0;
        }
    }
    if (body_len > 0) {
        api_note(api, body, body_len);
    }
    return 1;
}

static inline struct api_canned
api_choose(struct canned_api *api)
{
    for (size_t i = 0; i < 16 && api->canned[i].request != NULL; i++) {
        struct api_canned *one = &api->canned[i];
        if (one->status != 0 &&
            strncmp(api->head, one->request, strlen(one->request)) == 0) {
            struct api_canned chosen = *one;
            one->status = one->once ? 0 : one->status;
            return chosen;
        }
    }
    return (struct api_canned){
        .status = 404,
        .body = "{\"status\":404,\"title\":\"No such path\","
                "\"detail\":\"there is nothing at this path\"}"};
}

static inline void
api_send(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        text += sent;
        len -= (size_t)sent;
    }
}

static inline void
api_answer_one(struct canned_api *api, int fd)
{
    char head[256];
    struct api_canned answer = api_choose(api);
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
                       "Location: http://127.0.0.1:1/\r\n\r\n",
                       answer.status, strlen(answer.body));
    api_send(fd, head, (size_t)len);
    api_send(fd, answer.body, strlen(answer.body));
}

static inline void *
api_run(void *arg)
{
    struct canned_api *api = arg;
    while (api_wait(api, api->listener)) {
        int fd = accept(api->listener, NULL, NULL);
        if (fd < 0) {
            break;
        }
        while (api_read(api, fd)) {
            api->requests++;
            api_answer_one(api, fd);
        }
        close(fd);
    }
    return NULL;
}

/* Listen, and write the token to the file "token". */
static inline void
api_serve(struct canned_api *api)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(address);
    write_file("token", 0600, API_TOKEN "\n");
    api->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(api->listener >= 0);
    assert_int_equal(
        bind(api->listener, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(api->listener, 8), 0);
    assert_int_equal(
        getsockname(api->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(api->url, sizeof(api->url), "http://127.0.0.1:%u",
             ntohs(address.sin_port));
    assert_int_equal(pipe(api->stop), 0);
    assert_int_equal(pthread_create(&api->thread, NULL, api_run, api), 0);
}

static inline void
api_end(struct canned_api *api)
{
    close(api->stop[1]); /* wakes every api_wait() */
    pthread_join(api->thread, NULL);
    close(api->stop[0]);
    close(api->listener);
}

/* RUN() with the address and the token of `api`. */
#define ASK(api, command, ...)                                                 \
    RUN(command, "--url", (api).url, "--token-file", "token", __VA_ARGS__)

#endif
