/* plugins/exec/exec.c: hands events to a program, in whatever language.
 * SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exec.h"
#include "facts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lines that are logged for one event; more are counted. */
#define LOG_LINES_MAX 200

/* A handler is told to end this long before its runner is killed, but keeps
 * three quarters of a short time. */
#define MARGIN_MS 2000

static const peg_option options[] = {
    {"command", PEG_OPTION_STRING, PEG_OPTION_REQUIRED, NULL,
     "the program and its arguments; quote with ' or \""},
    {"mode", PEG_OPTION_STRING, 0, "oneshot",
     "oneshot: started for each event; lines: runs on, a line for each"},
    {"shell", PEG_OPTION_BOOL, 0, "no", "yes: command is for /bin/sh -c"},
    {"dir", PEG_OPTION_PATH, 0, ".", "folder in which it runs"},
};

/* ---- For both modes ------------------------------------------------- */

struct limits
exec_limits(const peg_event *ev)
{
    int64_t now_ms = child_now_ms(), left_ms = peg_ms_left(ev);
    int64_t margin_ms = left_ms / 4 < MARGIN_MS ? left_ms / 4 : MARGIN_MS;
    int64_t term_ms = now_ms + left_ms - margin_ms;
    return (struct limits){now_ms, term_ms, term_ms + margin_ms / 2};
}

void
exec_forget(struct exec *exec)
{
    if (exec->logged > LOG_LINES_MAX) {
        peg_warn(exec->ctx, "%u more lines are not logged",
                 exec->logged - LOG_LINES_MAX);
    }
    exec->logged = 0;
    exec->answers = 0;
    exec->last_out[0] = exec->last_err[0] = '\0';
}

/* Log a line of the child, at the level that "<3>" in front of it asks for, as
 * systemd has it: 0 to 3 error, 4 warning, 5 and 6 info, 7 debug.
 * Source: sd-daemon(3).
 * @return what is behind that */
static const char *
log_line(struct exec *exec, const char *line)
{
    int32_t level = PEG_LOG_INFO;
    if (line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
        static const int32_t levels[] = {
            PEG_LOG_ERROR, PEG_LOG_ERROR, PEG_LOG_ERROR, PEG_LOG_ERROR,
            PEG_LOG_WARN,  PEG_LOG_INFO,  PEG_LOG_INFO,  PEG_LOG_DEBUG};
        level = levels[line[1] - '0'];
        line += 3;
    }
    if (line[0] != '\0' && exec->logged++ < LOG_LINES_MAX) {
        peg_log(exec->ctx, level, "%s", line);
    }
    return line;
}

static void
keep(char *to, const char *line)
{
    size_t len = strnlen(line, VERDICT_REASON_MAX);
    memcpy(to, line, len);
    to[len] = '\0';
}

/* A child_line_fn. */
static void
hear(void *arg, enum child_stream from, char *line, size_t len, int is_cut)
{
    struct exec *exec = arg;
    if (len == 0) {
        return;
    }
    if (from == CHILD_ERR) {
        keep(exec->last_err, log_line(exec, line));
    } else if (exec->is_lines) {
        if (exec->answers++ == 0) {
            exec->wrong =
                is_cut ? "it is too long" : verdict_read(&exec->answer, line);
        }
        keep(exec->last_out, line);
    } else {
        if (exec->last_out[0] != '\0') {
            log_line(exec, exec->last_out);
        }
        keep(exec->last_out, line);
    }
}

void
exec_describe_end(const struct child *child, char *out, size_t size)
{
    int status = child->end.status;
    if (child->lost) {
        snprintf(out, size, "killed, nobody saw how");
    } else if (child->end.failed != 0) {
        snprintf(out, size, "cannot be run: %s%s", strerror(child->end.failed),
                 child->end.failed == ENOEXEC
                     ? " (a script begins with #!/path/of/interpreter)"
                 : child->end.failed == ENOENT
                     ? " (or the interpreter behind its #!)"
                     : "");
    } else if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(out, size, "killed by SIG%s", name != NULL ? name : "?");
    } else {
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
    }
}

int
exec_start(struct exec *exec, const peg_event *ev, const peg_str *input,
           int64_t left_ms)
{
    char **env = facts_environment(ev, left_ms);
    if (env == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int rc = child_start(&exec->child, &exec->program, env,
                         input == NULL ? NULL : input->ptr,
                         input == NULL ? 0 : input->len);
    facts_free_environment(env);
    return rc;
}

/* ---- The plugin ----------------------------------------------------- */

static int
read_mode(struct exec *exec)
{
    peg_str mode;
    if (peg_option_str(exec->ctx, "mode", &mode) != PEG_OK) {
        return -1;
    }
    exec->is_lines = strcmp(mode.ptr, "lines") == 0;
    if (!exec->is_lines && strcmp(mode.ptr, "oneshot") != 0) {
        peg_error(exec->ctx, "mode is oneshot or lines, not %s", mode.ptr);
        return -1;
    }
    return 0;
}

static int
read_command(struct exec *exec)
{
    peg_str command, dir;
    int64_t shell;
    char why[1024];
    const char *path = getenv("PATH");
    if (peg_option_str(exec->ctx, "command", &command) != PEG_OK ||
        peg_option_str(exec->ctx, "dir", &dir) != PEG_OK ||
        peg_option_i64(exec->ctx, "shell", &shell) != PEG_OK) {
        return -1;
    }
    if (command_init(&exec->program, command.ptr, shell != 0, dir.ptr,
                     path != NULL ? path : COMMAND_PATH, why,
                     sizeof(why)) != 0) {
        peg_error(exec->ctx, "%s", why);
        return -1;
    }
    return 0;
}

static void
end(struct exec *exec)
{
    lines_fini(exec);
    exec_forget(exec);
    command_fini(&exec->program);
    free(exec);
}

static int32_t
init(peg_ctx *ctx)
{
    struct exec *exec = calloc(1, sizeof(*exec));
    if (exec == NULL) {
        peg_error(ctx, "out of memory");
        return -1;
    }
    exec->ctx = ctx;
    exec->child.fn = hear;
    exec->child.arg = exec;
    if (read_mode(exec) != 0 || read_command(exec) != 0 ||
        (exec->is_lines && lines_init(exec) != 0)) {
        end(exec);
        return -1;
    }
    ctx->user = exec;
    return 0;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    struct exec *exec = ctx->user;
    return exec->is_lines ? lines_handle(exec, ev) : oneshot_handle(exec, ev);
}

static void
shutdown(peg_ctx *ctx)
{
    end(ctx->user);
}

PEG_PLUGIN(.name = "exec", .version = "1.0",
           .summary = "hands events to a program in any language",
           PEG_EVENTS("*"), PEG_OPTIONS(options), .init = init,
           .handle = handle, .shutdown = shutdown);
