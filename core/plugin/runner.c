/* core/plugin/runner.c: one runner process, as the daemon sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/runner.h"

#include "clock.h"
#include "config/config.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 65536

const char *
runner_program(struct error *err)
{
    static char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 32);
    if (len < 0) {
        error_errno(err, RC_IO, errno, "plugin: cannot find this program");
        return NULL;
    }
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash + 1, "pegboard-runner");
    if (access(path, X_OK) != 0) {
        error_errno(err, RC_IO, errno,
                    "plugin: no runner at %s (it belongs beside pegboard)",
                    path);
        return NULL;
    }
    return path;
}

/* ---- Starting ----------------------------------------------------------- */

/* What a child gets instead of our environment. */
static char **
make_environment(const struct config_plugin *plugin)
{
    char **env = calloc(plugin->env_count + 4, sizeof(*env));
    if (env == NULL) {
        return NULL;
    }
    size_t n = 0;
    env[n++] = strdup("PATH=/usr/local/bin:/usr/bin:/bin");
    env[n++] = strdup("LANG=C.UTF-8");
    env[n++] = strdup("TZ=UTC");
    for (size_t i = 0; i < plugin->env_count; i++) {
        if (asprintf(&env[n], "%s=%s", plugin->env[i].key,
                     plugin->env[i].value) < 0) {
            env[n] = NULL;
        }
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        if (env[i] == NULL) {
            for (size_t j = 0; j < n; j++) {
                free(env[j]);
            }
            free(env);
            return NULL;
        }
    }
    return env;
}

static void
free_environment(char **env)
{
    for (char **at = env; at != NULL && *at != NULL; at++) {
        free(*at);
    }
    free(env);
}

/* vfork-style: cheap whatever our size. The child leads a process group of its
 * own, has default signals, null as stdin, and no descriptor of ours: CivetWeb
 * sets close-on-exec late, so all above 3 are closed by number. */
static int
spawn(struct runner *runner, const char *program, char **env, int socket,
      int output, struct error *err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);

    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawn_file_actions_adddup2(&files, socket, 3);
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
                                        POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);

    char parent[24];
    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    char name[] = "pegboard-runner", mode[] = "serve";
    char *argv[] = {name, mode, parent, NULL};
    int rc = posix_spawn(&runner->pid, program, &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        return error_errno(err, RC_IO, rc, "plugin %s: cannot start a runner",
                           runner->name);
    }
    runner->pid_fd = pidfd_open(runner->pid, 0);
    if (runner->pid_fd < 0) {
        int saved = errno;
        kill(-runner->pid, SIGKILL);
        waitpid(runner->pid, NULL, 0);
        return error_errno(err, RC_IO, saved, "plugin %s: no pidfd",
                           runner->name);
    }
    return RC_OK;
}

static void
free_runner(struct runner *runner)
{
    if (runner->socket >= 0) {
        close(runner->socket);
    }
    if (runner->output >= 0) {
        close(runner->output);
    }
    if (runner->pid_fd >= 0) {
        close(runner->pid_fd);
    }
    wire_writer_fini(&runner->frame);
    free(runner->out);
    free(runner->in);
    free(runner);
}

static int
open_channels(struct runner *runner, int *child_socket, int *child_output,
              struct error *err)
{
    int pair[2], pipes[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return error_errno(err, RC_IO, errno, "plugin %s: no socket",
                           runner->name);
    }
    runner->socket = pair[0];
    *child_socket = pair[1];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return error_errno(err, RC_IO, errno, "plugin %s: no pipe",
                           runner->name);
    }
    runner->output = pipes[0];
    *child_output = pipes[1];
    fcntl(runner->socket, F_SETFL, O_NONBLOCK);
    fcntl(runner->output, F_SETFL, O_NONBLOCK);
    return RC_OK;
}

