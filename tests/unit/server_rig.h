/* tests/unit/server_rig.h: the webhook port in this process, on an inbox of its
 * own, and senders that count what is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVER_RIG_H
#define TESTS_SERVER_RIG_H

#include "config_fixture.h"

#include "clock.h"
#include "http/server.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/serving.h"
#include "stripe/signature.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define PATIENCE_S 20

struct rig {
    struct inbox *inbox;
    struct serving serving;
    struct server *server;
};

static struct rig rig;

/* Health is not what these tests are about. */
static inline int
is_well(void *arg)
{
    (void)arg;
    return 1;
}

/* A generation that listens there and has these secrets. */
static inline struct generation *
make_generation(const char *listen, const char *secrets)
{
    char text[512];
    snprintf(text, sizeof(text),
             "[server]\nstate_dir = .\nthreads = 12\nlisten = %s\n"
             "[endpoint main]\nsecrets = %s\n",
             listen, secrets);
    struct config_report report = {0};
    struct generation *made = NULL;
    assert_int_equal(
        generation_make(&made, assert_loads(text), "snapshots", -1, &report),
        RC_OK);
    report_fini(&report);
    return made;
}

static inline void
rig_start(const char *listen)
{
    const struct inbox_settings inbox = {.path = "inbox.db"};
    const struct server_settings settings = {
        .serving = &rig.serving, .is_live = is_well, .is_ready = is_well};
    struct server_settings complete = settings;
    struct error err = {0};
    log_setup(LOG_ERROR, LOG_LOGFMT);
    write_file("one", 0600, "whsec_one\n");
    write_file("two", 0600, "whsec_two\n");
    assert_int_equal(inbox_open(&rig.inbox, &inbox, &err), RC_OK);
    complete.inbox = rig.inbox;
    serving_init(&rig.serving);
    serving_set(&rig.serving, make_generation(listen, "file:one"));
    if (server_start(&rig.server, &complete, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
}

static inline void
rig_stop(void)
{
    server_stop(rig.server);
    serving_fini(&rig.serving);
    inbox_close(rig.inbox);
}

/* Where the first listener is. */
static inline struct sockaddr_in
first_address(void)
{
    char room[SERVER_URL_MAX], host[INET_ADDRSTRLEN];
    unsigned port;
    struct sockaddr_in address = {.sin_family = AF_INET};
    server_url(rig.server, room);
    assert_int_equal(sscanf(room, "http://%15[0-9.]:%u", host, &port), 2);
    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    address.sin_port = htons((uint16_t)port);
    return address;
}

/* As a reload does it: the new generation's listeners, then the generation,
 * then without the old listeners. */
static inline void
reload(const char *listen, const char *secrets, int64_t wait_ms)
{
    struct generation *made = make_generation(listen, secrets);
    struct error err = {0};
    if (server_widen(rig.server, made->config, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    serving_set(&rig.serving, generation_hold(made));
    server_narrow(rig.server, made->config, wait_ms);
    generation_drop(made);
}

static inline unsigned
count_entries(const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* ---- Posting -------------------------------------------------------- */

static inline int
dial(const struct sockaddr_in *address)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* @param pause_ms  in the middle of it */
static inline void
send_event(int fd, const char *secret, const char *id, int keep_alive,
           unsigned pause_ms)
{
    char body[256], header[SIGNATURE_HEADER_MAX], text[1024];
    int len = snprintf(body, sizeof(body),
                       "{\"id\":\"%s\",\"object\":\"event\","
                       "\"type\":\"charge.succeeded\",\"livemode\":false,"
                       "\"created\":1700000000}",
                       id);
    signature_make(secret, strlen(secret), clock_wall_ms() / 1000, body,
                   (size_t)len, header, NULL);
    len =
        snprintf(text, sizeof(text),
                 "POST /webhook HTTP/1.1\r\nHost: x\r\n%s"
                 "Stripe-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
                 keep_alive ? "" : "Connection: close\r\n", header, len, body);
    /* A failure is seen when the answer is missing. */
    size_t half = pause_ms > 0 ? (size_t)len / 2 : 0;
    (void)!send(fd, text, half, MSG_NOSIGNAL);
    usleep(pause_ms * 1000);
    (void)!send(fd, text + half, (size_t)len - half, MSG_NOSIGNAL);
}

/* Read one answer. Returns its status, 0 when there is none. */
static inline int
read_answer(int fd, int *closes)
{
    char text[1024];
    size_t len = 0;
    int status = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (n <= 0) {
            return 0;
        }
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end != NULL && length != NULL &&
            len >= (size_t)(end + 4 - text) + (size_t)atol(length + 16)) {
            break;
        }
    }
    *closes = strstr(text, "Connection: close") != NULL;
    return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

/* ---- Senders -------------------------------------------------------- */

/* What the senders do now. */
struct orders {
    pthread_mutex_t lock;
    struct sockaddr_in addresses[2]; /* guarded by lock; port 0: none */
    atomic_int second_key;           /* sign with the other secret */
    atomic_int stop;
};

static struct orders orders = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct sender {
    pthread_t thread;
    int number, at, keep_alive;
    unsigned pause_ms; /* in the middle of each request */
    atomic_uint good, bad, lost, refused;
};

static inline struct sockaddr_in
ordered_address(int at)
{
    pthread_mutex_lock(&orders.lock);
    struct sockaddr_in address = orders.addresses[at];
    pthread_mutex_unlock(&orders.lock);
    return address;
}

static inline void
order(int at, struct sockaddr_in address)
{
    pthread_mutex_lock(&orders.lock);
    orders.addresses[at] = address;
    pthread_mutex_unlock(&orders.lock);
}

static inline void
count_answer(struct sender *sender, int status)
{
    atomic_fetch_add(status == 200 ? &sender->good
                     : status == 0 ? &sender->lost
                                   : &sender->bad,
                     1);
}

static inline void *
sender_main(void *arg)
{
    struct sender *sender = arg;
    int fd = -1;
    for (unsigned i = 0; !atomic_load(&orders.stop); i++) {
        struct sockaddr_in address = ordered_address(sender->at);
        char id[48];
        int closes = 1;
        if (fd < 0 && (address.sin_port == 0 || (fd = dial(&address)) < 0)) {
            atomic_fetch_add(&sender->refused, address.sin_port != 0);
            usleep(1000);
            continue;
        }
        snprintf(id, sizeof(id), "evt_%d_%u", sender->number, i);
        send_event(fd,
                   atomic_load(&orders.second_key) ? "whsec_two" : "whsec_one",
                   id, sender->keep_alive, sender->pause_ms);
        count_answer(sender, read_answer(fd, &closes));
        if (closes) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

static inline void
start_senders(struct sender *senders, int count)
{
    atomic_store(&orders.stop, 0);
    atomic_store(&orders.second_key, 0);
    for (int i = 0; i < count; i++) {
        senders[i].number = i;
        senders[i].keep_alive = i % 2;
        assert_int_equal(
            pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]),
            0);
    }
}

/* Return when each of those at `at` has got that many good answers more; one
 * that is slow, one. */
static inline void
await_answers(struct sender *senders, int count, int at, unsigned more)
{
    for (int i = 0; i < count; i++) {
        unsigned before = atomic_load(&senders[i].good);
        unsigned enough = before + (senders[i].pause_ms > 0 ? 1 : more);
        int64_t end_ms = clock_mono_ms() + PATIENCE_S * 1000;
        while (senders[i].at == at && atomic_load(&senders[i].good) < enough) {
            assert_true(clock_mono_ms() < end_ms);
            usleep(1000);
        }
    }
}

/* Stop them; nothing may be lost, or answered but with 200. */
static inline void
stop_senders(struct sender *senders, int count)
{
    unsigned lost = 0, bad = 0;
    atomic_store(&orders.stop, 1);
    for (int i = 0; i < count; i++) {
        pthread_join(senders[i].thread, NULL);
        lost += atomic_load(&senders[i].lost);
        bad += atomic_load(&senders[i].bad);
    }
    assert_int_equal(lost, 0);
    assert_int_equal(bad, 0);
}

#endif
