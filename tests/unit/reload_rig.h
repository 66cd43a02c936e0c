/* tests/unit/reload_rig.h: what the admin API asks besides the inbox, with
 * answers that a test chooses: the reload, the supervisor, the dispatcher and
 * the server. To be included after admin_rig.h, by one file of a program.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RELOAD_RIG_H
#define TESTS_RELOAD_RIG_H

#include "delivery/dispatcher.h"
#include "http/server.h"
#include "plugin/supervisor.h"
#include "reload/reload.h"

#include <pthread.h>

/* Nothing of theirs is looked into. */
struct reload {
    int unused;
};
struct server {
    int unused;
};
struct supervisor {
    int unused;
};
struct dispatcher {
    int unused;
};

static pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;

static struct fake {
    struct reload reload;
    struct server server;
    struct supervisor supervisor;
    struct dispatcher dispatcher;

    struct reload_answer next; /* of reload_ask() */
    void (*on_ask)(void);
    enum reload_kind kind; /* it was asked */
    int64_t wait_ms;
    struct reload_last last; /* of reload_last() */
    void (*on_last)(void);

    struct supervisor_status starts; /* of the plugin `failing` */
    struct dispatcher_status work;   /* of every plugin */
    uint32_t failing;
} fake;

void
reload_ask(struct reload *reload, enum reload_kind kind, int64_t wait_ms,
           struct reload_answer *answer)
{
    assert_ptr_equal(reload, &fake.reload);
    pthread_mutex_lock(&fake_lock);
    void (*on_ask)(void) = fake.on_ask;
    fake.kind = kind;
    fake.wait_ms = wait_ms;
    *answer = fake.next;
    answer->kind = kind;
    memset(&fake.next, 0, sizeof(fake.next));
    pthread_mutex_unlock(&fake_lock);
    if (on_ask != NULL) {
        on_ask();
    }
}

void
reload_answer_fini(struct reload_answer *answer)
{
    free(answer->delta.items);
    report_fini(&answer->report);
}

const char *
reload_end_name(enum reload_end end)
{
    static const char *const names[] = {"done",   "killed",  "refused",
                                        "failed", "stopped", "late"};
    return names[end];
}

void
reload_last(struct reload *reload, struct reload_last *out)
{
    assert_ptr_equal(reload, &fake.reload);
    if (fake.on_last != NULL) {
        fake.on_last();
    }
    *out = fake.last;
}

const char *
server_url(struct server *server, char room[SERVER_URL_MAX])
{
    assert_ptr_equal(server, &fake.server);
    strcpy(room, "http://127.0.0.1:4242");
    return room;
}

int
supervisor_status(struct supervisor *supervisor, uint32_t plugin,
                  struct supervisor_status *out)
{
    (void)supervisor;
    *out = (struct supervisor_status){.wanted = 2, .serving = 2};
    if (plugin == fake.failing) {
        *out = fake.starts;
    }
    return RC_OK;
}

unsigned
supervisor_runners(struct supervisor *supervisor)
{
    (void)supervisor;
    return 5;
}

int
dispatcher_status(struct dispatcher *dispatcher, uint32_t plugin,
                  struct dispatcher_status *out)
{
    (void)dispatcher;
    (void)plugin;
    *out = fake.work;
    return RC_OK;
}

int64_t
dispatcher_stalled_ms(struct dispatcher *dispatcher)
{
    (void)dispatcher;
    return 3;
}

void
dispatcher_pause(struct dispatcher *dispatcher,
                 const struct inbox_plugin *state)
{
    (void)dispatcher;
    (void)state;
}

/* ---- The rig with them ---------------------------------------------- */

static inline int
reload_rig_open(void **state)
{
    memset(&fake, 0, sizeof(fake));
    return rig_open(state);
}

/* An API that has all of them. */
static inline void
rig_attach(void)
{
    const struct api_settings settings = {.inbox = rig.inbox,
                                          .inbox_path = rig.inbox_path,
                                          .serving = &rig.serving,
                                          .dispatcher = &fake.dispatcher,
                                          .supervisor = &fake.supervisor};
    struct error err = {0};
    api_close(rig.api);
    if (api_open(&rig.api, &settings, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    api_attach(rig.api, &fake.server, &fake.reload);
}

/* A generation that is freed when nobody holds it; alpha is served with these
 * events if there are any, beta always. The caller holds it. */
static inline struct generation *
make_generation(unsigned number, char **alpha_events)
{
    static char star[] = "*", *beta_events[] = {star};
    struct generation *made = calloc(1, sizeof(*made));
    assert_non_null(made);
    atomic_init(&made->holders, 1);
    made->number = number;
    made->config =
        assert_loads("[server]\nstate_dir = .\n" ENDPOINT
                     "[plugin alpha]\n[plugin beta]\ntimeout = 9s\n");
    made->plugins = calloc(2, sizeof(*made->plugins));
    assert_non_null(made->plugins);
    for (size_t i = alpha_events != NULL ? 0 : 1; i < 2; i++) {
        struct plugin *plugin = &made->plugins[made->plugin_count++];
        plugin->config = config_plugin(made->config, i == 0 ? "alpha" : "beta");
        plugin->id = rig.ids[i];
        plugin->events = i == 0 ? alpha_events : beta_events;
        plugin->event_count = 1;
        plugin->manifest.version = strdup("2.0");
    }
    return made;
}

static void
check_nothing_is_held(void)
{
    assert_int_equal(atomic_load(&rig.generation.holders), 2);
}

/* A drain may wait for the last that holds what was served before. */

#define RELOAD_TEST(test)                                                      \
    cmocka_unit_test_setup_teardown(test, reload_rig_open, rig_close)

#endif
