/* core/plugin/probe.c: what is in a plugin's file, learned in a process that
 * may die of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/probe.h"

#include "clock.h"
#include "error.h"
#include "log.h"
#include "plugin/handshake.h"
#include "plugin/runner.h"

#include <poll.h>

/* How long a probed runner may take to leave by itself. */
#define LEAVE_MS 2000

/* What it may have to say before it says what it has loaded: of its sandbox. */
#define WORDS_MAX 1

static void
log_line(void *arg, const char *line, size_t len)
{
    const struct runner *runner = arg;
    struct log_value text;
    log_write(LOG_WARN, "plugin", "output while loading", "plugin=%s text=%s",
              runner->is.name, log_quote(&text, line, len));
}

/* End a runner whose answer is known; `polite` lets it leave by itself. */
static int
end_runner(struct runner *runner, int polite)
{
    int status = 0;
    if (polite) {
        runner_quit(runner);
        struct pollfd fd = {.fd = runner->pid_fd, .events = POLLIN};
        if (poll(&fd, 1, LEAVE_MS) == 1) {
            runner_reap(runner, 1, &status);
            return status;
        }
    }
    runner_kill(runner);
    runner_reap(runner, 1, &status);
    return status;
}

int
probe_explain(struct runner *runner, int rc, const char *doing,
              struct error *err)
{
    int status = 0;
    struct pollfd fd = {.fd = runner->pid_fd, .events = POLLIN};
    if (rc == RC_CLOSED && poll(&fd, 1, LEAVE_MS) == 1) {
        runner_reap(runner, 1, &status);
        return handshake_explain(HANDSHAKE_ENDED, doing, status, err);
    }
    end_runner(runner, 0);
    if (rc == RC_BUSY) {
        return error_set(err, RC_CLOSED, "%s: given up", doing);
    }
    if (rc == RC_NOMEM) {
        return error_set(err, rc, "%s: out of memory", doing);
    }
    return handshake_explain(rc == RC_TIMEOUT  ? HANDSHAKE_LATE
                             : rc == RC_CLOSED ? HANDSHAKE_CLOSED
                                               : HANDSHAKE_NONSENSE,
                             doing, 0, err);
}

static int
await_manifest(struct runner *runner, int stop_fd, struct manifest *out,
               struct error *err)
{
    struct wire_frame frame;
    int64_t deadline_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    int rc = RC_OK;
    for (int words = 0; words <= WORDS_MAX; words++) {
        rc = runner_await(runner, deadline_ms, stop_fd, &frame, log_line,
                          runner);
        if (rc != RC_OK) {
            return probe_explain(runner, rc, "loading it", err);
        }
        if (frame.header.type != WIRE_LOG) {
            break;
        }
        handshake_log(&frame, runner->is.name);
    }
    rc = handshake_manifest(&frame, out, err);
    end_runner(runner, 1);
    return rc;
}

int
probe_load(const struct config_plugin *config, const char *path, int stop_fd,
           struct manifest *out, struct error *err)
{
    struct runner *runner;
    int rc = runner_start(&runner, config, path, err);
    return rc == RC_OK ? await_manifest(runner, stop_fd, out, err) : rc;
}
