/* core/runner/process.h: make this process one that code of others may run in:
 * it dies with its daemon and gains no rights. What it may do besides is the
 * sandbox's (sandbox.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

#include <sys/resource.h>

struct error; /* error.h */

/**
 * To be called first.
 *
 * @param parent_pid  the daemon's; when it is gone already, we are not needed
 * @return RC_OK, RC_CLOSED (the parent is gone) or RC_IO
 */
int process_confine(int parent_pid, struct error *err);

/**
 * Move a descriptor out of the way of plugin code: away from the low numbers
 * that it may close or write to by mistake. Before the limit on open files is
 * lowered: it may be lower than where this one goes.
 *
 * @return the new one, blocking and closed on exec, or RC_IO
 */
int process_hide_fd(int fd, struct error *err);

/** End with the daemon: the kernel kills us when the thread that started us is
 * gone. A change of user takes that back.
 * @return RC_OK, RC_CLOSED (the parent is gone) or RC_IO */
int process_die_with(int parent_pid, struct error *err);

/** Lower a limit (RLIMIT_*), hard and soft; never raise one. */
int process_limit(int resource, rlim_t most, struct error *err);

/** What ps and top show: "peg:NAME". */
void process_set_name(const char *plugin);

#endif
