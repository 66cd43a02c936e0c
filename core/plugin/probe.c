/* core/plugin/probe.c: what is in a plugin's file, learned in a process that
 * may die of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/probe.h"

#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/handshake.h"
#include "plugin/runner.h"

#include <poll.h>
#include <string.h>

/* How long a probed runner may take to leave by itself. */
#define LEAVE_MS 2000

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

/* Why no frame came, and what that says about the plugin. Ends the runner. */
static int
explain(struct runner *runner, int rc, const char *doing, struct error *err)
{
    if (rc == RC_BUSY) {
        end_runner(runner, 0);
        return error_set(err, RC_CLOSED, "%s: given up", doing);
    }
    if (rc == RC_TIMEOUT) {
        end_runner(runner, 0);
        return error_set(err, RC_INVALID, "%s takes more than %d s", doing,
                         PROBE_TIMEOUT_MS / 1000);
    }
    if (rc != RC_CLOSED) {
        end_runner(runner, 0);
        return error_set(err, rc == RC_NOMEM ? rc : RC_INVALID,
                         "%s: the runner spoke nonsense (does the plugin "
                         "write to descriptor 3?)",
                         doing);
    }
    char end[64];
    struct pollfd fd = {.fd = runner->pid_fd, .events = POLLIN};
    if (poll(&fd, 1, LEAVE_MS) != 1) {
        end_runner(runner, 0);
        return error_set(err, RC_INVALID, "%s: the runner closed its socket",
                         doing);
    }
    int status = 0;
    runner_reap(runner, 1, &status);
    runner_describe_end(status, end, sizeof(end));
    return error_set(err, RC_INVALID, "%s ends the process: %s", doing, end);
}

static int
await_manifest(struct runner *runner, int stop_fd, struct manifest *out,
               struct error *err)
{
    struct wire_frame frame;
    int rc = runner_await(runner, clock_mono_ms() + PROBE_TIMEOUT_MS, stop_fd,
                          &frame, log_line, runner);
    if (rc != RC_OK) {
        return explain(runner, rc, "loading it", err);
    }
    rc = handshake_manifest(&frame, out, err);
    if (rc != RC_OK) {
        end_runner(runner, 1);
    }
    return rc;
}

int
probe_load(const struct config_plugin *config, const char *path, int stop_fd,
           struct manifest *out, struct error *err)
{
    struct runner *runner;
    int rc = runner_start(&runner, config, path, err);
    if (rc == RC_OK) {
        rc = await_manifest(runner, stop_fd, out, err);
        if (rc == RC_OK) {
            end_runner(runner, 1);
        }
    }
    return rc;
}

int
probe_init(const struct plugin *plugin, struct error *err)
{
    struct runner *runner;
    struct manifest manifest = {0};
    int rc = runner_start(&runner, plugin->config, plugin->snapshot.path, err);
    if (rc == RC_OK) {
        rc = await_manifest(runner, -1, &manifest, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    manifest_fini(&manifest);

    rc = handshake_init(runner, plugin);
    int64_t deadline_ms = clock_mono_ms() + PROBE_TIMEOUT_MS;
    while (rc == RC_OK) {
        struct wire_frame frame;
        rc = runner_await(runner, deadline_ms, -1, &frame, log_line, runner);
        if (rc != RC_OK) {
            return explain(runner, rc, "init()", err);
        }
        if (frame.header.type == WIRE_LOG) {
            handshake_log(&frame, plugin->config->name);
            continue;
        }
        rc = handshake_ready(&frame, err);
        break;
    }
    end_runner(runner, 1);
    return rc;
}
