/* core/plugin/runner.h: one runner process, as the daemon sees it.
 *
 * A runner belongs to one thread at a time: the main thread starts and ends it
 * (the kernel kills a child when the thread that made it exits, and main is the
 * one that stays), the dispatcher's thread feeds it in between. Nothing here
 * blocks but runner_await().
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RUNNER_H
#define CORE_RUNNER_H

#include "plugin/generation.h"
#include "plugin/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config_plugin;
struct error;

/** Whose runner it is, copied so that it outlives generations. */
struct runner_identity {
    uint32_t plugin;     /* its id in the inbox */
    unsigned generation; /* that it was started for */
    unsigned char fingerprint[PLUGIN_FINGERPRINT_BYTES];
    char digest[SNAPSHOT_DIGEST_MAX]; /* of its file */
    char name[MANIFEST_NAME_MAX + 1]; /* the plugin's */
};

#define RUNNER_LINE_MAX 1024 /* of a plugin's output; longer ones are cut */

struct runner {
    struct runner_identity is;
    pid_t pid;
    int pid_fd;       /* readable when the process has ended */
    int socket;       /* non-blocking stream of frames; -1 once closed */
    int output;       /* its stdout and stderr */
    int output_ended; /* nothing more will come; take it out of epoll, while it
                         is open: a child just being spawned may hold a copy,
                         and then closing does not */
    struct wire_writer frame; /* for building what is sent */
    char *out;                /* bytes the socket did not take yet */
    size_t out_len, out_cap;
    char *in; /* bytes received, not yet taken as frames */
    size_t in_len, in_cap, in_taken;
    char line[RUNNER_LINE_MAX + 1]; /* output since the last newline */
    size_t line_len;
};

/** Called with each line of output, without its newline. */
typedef void runner_line_fn(void *arg, const char *line, size_t len);

/**
 * Start `pegboard-runner serve` and send it HELLO for the .so at `path`.
 *
 * @param out     set on success only; the caller owns it: runner_kill(), then
 *                runner_reap()
 * @param plugin  for its name (put into runner->is, whose other fields are for
 *                whoever serves with it) and its environment
 * @return RC_OK, RC_IO, RC_NOMEM
 */
int runner_start(struct runner **out, const struct config_plugin *plugin,
                 const char *path, struct error *err);

/** Free what the daemon has of it: for runner_start() and runner_reap(). */
void runner_free(struct runner *runner);

/** Room for the path of pegboard-runner. */
#define RUNNER_PATH_MAX 4096

/** Where pegboard-runner is: beside this program. From any thread.
 * @return RC_OK, or RC_IO when it is not there */
int runner_program(char path[RUNNER_PATH_MAX], struct error *err);

/** Queue the frame built in runner->frame and send what the socket takes.
 * @return RC_OK, RC_CLOSED, RC_NOMEM */
int runner_send(struct runner *runner);

/** Send more of what is queued. @return RC_OK or RC_CLOSED */
int runner_flush(struct runner *runner);

/** Whether something waits for the socket to take it. */
int runner_is_writing(const struct runner *runner);

/**
 * Read from the socket until it is empty, or enough is there for one frame.
 * @return RC_OK, RC_CLOSED (end of stream), RC_INVALID (not frames), RC_NOMEM
 */
int runner_receive(struct runner *runner);

/** Whether the socket holds bytes that were not read yet. */
int runner_has_news(const struct runner *runner);

/** Take the next whole frame; it is valid until the next call.
 * @return RC_OK, RC_BUSY (none yet), RC_INVALID */
int runner_frame(struct runner *runner, struct wire_frame *frame);

/** Read the output that is there, line by line. A last line without a newline
 * is kept until `flush` is set or the output ends. */
void runner_output(struct runner *runner, int flush, runner_line_fn *fn,
                   void *arg);

/**
 * Wait for the next frame, passing output on.
 * @param deadline_ms  monotonic
 * @param stop_fd      when readable, wait no longer; -1 for none
 * @return RC_OK, RC_TIMEOUT, RC_BUSY when told to stop, RC_CLOSED, RC_INVALID,
 *         RC_NOMEM
 */
int runner_await(struct runner *runner, int64_t deadline_ms, int stop_fd,
                 struct wire_frame *frame, runner_line_fn *fn, void *arg);

/** Ask it to end: QUIT, and no more frames. */
void runner_quit(struct runner *runner);

/** SIGKILL to it and to all processes of its group. */
void runner_kill(struct runner *runner);

/**
 * Collect a runner that has ended, and free it. What is left of its process
 * group is killed.
 *
 * @param wait    1 to wait for its end, 0 to look only
 * @param status  as of waitpid(); may be NULL
 * @return RC_OK, or RC_BUSY when it still runs (and nothing was freed)
 */
int runner_reap(struct runner *runner, int wait, int *status);

/** Whether it has ended, and how, without collecting it.
 * @return RC_OK and *status as of waitpid(), or RC_BUSY */
int runner_ended(struct runner *runner, int *status);

/** "killed by signal 11 (SIGSEGV)", "exited with status 3". */
void runner_describe_end(int status, char *out, size_t size);

#endif
