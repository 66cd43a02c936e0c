/* exec/exec.h: what the plugin's two modes have in common.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "child.h"
#include "verdict.h"

#include <pegboard/plugin.h>
#include <sys/stat.h>

/** The plugin, from init() on. */
struct exec {
    peg_ctx *ctx;
    struct program program;
    int is_lines;
    struct child child; /* of `lines` it lives from event to event, */
    struct stat file;   /* started from this program */

    /* What the child wrote during this event. */
    unsigned logged; /* lines */
    char last_out[VERDICT_REASON_MAX + 1], last_err[VERDICT_REASON_MAX + 1];
    struct verdict answer; /* of `lines`: its line, once `answers` is 1 */
    const char *wrong;     /* what is wrong with that */
    unsigned answers;
};

/** When, by child_now_ms(), a handler is told to end, and made to. */
struct limits {
    int64_t start_ms, term_ms, kill_ms;
};

struct limits exec_limits(const peg_event *ev);

/** Forget what the child wrote, when nobody asks for it any more; but tell how
 * many lines were not logged. */
void exec_forget(struct exec *exec);

/** Say how the child ended: "exit status 3", "killed by SIGSEGV". */
void exec_describe_end(const struct child *child, char *out, size_t size);

/**
 * Start the child.
 *
 * @param ev     as in facts_environment()
 * @param input  as in child_start()
 * @return 0, or -1 with errno
 */
int exec_start(struct exec *exec, const peg_event *ev, const peg_str *input,
               int64_t left_ms);

/** A process for each event: exit status in, verdict out. */
int32_t oneshot_handle(struct exec *exec, const peg_event *ev);

/** A process for all of them: a line in, a line out.
 * @return 0, or -1 when it does not start, which is logged */
int lines_init(struct exec *exec);
int32_t lines_handle(struct exec *exec, const peg_event *ev);
void lines_fini(struct exec *exec);

#endif
