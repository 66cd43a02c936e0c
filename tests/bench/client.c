/* tests/bench/client.c: sends events over many connections and times the
 * answers. One thread, one epoll; a connection has at most one request under
 * way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "answer.h"
#include "events.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S        INT64_C(1000000000)
#define PATIENCE_NS     (5 * NS_PER_S) /* for answers after the last request */
#define CONNECT_WAIT_MS 5000
#define BROKEN_IN_ROW   1000 /* then the target is gone: stop early */
#define READ_BYTES      8192
#define EDGES_PER_ROUND 64

struct connection {
    int fd;    /* -1: not connected */
    bool busy; /* a request is under way */
    int64_t start_ns;
    size_t sent;   /* bytes of the request */
    char *request; /* the template, patched for each event */
    struct answer answer;
};

struct client {
    const struct client_plan *plan;
    const struct events *events;
    struct client_result *result;
    struct connection *all;
    int epoll_fd;

    struct connection **idle; /* a ring: in open loop all take their turn, so
                                 that none is idle for long */
    size_t idle_first, idle_count;

    uint64_t total; /* requests to begin at most */
    int64_t start_ns, end_ns;
    int64_t last_ns; /* of the latest answer */
    uint64_t ok_in_time;
    unsigned int broken_in_row;
};

static int64_t
now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* When the next request is to begin; only meaningful in open loop. */
static int64_t
due_ns(const struct client *client)
{
    double offset_s = (double)client->result->requests / client->plan->rate;
    return client->start_ns + (int64_t)(offset_s * (double)NS_PER_S);
}

static bool
is_open_loop(const struct client *client)
{
    return client->plan->rate > 0.0;
}

/* ---- Connections ---------------------------------------------------- */

static void
hang_up(struct connection *c)
{
    if (c->fd >= 0) {
        close(c->fd); /* which also leaves the epoll set */
        c->fd = -1;
    }
}

/* Begins to connect: sends meanwhile are told to wait. */
static int
dial(struct client *client, struct connection *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        return -1;
    }
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const struct sockaddr_in *target = &client->plan->target;
    struct epoll_event interest = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = c,
    };
    if ((connect(c->fd, (const struct sockaddr *)target, sizeof(*target)) < 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, c->fd, &interest) < 0) {
        hang_up(c);
        return -1;
    }
    return 0;
}

static int
await_connected(const struct connection *c)
{
    struct pollfd waiting = {.fd = c->fd, .events = POLLOUT};
    if (poll(&waiting, 1, CONNECT_WAIT_MS) != 1) {
        errno = ETIMEDOUT;
        return -1;
    }
    int reason = 0;
    socklen_t size = sizeof(reason);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &reason, &size);
    errno = reason;
    return reason == 0 ? 0 : -1;
}

static int
dial_all(struct client *client)
{
    for (size_t i = 0; i < client->plan->connections; i++) {
        struct connection *c = &client->all[i];
        if (dial(client, c) != 0 || await_connected(c) != 0) {
            fprintf(stderr, "load: cannot connect: %s\n", strerror(errno));
            return -1;
        }
        if (client->plan->new_connection) {
            hang_up(c); /* it was only to see that somebody listens */
        }
    }
    return 0;
}

static void
push_idle(struct client *client, struct connection *c)
{
    size_t size = client->plan->connections;
    client->idle[(client->idle_first + client->idle_count) % size] = c;
    client->idle_count++;
}

static struct connection *
pop_idle(struct client *client)
{
    struct connection *c = client->idle[client->idle_first];
    client->idle_first = (client->idle_first + 1) % client->plan->connections;
    client->idle_count--;
    return c;
}

/* ---- One request ---------------------------------------------------- */

static void
finish(struct client *client, struct connection *c, bool keep)
{
    c->busy = false;
    if (!keep) {
        hang_up(c);
    }
    push_idle(client, c);
}

static void
finish_broken(struct client *client, struct connection *c)
{
    client->result->broken++;
    client->broken_in_row++;
    finish(client, c, false);
}

static void
send_more(struct client *client, struct connection *c)
{
    size_t size = events_request_bytes(client->events);
    while (c->sent < size) {
        ssize_t n =
            send(c->fd, c->request + c->sent, size - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            return; /* EPOLLOUT will tell */
        }
        if (n < 0) {
            finish_broken(client, c);
            return;
        }
        c->sent += (size_t)n;
    }
}

