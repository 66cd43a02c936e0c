/* core/runner/process.h: make this process one that code of others may run in:
 * it dies with its daemon, gains no rights, and leaves no core.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

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
 * that it may close or write to by mistake.
 *
 * @return the new one, blocking and closed on exec, or RC_IO
 */
int process_hide_fd(int fd, struct error *err);

/** Keep events, which are personal data, out of core files. */
int process_forbid_core(struct error *err);

/** What ps and top show: "peg:NAME". */
void process_set_name(const char *plugin);

#endif
