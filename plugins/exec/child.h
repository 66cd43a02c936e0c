/* exec/child.h: a handler process as the plugin sees it: bytes in, lines out,
 * and its end. Of one thread, the main one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_CHILD_H
#define EXEC_CHILD_H

#include "keeper.h"

#include <stddef.h>

/** Longest line that is passed on; the rest of it is dropped. */
#define CHILD_OUT_MAX (64U << 10) /* of stdout: a verdict */
#define CHILD_ERR_MAX 1000U       /* of stderr: a log line */

enum child_stream { CHILD_OUT = 1, CHILD_ERR = 2 };

/**
 * A line that the handler wrote, without its end.
 *
 * @param line    `len` bytes, none of which is NUL; then one that is
 * @param is_cut  it was longer
 */
typedef void child_line_fn(void *arg, enum child_stream from, char *line,
                           size_t len, int is_cut);

/** Zeroed: no process. */
struct child {
    pid_t keeper; /* 0: no process */
    int in, out, err, report;
    const char *rest; /* what is still to be sent */
    size_t rest_len;
    char out_line[CHILD_OUT_MAX + 1], err_line[CHILD_ERR_MAX + 1];
    size_t out_len, err_len; /* of lines that are not whole yet, also where they
                                go beyond the room */
    struct keeper_report end; /* once it has ended: */
    int ended, lost;          /* lost: nobody knows how */
    child_line_fn *fn;
    void *arg;
};

/** Milliseconds of a clock that is never set. */
int64_t child_now_ms(void);

/**
 * Start a process.
 *
 * @param input  all that it will read: `len` bytes that are there, whole, even
 *               when we are not; or NULL: what child_send() sends
 * @return 0, or -1 with errno, and no process
 */
int child_start(struct child *child, const struct program *program,
                char *const env[], const char *input, size_t len);

/** Whether there is a process, as far as is known. */
int child_is_alive(const struct child *child);

/** Send bytes while child_turn() is called. They are the caller's, and must
 * stay until `rest_len` is 0. */
void child_send(struct child *child, const char *bytes, size_t len);

/** The handler shall see the end of its input. */
void child_close(struct child *child);

/** Wait until something happens, but not beyond `until_ms`, and take it. When
 * the handler ends, all that it wrote is taken too; only a line of its stdout
 * that has no end is kept back: child_flush(). */
void child_turn(struct child *child, int64_t until_ms);

/** Take what it wrote to stdout last as a line, though it has no end. */
void child_flush(struct child *child);

/**
 * Take turns until it has ended: SIGTERM at `term_ms`, SIGKILL at `kill_ms`,
 * and no longer than half of the time between the two after that.
 *
 * @return whether it was told to end
 */
int child_finish(struct child *child, int64_t term_ms, int64_t kill_ms);

#endif
