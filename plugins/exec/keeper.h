/* exec/keeper.h: the process between a runner and its handler, which sees to it
 * that nothing of the handler outlives its end or the runner's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_KEEPER_H
#define EXEC_KEEPER_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/** What to run. */
struct program {
    char *path;  /* absolute */
    char **argv; /* ends with NULL */
    char *dir;   /* where it starts */
};

/** Signals that the keeper takes. The second also comes from the kernel, when
 * the runner is gone. */
#define KEEPER_TERM SIGTERM /* pass SIGTERM on to the handler's group */
#define KEEPER_KILL SIGUSR1 /* kill all */

/** What comes through `report`, once, when all is over; an end of file without
 * it means that the keeper was killed. */
struct keeper_report {
    int32_t failed; /* errno: the program could not be run; or 0 */
    int32_t status; /* as of waitpid() */
};

/**
 * Start a keeper and its handler. To be called on the main thread: the two end
 * when the thread that started them does.
 *
 *   runner ── keeper ── handler ── what the handler starts
 *
 * The keeper has a process group of its own, so that a kill of the runner's
 * group does not take it before it has done its work; so has the handler, which
 * can then be ended with all of its group. What leaves that group is left to
 * the keeper by the kernel when its parent ends, and killed too.
 *
 * @param ends    the handler's stdin, stdout and stderr; the caller's to close
 * @param report  of a pipe, to be closed on exec; the caller's to close
 * @return the keeper, to be waited for after its report, or -1 with errno
 */
pid_t keeper_start(const struct program *program, char *const env[],
                   const int ends[3], int report);

/**
 * Kill and collect all children of this process, which must have no others.
 * To be called when a keeper has ended: one that was killed before its work was
 * done left it to the runner.
 */
void keeper_sweep(void);

#endif
