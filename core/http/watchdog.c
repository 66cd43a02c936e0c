/* core/http/watchdog.c: ends bodies that drip in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/watchdog.h"

#include "clock.h"
#include "error.h"
#include "http/sockets.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* How often it looks: the precision of the time-out. */
#define LOOK_MS 250

struct watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    struct watch *watches; /* guarded by lock, as all below */
    int stop;
};

/* Shut it down if it is the socket of that watch. */
static int
shut_down(void *arg, int fd)
{
    const struct watch *watch = arg;
    struct sockaddr_in peer, local;
    socklen_t peer_len = sizeof(peer), local_len = sizeof(local);
    return getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
           peer.sin_family == AF_INET &&
           peer.sin_addr.s_addr == watch->peer.s_addr &&
           ntohs(peer.sin_port) == watch->peer_port &&
           getsockname(fd, (struct sockaddr *)&local, &local_len) == 0 &&
           ntohs(local.sin_port) == watch->local_port &&
           shutdown(fd, SHUT_RD) == 0;
}

/* Under the lock: a watched connection stays open until its reader has got the
 * lock in watchdog_end(), so the descriptor found is still its own. */
static void
look_locked(struct watchdog *dog)
{
    int64_t now_ms = clock_mono_ms();
    for (struct watch *w = dog->watches; w != NULL; w = w->next) {
        if (!w->fired && w->deadline_ms <= now_ms) {
            /* If not, out of descriptors perhaps: look again. */
            w->fired = sockets_each(shut_down, w) > 0;
        }
    }
}

static void *
watchdog_main(void *arg)
{
    struct watchdog *dog = arg;
    pthread_mutex_lock(&dog->lock);
    while (!dog->stop) {
        look_locked(dog);
        int64_t at_ms = clock_mono_ms() + LOOK_MS;
        struct timespec at = {.tv_sec = at_ms / 1000,
                              .tv_nsec = at_ms % 1000 * 1000000};
        pthread_cond_timedwait(&dog->stopped, &dog->lock, &at);
    }
    pthread_mutex_unlock(&dog->lock);
    return NULL;
}

int
watchdog_start(struct watchdog **out, struct error *err)
{
    struct watchdog *dog = calloc(1, sizeof(*dog));
    if (dog == NULL) {
        return error_set(err, RC_NOMEM, "http: out of memory");
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&dog->stopped, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&dog->lock, NULL);

    int rc = pthread_create(&dog->thread, NULL, watchdog_main, dog);
    if (rc != 0) {
        pthread_cond_destroy(&dog->stopped);
        pthread_mutex_destroy(&dog->lock);
        free(dog);
        return error_errno(err, RC_IO, rc, "http: cannot start a thread");
    }
    pthread_setname_np(dog->thread, "peg-watchdog");
    *out = dog;
    return RC_OK;
}

void
watchdog_stop(struct watchdog *dog)
{
    if (dog == NULL) {
        return;
    }
    pthread_mutex_lock(&dog->lock);
    dog->stop = 1;
    pthread_cond_signal(&dog->stopped);
    pthread_mutex_unlock(&dog->lock);
    pthread_join(dog->thread, NULL);
    pthread_cond_destroy(&dog->stopped);
    pthread_mutex_destroy(&dog->lock);
    free(dog);
}

void
watchdog_begin(struct watchdog *dog, struct watch *watch)
{
    watch->fired = 0;
    pthread_mutex_lock(&dog->lock);
    watch->next = dog->watches;
    watch->at = &dog->watches;
    if (watch->next != NULL) {
        watch->next->at = &watch->next;
    }
    dog->watches = watch;
    pthread_mutex_unlock(&dog->lock);
}

void
watchdog_end(struct watchdog *dog, struct watch *watch)
{
    pthread_mutex_lock(&dog->lock);
    *watch->at = watch->next;
    if (watch->next != NULL) {
        watch->next->at = watch->at;
    }
    pthread_mutex_unlock(&dog->lock);
}
