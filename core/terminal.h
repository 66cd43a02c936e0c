/* core/terminal.h: whether our terminal is still there.
 *
 * SIGHUP has two meanings: the terminal is gone, and whoever ran on it shall
 * end; or somebody wants a reload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TERMINAL_H
#define CORE_TERMINAL_H

/** Zeroed: we end with no terminal. */
struct terminal {
    int is_ours;
};

/** From now on we end with the terminal of our session, if it has one. Whoever
 * wants us to outlive it says so by ignoring SIGHUP, with nohup. */
void terminal_find(struct terminal *terminal);

/** Whether there was one, and is none any more: what SIGHUP means then. */
int terminal_is_gone(const struct terminal *terminal);

#endif
