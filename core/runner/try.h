/* core/runner/try.h: a plugin and one event in the foreground, for its author:
 * no sandbox and no time limit, so that gdb, valgrind and ASan work.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRY_H
#define CORE_TRY_H

#include "runner/given.h"
#include "runner/tried.h"

#include <stdint.h>

struct try_args {
    const char *plugin; /* path of the .so */
    const char *event;  /* path of the event, or "-" */
    struct given given; /* options */
    int64_t repeat;     /* times handle() is called */
    int64_t timeout_ms; /* what peg_ms_left() starts from */
    struct tried_wish wish;
    enum tried_form form;
};

enum try_exit {
    TRY_OK = 0,     /* done or skip, or what was expected */
    TRY_FAILED = 1, /* retry or fail, or not what was expected */
    TRY_USAGE = 2,
    TRY_REFUSED = 3, /* the plugin or its options */
    TRY_EVENT = 4,   /* no event at that path, or not one */
};

/** Run it; verdicts go to stdout, all else to stderr. What handle() writes to
 * the plugin's store is kept in memory, from one call to the next, and shown.
 * @return enum try_exit */
int try_run(const struct try_args *args);

#endif
