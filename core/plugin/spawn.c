/* core/plugin/spawn.c: starting a runner process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/runner.h"

#include "config/config.h"
#include "error.h"
#include "plugin/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int
runner_program(char path[RUNNER_PATH_MAX], struct error *err)
{
    static const char name[] = "pegboard-runner";
    ssize_t len =
        readlink("/proc/self/exe", path, RUNNER_PATH_MAX - sizeof(name));
    if (len < 0) {
        return error_errno(err, RC_IO, errno,
                           "plugin: cannot find this program");
    }
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash + 1, name);
    if (access(path, X_OK) != 0) {
        return error_errno(err, RC_IO, errno,
                           "plugin: no runner at %s (it belongs beside "
                           "pegboard)",
                           path);
    }
    return RC_OK;
}

static void
free_environment(char **env)
{
    for (char **at = env; at != NULL && *at != NULL; at++) {
        free(*at);
    }
    free(env);
}

/* What a child gets instead of our environment: the `env.` keys, nothing else.
 */
static char **
make_environment(const struct config_plugin *plugin)
{
    char **env = calloc(plugin->env_count + 1, sizeof(*env));
    for (size_t i = 0; env != NULL && i < plugin->env_count; i++) {
        if (asprintf(&env[i], "%s=%s", plugin->env[i].key,
                     plugin->env[i].value) < 0) {
            env[i] = NULL; /* ends the list */
            free_environment(env);
            return NULL;
        }
    }
    return env;
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
                           runner->is.name);
    }
    runner->pid_fd = pidfd_open(runner->pid, 0);
    if (runner->pid_fd < 0) {
        int saved = errno;
        kill(-runner->pid, SIGKILL);
        waitpid(runner->pid, NULL, 0);
        return error_errno(err, RC_IO, saved, "plugin %s: no pidfd",
                           runner->is.name);
    }
    return RC_OK;
}

void
runner_free(struct runner *runner)
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
                           runner->is.name);
    }
    runner->socket = pair[0];
    *child_socket = pair[1];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return error_errno(err, RC_IO, errno, "plugin %s: no pipe",
                           runner->is.name);
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

static struct confinement
confinement_of(const struct config_plugin *plugin)
{
    struct confinement c = {
        .level = (uint32_t)plugin->sandbox,
        .is_required = (uint32_t)plugin->sandbox_required,
        .data_dir = plugin->data_dir != NULL ? plugin->data_dir : "",
        .port_count = (uint32_t)plugin->tcp_port_count,
        .uid = plugin->user != NULL ? (int64_t)plugin->uid : -1,
        .gid = plugin->user != NULL ? (int64_t)plugin->gid : -1,
        .keep_core = (uint32_t)plugin->core_dumps,
        .files = plugin->limit_files,
        .file_bytes = plugin->limit_file_size,
        .memory_bytes = plugin->limit_memory,
        .processes = plugin->limit_processes,
    };
    for (uint32_t i = 0; i < c.port_count; i++) {
        c.ports[i] = plugin->tcp_ports[i];
    }
    return c;
}

int
runner_start(struct runner **out, const struct config_plugin *plugin,
             const char *path, struct error *err)
{
    char program[RUNNER_PATH_MAX];
    int rc = runner_program(program, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct runner *runner = calloc(1, sizeof(*runner));
    char **env = make_environment(plugin);
    if (runner == NULL || env == NULL) {
        free(runner);
        free_environment(env);
        return error_set(err, RC_NOMEM, "plugin: out of memory");
    }
    snprintf(runner->is.name, sizeof(runner->is.name), "%s", plugin->name);
    runner->socket = runner->output = runner->pid_fd = -1;

    int child_socket = -1, child_output = -1;
    rc = open_channels(runner, &child_socket, &child_output, err);
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
        runner_free(runner);
        return rc;
    }

    wire_begin(&runner->frame, WIRE_HELLO, 0);
    wire_put_u32(&runner->frame, WIRE_VERSION);
    wire_put_cstr(&runner->frame, plugin->name);
    wire_put_cstr(&runner->frame, path);
    const struct confinement confinement = confinement_of(plugin);
    confinement_put(&runner->frame, &confinement);
    rc = runner_send(runner);
    if (rc == RC_NOMEM) {
        runner_kill(runner);
        runner_reap(runner, 1, NULL);
        return error_set(err, rc, "plugin: out of memory");
    }
    *out = runner; /* RC_CLOSED shows again when its end is noticed */
    return RC_OK;
}
