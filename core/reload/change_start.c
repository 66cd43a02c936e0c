/* core/reload/change_start.c: START: new runners and listeners beside what
 * serves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reload/change_parts.h"

#include "config/config.h"
#include "delivery/dispatcher.h"
#include "http/server.h"
#include "plugin/generation.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* How often to look whether former runners have ended. */
#define LOOK_MS 10

/* ---- Giving up ------------------------------------------------------ */

static int
is_stopping(const struct change_host *host)
{
    struct pollfd fd = {.fd = host->stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* Why a step was told to give up. */
int
change_given_up(const struct change *change, struct error *err)
{
    if (is_stopping(change->host)) {
        return error_set(err, RC_CLOSED, "the daemon is stopping");
    }
    return error_set(err, RC_TIMEOUT, "it takes more than %d s",
                     CHANGE_LIMIT_MS / 1000);
}

/* ---- START ---------------------------------------------------------- */

static void
tell(struct change_host *host, atomic_int *flag)
{
    uint64_t one = 1;
    atomic_store(flag, 1);
    (void)!write(host->news_fd, &one, sizeof(one)); /* full is readable too */
}

static void
on_staged(void *arg, struct stage *stage)
{
    struct change_host *host = arg;
    (void)stage;
    tell(host, &host->is_staged);
}

static void
on_unstaged(void *arg)
{
    struct change_host *host = arg;
    tell(host, &host->is_unstaged);
}

/* Wait for the main thread to have done something.
 * @return RC_OK, or RC_BUSY when `give_up_fd` (or -1) became readable first */
static int
await(struct change_host *host, atomic_int *flag, int give_up_fd)
{
    struct pollfd fds[2] = {{.fd = host->news_fd, .events = POLLIN},
                            {.fd = give_up_fd, .events = POLLIN}};
    uint64_t count;
    while (!atomic_load(flag)) {
        poll(fds, 2, -1);
        (void)!read(host->news_fd, &count, sizeof(count)); /* only resets it */
        if (fds[1].revents != 0 && !atomic_load(flag)) {
            return RC_BUSY;
        }
    }
    return RC_OK;
}

static int
explain_oldest(const struct change *change, const char *name, struct error *err)
{
    int rc = change_given_up(change, err);
    return rc == RC_CLOSED
               ? rc
               : error_set(err, rc,
                           "runners of plugin \"%s\" from before the last "
                           "reload do not end",
                           name);
}

/* At most two kinds of runners of one plugin live: before the third starts, the
 * oldest end. A mere try waits for them instead. */
static int
end_oldest(struct change *change, const char *name, uint32_t plugin,
           struct error *err)
{
    struct dispatcher *dispatcher = change->settings->dispatcher;
    struct pollfd fd = {.fd = change->host->give_up_fd, .events = POLLIN};
    if (change->answer->kind != RELOAD_TRY) {
        dispatcher_hasten(dispatcher, plugin);
    }
    while (dispatcher_draining_of(dispatcher, plugin) > 0) {
        if (poll(&fd, 1, LOOK_MS) == 1) {
            return explain_oldest(change, name, err);
        }
    }
    return RC_OK;
}

static int
end_all_oldest(struct change *change, struct error *err)
{
    int rc = RC_OK;
    for (size_t i = 0; i < change->stage.count && rc == RC_OK; i++) {
        const char *name = change->stage.plugins[i].plugin->config->name;
        const struct plugin *former = generation_find(change->was, name);
        if (former != NULL) {
            rc = end_oldest(change, name, former->id, err);
        }
    }
    return rc;
}

static int
list_stage(struct change *change)
{
    const struct generation *is = change->is;
    struct stage *stage = &change->stage;
    stage->plugins = calloc(is->plugin_count + 1, sizeof(*stage->plugins));
    if (stage->plugins == NULL) {
        return RC_NOMEM;
    }
    for (size_t i = 0; i < is->plugin_count; i++) {
        const struct plugin *plugin = &is->plugins[i];
        const struct plugin *former =
            generation_find(change->was, plugin->config->name);
        if (former == NULL || !plugin_is_same(former, plugin)) {
            stage->plugins[stage->count++].plugin = plugin;
        }
    }
    stage->generation = change->is;
    stage->done = on_staged;
    stage->arg = change->host;
    return RC_OK;
}

static int
start_plugins(struct change *change, struct error *err)
{
    struct stage *stage = &change->stage;
    if (list_stage(change) != RC_OK) {
        return error_set(err, RC_NOMEM, "out of memory");
    }
    int rc = end_all_oldest(change, err);
    if (rc != RC_OK || stage->count == 0) {
        return rc;
    }
    atomic_store(&change->host->is_staged, 0);
    change->is_staged = 1;
    supervisor_stage(change->settings->supervisor, stage);
    rc =
        await(change->host, &change->host->is_staged, change->host->give_up_fd);
    /* When we are stopping, those that were starting are said to have failed.
     */
    if (rc != RC_OK || is_stopping(change->host)) {
        return change_given_up(change, err);
    }
    for (size_t i = 0; i < stage->count && rc == RC_OK; i++) {
        const struct stage_plugin *started = &stage->plugins[i];
        if (started->failed) {
            report_error(&change->answer->report, change->is->config->file,
                         started->plugin->config->line, "plugin \"%s\": %s",
                         started->plugin->config->name, started->why);
        }
    }
    return rc == RC_OK && change->answer->report.errors > 0 ? RC_INVALID : rc;
}

int
change_start(struct change *change, struct error *err)
{
    int rc = start_plugins(change, err);
    if (rc == RC_OK) {
        rc = server_widen(change->settings->server, change->is->config, err);
        change->is_widened = rc == RC_OK;
    }
    return rc == RC_IO ? RC_INVALID : rc; /* an address that is taken */
}

void
change_unstart(struct change *change)
{
    struct change_host *host = change->host;
    if (change->is_staged) {
        atomic_store(&host->is_unstaged, 0);
        supervisor_unstage(change->settings->supervisor, &change->stage,
                           on_unstaged, host);
        (void)await(host, &host->is_unstaged, -1);
    }
}
