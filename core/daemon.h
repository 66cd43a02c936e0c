/* core/daemon.h: the daemon's life, from its configuration to its last answer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DAEMON_H
#define CORE_DAEMON_H

struct error;
struct inbox_stats;

/** What `serve` and `dev` do differently. */
struct daemon_settings {
    const char *config_path;
    int quiet;   /* do not print warnings of the configuration */
    int verbose; /* log level debug */
    int tail;  /* write tail lines to standard output; end with its terminal */
    int color; /* ... in colour */

    /** Called on the main thread when the daemon serves, with the first
     * listener's address ("http://127.0.0.1:4242"); not 0: stop with this exit
     * code. May be NULL. */
    int (*on_ready)(void *arg, const char *url);
    /** Called on the main thread now and then; returns -1 to go on, or the exit
     * code to stop with. May be NULL. */
    int (*on_turn)(void *arg, const struct inbox_stats *stats);
    /** Called on the main thread now and then, when on_turn() is; 1: reload.
     * May be NULL. */
    int (*wants_reload)(void *arg);
    void *arg;
};

/** Run until a signal says stop. @return an exit code of command.h */
int daemon_run(const struct daemon_settings *settings);

#endif
