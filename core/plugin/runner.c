/* core/plugin/runner.c: talking with a runner process, and its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/runner.h"

#include "clock.h"
#include "error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 65536

/* Reads of its output in one go: a flood must not hold up the others. All that
 * a pipe holds is read when the output is flushed. */
#define OUTPUT_READS     4
#define OUTPUT_READS_ALL 20

/* ---- Frames --------------------------------------------------------- */

int
runner_flush(struct runner *runner)
{
    size_t sent = 0;
    while (sent < runner->out_len) {
        ssize_t n = send(runner->socket, runner->out + sent,
                         runner->out_len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            break;
        }
        sent += (size_t)n;
    }
    int closed = sent < runner->out_len && errno != EAGAIN;
    runner->out_len -= sent;
    if (runner->out_len > 0) {
        memmove(runner->out, runner->out + sent, runner->out_len);
    }
    return closed ? RC_CLOSED : RC_OK;
}

int
runner_send(struct runner *runner)
{
    if (wire_end(&runner->frame) != RC_OK) {
        return RC_NOMEM;
    }
    size_t need = runner->out_len + runner->frame.len;
    if (need > runner->out_cap) {
        char *more = realloc(runner->out, need);
        if (more == NULL) {
            return RC_NOMEM;
        }
        runner->out = more;
        runner->out_cap = need;
    }
    memcpy(runner->out + runner->out_len, runner->frame.bytes,
           runner->frame.len);
    runner->out_len = need;
    return runner_flush(runner);
}

int
runner_is_writing(const struct runner *runner)
{
    return runner->out_len > 0;
}

static int
make_room(struct runner *runner)
{
    runner->in_len -= runner->in_taken;
    if (runner->in_len > 0) {
        memmove(runner->in, runner->in + runner->in_taken, runner->in_len);
    }
    runner->in_taken = 0;
    if (runner->in_cap - runner->in_len >= READ_BYTES) {
        return RC_OK;
    }
    if (runner->in_len > WIRE_REPLY_MAX + WIRE_HEADER_BYTES) {
        return RC_INVALID; /* more than a frame, and still not one */
    }
    char *more = realloc(runner->in, runner->in_len + READ_BYTES);
    if (more == NULL) {
        return RC_NOMEM;
    }
    runner->in = more;
    runner->in_cap = runner->in_len + READ_BYTES;
    return RC_OK;
}

int
runner_receive(struct runner *runner)
{
    int rc = make_room(runner);
    if (rc != RC_OK) {
        return rc;
    }
    ssize_t n;
    do {
        n = recv(runner->socket, runner->in + runner->in_len,
                 runner->in_cap - runner->in_len, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        runner->in_len += (size_t)n;
        return RC_OK;
    }
    return n < 0 && errno == EAGAIN ? RC_OK : RC_CLOSED;
}

int
runner_has_news(const struct runner *runner)
{
    char byte;
    return recv(runner->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

int
runner_frame(struct runner *runner, struct wire_frame *frame)
{
    int rc =
        wire_peek(runner->in + runner->in_taken,
                  runner->in_len - runner->in_taken, WIRE_REPLY_MAX, frame);
    if (rc == RC_OK) {
        runner->in_taken += frame->frame_bytes;
    }
    return rc;
}

int
runner_await(struct runner *runner, int64_t deadline_ms, int stop_fd,
             struct wire_frame *frame, runner_line_fn *fn, void *arg)
{
    for (;;) {
        int rc = runner_frame(runner, frame);
        if (rc != RC_BUSY) {
            runner_output(runner, 0, fn, arg);
            return rc;
        }
        struct pollfd fds[3] = {
            {.fd = runner->socket,
             .events = runner_is_writing(runner) ? POLLIN | POLLOUT : POLLIN},
            {.fd = runner->output_ended ? -1 : runner->output,
             .events = POLLIN},
            {.fd = stop_fd, .events = POLLIN}};
        int n = poll(fds, 3, clock_poll_ms(deadline_ms));
        if (n == 0 || clock_mono_ms() >= deadline_ms) {
            return RC_TIMEOUT; /* also when output never ceases */
        }
        if (n < 0) {
            continue; /* EINTR: look at the clock again */
        }
        if (fds[2].revents != 0) {
            return RC_BUSY;
        }
        if (fds[1].revents != 0) {
            runner_output(runner, 0, fn, arg);
        }
        if ((fds[0].revents & POLLOUT) != 0) {
            runner_flush(runner); /* its end shows when reading */
        }
        if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            rc = runner_receive(runner);
            if (rc != RC_OK) {
                runner_output(runner, 1, fn, arg);
                return rc;
            }
        }
    }
}

/* ---- Output --------------------------------------------------------- */

static void
pass_line(struct runner *runner, runner_line_fn *fn, void *arg)
{
    if (runner->line_len > 0 && fn != NULL) {
        fn(arg, runner->line, runner->line_len);
    }
    runner->line_len = 0;
}

static void
take_output(struct runner *runner, const char *bytes, size_t len,
            runner_line_fn *fn, void *arg)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            pass_line(runner, fn, arg);
        } else if (runner->line_len < RUNNER_LINE_MAX) {
            runner->line[runner->line_len++] = bytes[i];
        }
    }
}

void
runner_output(struct runner *runner, int flush, runner_line_fn *fn, void *arg)
{
    char bytes[4096];
    /* A flood of output must not hold up the other runners: what is left is
     * read in the next round. */
    int most = flush ? OUTPUT_READS_ALL : OUTPUT_READS;
    for (int rounds = 0; rounds < most && !runner->output_ended; rounds++) {
        ssize_t n = read(runner->output, bytes, sizeof(bytes));
        if (n > 0) {
            take_output(runner, bytes, (size_t)n, fn, arg);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            pass_line(runner, fn, arg);
            runner->output_ended = 1;
        }
    }
    if (flush) {
        pass_line(runner, fn, arg);
    }
}

/* ---- Ending --------------------------------------------------------- */

void
runner_quit(struct runner *runner)
{
    wire_begin(&runner->frame, WIRE_QUIT, 0);
    runner_send(runner); /* a closed socket means that it has ended */
}

void
runner_kill(struct runner *runner)
{
    kill(-runner->pid, SIGKILL);
    kill(runner->pid, SIGKILL); /* should it have left its group */
}

int
runner_reap(struct runner *runner, int wait, int *status)
{
    siginfo_t info;
    int rc;
    do {
        info.si_pid = 0;
        rc = waitid(P_PID, (id_t)runner->pid, &info,
                    WEXITED | WNOWAIT | (wait ? 0 : WNOHANG));
    } while (rc != 0 && errno == EINTR);
    if (rc == 0 && info.si_pid == 0) {
        return RC_BUSY;
    }
    /* Not collected yet, its number still names its group and nobody else's:
     * end what it left behind. */
    kill(-runner->pid, SIGKILL);
    int ended = 0;
    waitpid(runner->pid, &ended, 0);
    if (status != NULL) {
        *status = ended;
    }
    runner_free(runner);
    return RC_OK;
}

int
runner_ended(struct runner *runner, int *status)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)runner->pid, &info, WEXITED | WNOWAIT | WNOHANG) !=
            0 ||
        info.si_pid == 0) {
        return RC_BUSY;
    }
    *status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                         : info.si_status;
    return RC_OK;
}

void
runner_describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(out, size, "killed by signal %d (SIG%s)", WTERMSIG(status),
                 name != NULL ? name : "?");
    } else {
        snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
    }
}
