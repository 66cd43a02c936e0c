/* plugins/publish/outbox.c: the thread that publishes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* The thread gives up so much before its deadline, to say why in time. */
#define ANSWER_MS 100

#define DESCRIPTORS 1024 /* that are looked at; a runner has 256 */

struct outbox {
    struct broker broker; /* of the thread alone */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of anything below, guarded by the lock */
    natsMsg *message;       /* what the thread is at, or NULL */
    int64_t deadline_ms;    /* of the message */
    struct answer answer;   /* to the last message */
    int quit;               /* the thread shall end */
    int ended;
};

/* ---- The thread ----------------------------------------------------- */

/* Publish what outbox->message is, and unlock meanwhile. */
static void
work_locked(struct outbox *outbox)
{
    struct answer answer;
    natsMsg *message = outbox->message;
    int64_t deadline_ms = outbox->deadline_ms - ANSWER_MS;
    pthread_mutex_unlock(&outbox->lock);

    broker_send(&outbox->broker, message, deadline_ms, &answer);
    natsMsg_Destroy(message);

    pthread_mutex_lock(&outbox->lock);
    outbox->answer = answer;
    outbox->message = NULL;
    pthread_cond_signal(&outbox->changed);
}

static void *
run(void *arg)
{
    struct outbox *outbox = arg;
    pthread_mutex_lock(&outbox->lock);
    while (!outbox->quit) {
        if (outbox->message != NULL) {
            work_locked(outbox);
        } else {
            pthread_cond_wait(&outbox->changed, &outbox->lock);
        }
    }
    pthread_mutex_unlock(&outbox->lock);

    broker_fini(&outbox->broker);
    nats_ReleaseThreadMemory();

    pthread_mutex_lock(&outbox->lock);
    outbox->ended = 1;
    pthread_cond_signal(&outbox->changed);
    pthread_mutex_unlock(&outbox->lock);
    return NULL;
}

static void
destroy(struct outbox *outbox)
{
    pthread_cond_destroy(&outbox->changed);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}

struct outbox *
outbox_open(const struct broker_setup *setup, natsOptions *options)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (outbox == NULL) {
        natsOptions_Destroy(options);
        return NULL;
    }
    outbox->broker.setup = setup;
    outbox->broker.options = options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&outbox->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&outbox->lock, NULL);
    if (pthread_create(&outbox->thread, NULL, run, outbox) != 0) {
        broker_fini(&outbox->broker);
        destroy(outbox);
        return NULL;
    }
    pthread_setname_np(outbox->thread, "publish");
    return outbox;
}

/* ---- The handler ---------------------------------------------------- */

/* Wait for a change. @return 0 when it is time to give up */
static int
wait_locked(struct outbox *outbox, int64_t deadline_ms)
{
    const struct timespec until = {.tv_sec = deadline_ms / 1000,
                                   .tv_nsec = deadline_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&outbox->changed, &outbox->lock, &until) == 0;
}

/* End what the thread waits for. libnats does not tell its socket before it has
 * connected; but in this process nobody else has connections over TCP. */
static void
cut_connections(void)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        int type = 0;
        int domain = 0;
        socklen_t size = sizeof(int);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
            getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
            type == SOCK_STREAM && domain != AF_UNIX) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
}

/* Wait until the thread is at no message. @return 0 when time is up: then what
 * it is at ends soon, unless it looks up a name */
static int
wait_idle_locked(struct outbox *outbox, int64_t deadline_ms)
{
    while (outbox->message != NULL && wait_locked(outbox, deadline_ms)) {
    }
    if (outbox->message != NULL) {
        cut_connections();
        return 0;
    }
    return 1;
}

void
outbox_post(struct outbox *outbox, natsMsg *message, int64_t deadline_ms,
            struct answer *out)
{
    pthread_mutex_lock(&outbox->lock);
    if (!wait_idle_locked(outbox, deadline_ms)) {
        broker_say(out, PEG_RETRY,
                   "NATS does not answer: still at the message before");
        natsMsg_Destroy(message);
    } else {
        outbox->message = message;
        outbox->deadline_ms = deadline_ms;
        pthread_cond_signal(&outbox->changed);
        if (wait_idle_locked(outbox, deadline_ms)) {
            *out = outbox->answer;
        } else {
            broker_say(out, PEG_RETRY,
                       "NATS does not answer: neither its name server, nor a "
                       "handshake, nor the sending ended");
        }
    }
    pthread_mutex_unlock(&outbox->lock);
}

int
outbox_close(struct outbox *outbox, int64_t patience_ms)
{
    int64_t deadline_ms = broker_now_ms() + patience_ms;
    pthread_mutex_lock(&outbox->lock);
    outbox->quit = 1;
    pthread_cond_signal(&outbox->changed);
    if (outbox->message != NULL) {
        cut_connections(); /* its handler has given up long ago */
    }
    while (!outbox->ended && wait_locked(outbox, deadline_ms)) {
    }
    int ended = outbox->ended;
    pthread_mutex_unlock(&outbox->lock);
    if (ended) {
        pthread_join(outbox->thread, NULL);
        destroy(outbox);
    }
    return ended;
}
