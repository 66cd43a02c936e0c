/* core/cli/cmd_check.c: `pegboard check`: would it start?
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "checked.h"
#include "clock.h"
#include "config/config.h"
#include "error.h"
#include "plugin/generation.h"
#include "plugin/supervisor.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>

const struct flag check_flags[] = {
    {"no-init", 0, NULL, "do not run the plugins' init()"},
    {NULL, 0, NULL, NULL},
};

/* ---- Starting all of it, as a reload does ---------------------------- */

/* Nothing is switched to, so that no runner is ever handed over. */
static void
on_runner_ready(void *arg, struct runner *runner)
{
    (void)arg;
    (void)runner;
}

static void
on_done(void *arg, struct stage *stage)
{
    (void)stage;
    *(int *)arg = 1;
}

static void
on_unstaged(void *arg)
{
    *(int *)arg = 1;
}

/* Returns 0 when `stop_fd` (or -1) became readable first. */
static int
turn_until(struct supervisor *supervisor, const int *is_over, int stop_fd)
{
    struct pollfd fds[2] = {{.fd = supervisor_fd(supervisor), .events = POLLIN},
                            {.fd = stop_fd, .events = POLLIN}};
    while (!*is_over && fds[1].revents == 0) {
        poll(fds, 2, clock_poll_ms(supervisor_deadline_ms(supervisor)));
        supervisor_turn(supervisor);
    }
    return *is_over;
}

/* All runners are there at once, with three descriptors each. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* else a start fails, and says so */
    }
}

/* @return ... RC_CLOSED when told to stop */
static int
try_stage(struct stage *stage, int stop_fd, struct error *err)
{
    struct supervisor *supervisor;
    int is_done = 0, is_over = 0;
    raise_descriptor_limit();
    int rc = supervisor_open(&supervisor, on_runner_ready, NULL, err);
    if (rc != RC_OK) {
        return rc;
    }
    stage->done = on_done;
    stage->arg = &is_done;
    supervisor_stage(supervisor, stage);
    rc = turn_until(supervisor, &is_done, stop_fd) ? RC_OK : RC_CLOSED;
    supervisor_unstage(supervisor, stage, on_unstaged, &is_over);
    if (rc == RC_OK && !turn_until(supervisor, &is_over, stop_fd)) {
        rc = RC_CLOSED; /* shutdown() is not waited for */
    }
    supervisor_close(supervisor);
    return rc;
}

static size_t
print_failures(const struct stage *stage)
{
    size_t refused = 0;
    for (size_t i = 0; i < stage->count; i++) {
        const struct stage_plugin *tried = &stage->plugins[i];
        const struct config_plugin *config = tried->plugin->config;
        if (tried->failed) {
            fprintf(stderr, "%s:%d: plugin \"%s\": %s\n",
                    stage->generation->config->file, config->line, config->name,
                    tried->why);
            refused++;
        }
    }
    return refused;
}

/* Run init() of each plugin; returns the exit code. */
static int
check_inits(struct checked *checked)
{
    struct generation *generation = checked->generation;
    size_t count = generation->plugin_count;
    struct error err = {.text = "out of memory"};
    struct stage stage = {
        .generation = generation,
        .plugins = calloc(count + 1, sizeof(*stage.plugins)),
        .count = count,
    };
    for (size_t i = 0; stage.plugins != NULL && i < count; i++) {
        stage.plugins[i].plugin = &generation->plugins[i];
    }
    int rc = stage.plugins != NULL ? try_stage(&stage, checked->stop_fd, &err)
                                   : RC_NOMEM;
    if (rc != RC_OK) {
        free(stage.plugins);
        if (rc == RC_CLOSED) {
            checked_fini(checked);
            checked_die(checked->stop_fd);
        }
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    size_t refused = print_failures(&stage);
    free(stage.plugins);
    return refused == 0
               ? EXIT_OK
               : command_error(EXIT_CONFIG, "%zu plugin%s would not start",
                               refused, refused == 1 ? "" : "s");
}

/* ---- The command ---------------------------------------------------- */

int
cmd_check(const struct args *args)
{
    struct checked checked;
    int code = checked_load(&checked, args, 1);
    if (code != EXIT_OK) {
        return code;
    }
    const struct config *config = checked.generation->config;
    size_t plugins = checked.generation->plugin_count;
    if (args_count(args, "no-init") == 0) {
        code = check_inits(&checked);
    }
    if (code == EXIT_OK && args_count(args, "json") > 0) {
        printf("{\"ok\":true,\"endpoints\":%zu,\"plugins\":%zu}\n",
               config->endpoint_count, plugins);
    } else if (code == EXIT_OK) {
        printf("%s: ok: %zu endpoint%s, %zu plugin%s\n", config->file,
               config->endpoint_count, config->endpoint_count == 1 ? "" : "s",
               plugins, plugins == 1 ? "" : "s");
    }
    checked_fini(&checked);
    return code;
}
