/* core/reload/change.h: one change of generations, from PARSE to COMMIT;
 * private to the reload's thread.
 *
 * What can fail comes before what can be seen. The last steps, from the
 * dispatcher's switch on, only move pointers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CHANGE_H
#define CORE_CHANGE_H

#include "reload/reload.h"

#include <stdatomic.h>

/** A change that takes longer than this is rolled back. */
#define CHANGE_LIMIT_MS 60000

/** What all changes of one reload share. */
struct change_host {
    const struct reload_settings *settings;
    int stop_fd;    /* eventfd: readable when we are stopping */
    int timer_fd;   /* readable when a change takes too long */
    int give_up_fd; /* epoll: readable when one of the two is */
    int news_fd;    /* eventfd: the main thread has done something */
    atomic_int is_staged, is_unstaged; /* ... namely */
};

/** @return RC_OK or RC_IO; change_host_fini() is due either way */
int change_host_init(struct change_host *host,
                     const struct reload_settings *settings, struct error *err);

/** Let what is under way give up; for good. */
void change_host_stop(struct change_host *host);
void change_host_fini(struct change_host *host);

/**
 * Do one, of answer->kind, up to COMMIT or ROLLBACK; the rest of the answer is
 * filled in but for drained_ms and killed. With RELOAD_DONE and not
 * RELOAD_TRY the former runners are draining when it returns.
 */
void change_run(struct change_host *host, struct reload_answer *answer);

/** After the drain: remove what nobody will go back to. */
void change_sweep(struct change_host *host);

#endif
