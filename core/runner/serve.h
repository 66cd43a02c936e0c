/* core/runner/serve.h: the runner under its daemon: frames in, frames out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SERVE_H
#define CORE_SERVE_H

/**
 * Speak the wire on `fd` until the daemon says QUIT or goes away: confine this
 * process, load the plugin, get it ready, hand it one event after the other.
 *
 * @param parent_pid  the daemon's
 * @return the exit status: 0 after QUIT, EOF or REFUSED, 1 after a fault
 */
int serve_run(int fd, int parent_pid);

#endif
