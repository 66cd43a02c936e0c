/* core/http/halt.c: ending a CivetWeb context without its delay.
 *
 * Its master thread sees that it shall stop only when its poll ends, which
 * takes up to 2 seconds, or a connection: so it gets some.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/halt.h"

#include <civetweb.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct nudge {
    struct sockaddr_in address;
    atomic_int enough;
};

static void *
nudge_main(void *arg)
{
    struct nudge *nudge = arg;
    const struct timespec pause = {.tv_nsec = 10000000};
    while (!atomic_load(&nudge->enough)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0) {
            connect(fd, (const struct sockaddr *)&nudge->address,
                    sizeof(nudge->address)); /* its outcome does not matter */
        }
        nanosleep(&pause, NULL);
        if (fd >= 0) {
            close(fd);
        }
    }
    return NULL;
}

void
halt_civetweb(struct mg_context *context, const struct sockaddr_in *address)
{
    struct nudge nudge = {.address = *address};
    pthread_t thread;
    int nudging = pthread_create(&thread, NULL, nudge_main, &nudge) == 0;
    mg_stop(context);
    if (nudging) {
        atomic_store(&nudge.enough, 1);
        pthread_join(thread, NULL);
    }
}