static void
begin(struct client *client, struct connection *c)
{
    struct client_result *result = client->result;
    c->start_ns = now_ns();
    if (is_open_loop(client)) {
        int64_t due = due_ns(client);
        histogram_add(&result->lag, c->start_ns - due);
        c->start_ns = due;
    }
    events_patch(client->events, result->requests, c->request);
    result->requests++;
    c->busy = true;
    c->sent = 0;
    answer_reset(&c->answer);
    if (c->fd < 0 && dial(client, c) != 0) {
        finish_broken(client, c);
        return;
    }
    send_more(client, c);
}

static void
finish_answered(struct client *client, struct connection *c)
{
    struct client_result *result = client->result;
    int status = c->answer.status;
    client->last_ns = now_ns();
    client->broken_in_row = 0;
    result->statuses[status]++;
    if (status / 100 == 2) {
        result->ok++;
        client->ok_in_time += client->last_ns <= client->end_ns;
        histogram_add(&result->latency, client->last_ns - c->start_ns);
    }
    bool keep = !c->answer.closing && !client->plan->new_connection;
    result->reconnects += !keep && !client->plan->new_connection;
    finish(client, c, keep);
}

/* The server ended the connection, in order or not. */
static void
take_end(struct client *client, struct connection *c)
{
    if (!c->busy) {
        client->result->reconnects++;
        hang_up(c); /* it stays in the ring; its turn will dial */
    } else if (answer_end(&c->answer) == ANSWER_WHOLE) {
        finish_answered(client, c);
    } else {
        finish_broken(client, c);
    }
}

static void
take_bytes(struct client *client, struct connection *c, const char *bytes,
           size_t count)
{
    enum answer_state state = ANSWER_INVALID; /* nothing was asked */
    if (c->busy) {
        state = answer_feed(&c->answer, bytes, count);
    }
    if (state == ANSWER_WHOLE) {
        finish_answered(client, c);
    } else if (state == ANSWER_INVALID) {
        client->result->invalid++;
        if (c->busy) {
            finish(client, c, false);
        } else {
            hang_up(c);
        }
    }
}

/* Reads all there is; `ended` tells that the end is already there too. */
static void
receive(struct client *client, struct connection *c, bool ended)
{
    char bytes[READ_BYTES];
    while (c->fd >= 0) {
        ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            take_end(client, c);
            return;
        }
        take_bytes(client, c, bytes, (size_t)n);
        if ((size_t)n < sizeof(bytes) && !ended) {
            return; /* drained; more will come with an edge of its own */
        }
    }
}

/* ---- The loop ------------------------------------------------------- */

static void
begin_what_may(struct client *client)
{
    struct client_result *result = client->result;
    while (client->idle_count > 0 && result->requests < client->total) {
        int64_t now = now_ns();
        if (is_open_loop(client) ? due_ns(client) > now
                                 : now >= client->end_ns) {
            return;
        }
        begin(client, pop_idle(client));
        if (client->broken_in_row >= BROKEN_IN_ROW) {
            return;
        }
    }
}

/* How long to sleep: until a request is due, or the end. */
static int64_t
wake_ns(const struct client *client)
{
    int64_t now = now_ns();
    if (is_open_loop(client) && client->idle_count > 0 &&
        client->result->requests < client->total) {
        return due_ns(client);
    }
    return now < client->end_ns ? client->end_ns : client->end_ns + PATIENCE_NS;
}

static bool
is_over(const struct client *client)
{
    bool none_under_way = client->idle_count == client->plan->connections;
    bool all_begun = client->result->requests == client->total;
    int64_t now = now_ns();
    if (client->broken_in_row >= BROKEN_IN_ROW ||
        now >= client->end_ns + PATIENCE_NS) {
        return true;
    }
    /* In open loop what was due is sent, however late: a slow target must not
     * be spared its worst latencies. */
    bool no_more =
        is_open_loop(client) ? all_begun : all_begun || now >= client->end_ns;
    return none_under_way && no_more;
}

/* Requests begin after all edges were taken, so none can belong to an earlier
 * socket of its connection. */