/* dup2() onto itself would keep close-on-exec: keep clear of 0 to 3. */
static int
move_above_3(int *fd)
{
    if (*fd > 3) {
        return RC_OK;
    }
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 4);
    if (moved < 0) {
        return RC_IO;
    }
    close(*fd);
    *fd = moved;
    return RC_OK;
}

int
runner_start(struct runner **out, const struct config_plugin *plugin,
             const char *path, struct error *err)
{
    const char *program = runner_program(err);
    if (program == NULL) {
        return RC_IO;
    }
    struct runner *runner = calloc(1, sizeof(*runner));
    char **env = make_environment(plugin);
    if (runner == NULL || env == NULL) {
        free(runner);
        free_environment(env);
        return error_set(err, RC_NOMEM, "plugin: out of memory");
    }
    runner->name = plugin->name;
    runner->socket = runner->output = runner->pid_fd = -1;

    int child_socket = -1, child_output = -1;
    int rc = open_channels(runner, &child_socket, &child_output, err);
    if (rc == RC_OK && (move_above_3(&child_socket) != RC_OK ||
                        move_above_3(&child_output) != RC_OK)) {
        rc = error_errno(err, RC_IO, errno, "plugin %s: no descriptors",
                         plugin->name);
    }
    if (rc == RC_OK) {
        rc = spawn(runner, program, env, child_socket, child_output, err);
    }
    free_environment(env);
    if (child_socket >= 0) {
        close(child_socket);
    }
    if (child_output >= 0) {
        close(child_output);
    }
    if (rc != RC_OK) {
        free_runner(runner);
        return rc;
    }

    wire_begin(&runner->frame, WIRE_HELLO, 0);
    wire_put_u32(&runner->frame, WIRE_VERSION);
    wire_put_cstr(&runner->frame, plugin->name);
    wire_put_cstr(&runner->frame, path);
    wire_put_u32(&runner->frame, 0);
    rc = runner_send(runner);
    if (rc == RC_NOMEM) {
        runner_kill(runner);
        runner_reap(runner, 1, NULL);
        return error_set(err, rc, "plugin: out of memory");
    }
    *out = runner; /* RC_CLOSED shows again when its end is noticed */
    return RC_OK;
}

/* ---- Frames ---------------------------------------------------------------- */

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
    int rc = wire_peek(runner->in + runner->in_taken,
                       runner->in_len - runner->in_taken, WIRE_REPLY_MAX,
                       frame);
    if (rc == RC_OK) {
        runner->in_taken += frame->frame_bytes;
    }
    return rc;
}

int
runner_await(struct runner *runner, int64_t deadline_ms,
             struct wire_frame *frame, runner_line_fn *fn, void *arg)
{
    for (;;) {
        int rc = runner_frame(runner, frame);
        if (rc != RC_BUSY) {
            runner_output(runner, 0, fn, arg);
            return rc;
        }
        struct pollfd fds[2] = {
            {.fd = runner->socket,
             .events = runner_is_writing(runner) ? POLLIN | POLLOUT : POLLIN},
            {.fd = runner->output, .events = POLLIN}};
        int n = poll(fds, 2, clock_poll_ms(deadline_ms));
        if (n == 0) {
            return RC_TIMEOUT;
        }
        if (n < 0) {
            continue; /* EINTR: look at the clock again */
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

/* ---- Output ----------------------------------------------------------------- */

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
    for (int rounds = 0; rounds < 32 && runner->output >= 0; rounds++) {
        ssize_t n = read(runner->output, bytes, sizeof(bytes));
        if (n > 0) {
            take_output(runner, bytes, (size_t)n, fn, arg);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            pass_line(runner, fn, arg);
            close(runner->output);
            runner->output = -1;
        }
    }
    if (flush) {
        pass_line(runner, fn, arg);
    }
}

/* ---- Ending ------------------------------------------------------------------ */

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
    free_runner(runner);
    return RC_OK;
}

int
runner_ended(struct runner *runner, int *status)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)runner->pid, &info,
               WEXITED | WNOWAIT | WNOHANG) != 0 ||
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
