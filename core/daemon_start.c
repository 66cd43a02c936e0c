/* core/daemon_start.c: steps up, and the glue between the parts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon_parts.h"

#include "admin/api.h"
#include "config/config.h"
#include "delivery/dispatcher.h"
#include "error.h"
#include "http/admin.h"
#include "http/server.h"
#include "inbox/inbox.h"
#include "plugin/generation.h"
#include "plugin/supervisor.h"
#include "reload/boot.h"
#include "reload/reload.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A loop that has not turned for this long is stuck. */
#define LIVE_MS 10000

/* A store that hangs in a flush for this long cannot take a post in time. */
#define READY_MS 5000

int
daemon_is_live(void *arg)
{
    struct daemon *d = arg;
    return dispatcher_stalled_ms(d->dispatcher) < LIVE_MS &&
           inbox_stalled_ms(d->inbox) < LIVE_MS;
}

int
daemon_is_ready(void *arg)
{
    struct daemon *d = arg;
    return inbox_ready(d->inbox) && inbox_stalled_ms(d->inbox) < READY_MS;
}

/* ---- Glue between the parts ----------------------------------------- */

static void
on_runner_ready(void *arg, struct runner *runner)
{
    struct daemon *d = arg;
    dispatcher_adopt(d->dispatcher, runner);
}

static void
on_runner_return(void *arg, struct runner *runner, enum dispatcher_return why,
                 unsigned long handled)
{
    struct daemon *d = arg;
    supervisor_return(d->supervisor, runner, why == RETURN_ENDED, handled);
}

static void
on_recovered(void *arg, uint32_t plugin)
{
    struct daemon *d = arg;
    supervisor_recovered(d->supervisor, plugin);
}

/* ---- Steps up ------------------------------------------------------- */

/* Readable when we are told to stop; all other signals wait until we serve. It
 * is only looked at: who reads d->signals finds it there. */
static int
open_stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
load_until(struct daemon *d, int stop_fd, struct error *err)
{
    struct boot_settings settings = {
        .config_path = d->settings->config_path,
        .quiet = d->settings->quiet,
        .verbose = d->settings->verbose,
        .stop_fd = stop_fd,
    };
    struct generation *generation = NULL;
    int rc = boot_load(&generation, &settings, err);
    if (rc == RC_OK) {
        rc = boot_open_inbox(&d->inbox, generation, err);
    }
    if (rc == RC_OK) {
        rc = boot_enrol(&generation, d->inbox, &settings, err);
    }
    if (rc != RC_OK) {
        generation_drop(generation);
        return rc;
    }
    serving_set(&d->serving, generation);
    return RC_OK;
}

/* What serves first: nobody looks at d->serving yet. */
static int
load(struct daemon *d, struct error *err)
{
    int stop_fd = open_stop_signals();
    if (stop_fd < 0) {
        return error_errno(err, RC_IO, errno, "no signalfd");
    }
    int rc = load_until(d, stop_fd, err);
    close(stop_fd);
    return rc;
}

/* Runners and what gives them work. */
static int
start_delivery(struct daemon *d, struct error *err)
{
    struct generation *generation = serving_hold(&d->serving);
    int rc = supervisor_open(&d->supervisor, on_runner_ready, d, err);
    if (rc == RC_OK) {
        rc = dispatcher_start(&d->dispatcher, d->inbox, on_runner_return,
                              on_recovered, d, err);
    }
    if (rc == RC_OK &&
        dispatcher_switch(d->dispatcher, generation, 0) != RC_OK) {
        rc = error_set(err, RC_NOMEM, "dispatcher: out of memory");
    }
    if (rc == RC_OK) {
        supervisor_switch(d->supervisor, generation);
    }
    generation_drop(generation);
    return rc;
}

/* What operators speak to. */
static int
start_admin(struct daemon *d, struct error *err)
{
    struct generation *generation = serving_hold(&d->serving);
    struct api_settings api = {
        .inbox = d->inbox,
        .inbox_path = generation->config->inbox_path,
        .serving = &d->serving,
        .dispatcher = d->dispatcher,
        .supervisor = d->supervisor,
    };
    struct admin_settings settings = {
        .config = generation->config,
        .is_live = daemon_is_live,
        .is_ready = daemon_is_ready,
        .health_arg = d,
    };
    int rc = api_open(&d->api, &api, err);
    if (rc == RC_OK) {
        rc = api_start(d->api, err);
    }
    if (rc == RC_OK) {
        settings.api = d->api;
        rc = admin_start(&d->admin, &settings, err);
    }
    generation_drop(generation);
    return rc;
}

static void
on_reload_begun(void *arg)
{
    struct daemon *d = arg;
    notify_reloading(&d->notify);
}

static void
on_reload_ended(void *arg, const struct reload_answer *answer)
{
    struct daemon *d = arg;
    char url[SERVER_URL_MAX];
    if (answer->end == RELOAD_STOPPED || atomic_load(&d->is_stopping)) {
        return; /* that we stop was said already */
    }
    struct generation *generation = serving_hold(&d->serving);
    int is_good = answer->end == RELOAD_DONE;
    notify_ready(&d->notify, "serving %s, %zu plugins, generation %u%s%s",
                 server_url(d->server, url), generation->plugin_count,
                 generation->number, is_good ? "" : "; last reload ",
                 is_good ? "" : reload_end_name(answer->end));
    generation_drop(generation);
}

static int
start_server(struct daemon *d, struct error *err)
{
    struct server_settings server = {
        .serving = &d->serving,
        .inbox = d->inbox,
        .is_live = daemon_is_live,
        .is_ready = daemon_is_ready,
        .health_arg = d,
    };
    int rc = server_start(&d->server, &server, err);
    struct reload_settings reload = {
        .config_path = d->settings->config_path,
        .serving = &d->serving,
        .inbox = d->inbox,
        .supervisor = d->supervisor,
        .dispatcher = d->dispatcher,
        .server = d->server,
        .begun = on_reload_begun,
        .ended = on_reload_ended,
        .arg = d,
        .verbose = d->settings->verbose,
    };
    if (rc == RC_OK) {
        rc = reload_start(&d->reload, &reload, err);
    }
    if (rc == RC_OK) {
        api_attach(d->api, d->server, d->reload);
    }
    return rc;
}

int
daemon_start(struct daemon *d, struct error *err)
{
    int rc = load(d, err);
    if (rc == RC_OK) {
        rc = start_delivery(d, err);
    }
    if (rc == RC_OK) {
        rc = start_admin(d, err);
    }
    if (rc == RC_OK) {
        rc = start_server(d, err);
    }
    return rc;
}