static void
take_edges(struct client *client, struct connection *c, uint32_t edges)
{
    if (c->busy && (edges & EPOLLOUT) != 0) {
        send_more(client, c);
    }
    if ((edges & ~(uint32_t)EPOLLOUT) != 0) {
        receive(client, c, (edges & ~(uint32_t)(EPOLLOUT | EPOLLIN)) != 0);
    }
}

static int
loop(struct client *client)
{
    struct epoll_event edges[EDGES_PER_ROUND];
    begin_what_may(client);
    while (!is_over(client)) {
        int64_t wait_ns = wake_ns(client) - now_ns();
        if (wait_ns < 0) {
            wait_ns = 0;
        }
        struct timespec wait = {.tv_sec = wait_ns / NS_PER_S,
                                .tv_nsec = wait_ns % NS_PER_S};
        int n =
            epoll_pwait2(client->epoll_fd, edges, EDGES_PER_ROUND, &wait, NULL);
        if (n < 0 && errno != EINTR) {
            fprintf(stderr, "load: epoll: %s\n", strerror(errno));
            return -1;
        }
        for (int i = 0; i < n; i++) {
            take_edges(client, edges[i].data.ptr, edges[i].events);
        }
        begin_what_may(client);
    }
    return 0;
}

static double
seconds_of(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void
sum_up(struct client *client, const struct rusage *before)
{
    struct client_result *result = client->result;
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    result->cpu_user_s =
        seconds_of(after.ru_utime) - seconds_of(before->ru_utime);
    result->cpu_sys_s =
        seconds_of(after.ru_stime) - seconds_of(before->ru_stime);

    uint64_t answered = result->broken + result->invalid;
    for (size_t i = 0; i < CLIENT_STATUS_MAX; i++) {
        answered += result->statuses[i];
    }
    if (is_open_loop(client)) {
        result->requests = client->total; /* all of them were due */
    }
    result->unanswered =
        result->requests > answered ? result->requests - answered : 0;

    result->exhausted = !is_open_loop(client) &&
                        result->requests == client->total &&
                        client->last_ns < client->end_ns;
    int64_t end_ns = result->exhausted ? client->last_ns : client->end_ns;
    result->seconds = (double)(end_ns - client->start_ns) / (double)NS_PER_S;
    result->acks_per_s = (double)client->ok_in_time / result->seconds;
}

static int
allocate(struct client *client)
{
    size_t count = client->plan->connections;
    client->all = calloc(count, sizeof(*client->all));
    client->idle = calloc(count, sizeof(struct connection *));
    if (client->all == NULL || client->idle == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        client->all[i].fd = -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct connection *c = &client->all[i];
        c->request = malloc(events_request_bytes(client->events));
        if (c->request == NULL) {
            return -1;
        }
        events_template(client->events, c->request);
        push_idle(client, c);
    }
    return 0;
}

static void
release(struct client *client)
{
    for (size_t i = 0; client->all != NULL && i < client->plan->connections;
         i++) {
        hang_up(&client->all[i]);
        free(client->all[i].request);
    }
    free(client->all);
    free(client->idle);
    if (client->epoll_fd >= 0) {
        close(client->epoll_fd);
    }
}

static int
run(struct client *client)
{
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    const struct client_plan *plan = client->plan;
    client->start_ns = now_ns();
    client->end_ns =
        client->start_ns + (int64_t)(plan->seconds * (double)NS_PER_S);
    client->total = events_count(client->events);
    if (is_open_loop(client)) {
        uint64_t due = (uint64_t)(plan->rate * plan->seconds);
        client->total = due < client->total ? due : client->total;
    }
    if (loop(client) != 0) {
        return -1;
    }
    sum_up(client, &before);
    return 0;
}

int
client_run(const struct client_plan *plan, const struct events *events,
           struct client_result *out)
{
    struct client client = {.plan = plan, .events = events, .result = out};
    /* Sleeps of 0.3 ms must not be rounded up by the usual 0.05. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);

    int rc = -1;
    client.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (client.epoll_fd < 0 || allocate(&client) != 0) {
        fprintf(stderr, "load: out of memory or descriptors\n");
    } else if (dial_all(&client) == 0) {
        rc = run(&client);
    }
    release(&client);
    return rc;
}
