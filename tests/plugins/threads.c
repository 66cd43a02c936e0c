/* tests/plugins/threads.c: logs from threads of its own, all the time and all
 * at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <pthread.h>

#define THREADS 4
#define LINES   500

static void *
talk(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        peg_info(arg, "line %d of a thread", i);
    }
    return NULL;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    pthread_t threads[THREADS];
    (void)ev;
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, talk, ctx) != 0) {
            return PEG_RETRY;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "threads", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
