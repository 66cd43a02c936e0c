/* tests/unit/admin_rig.h: the admin API without HTTP, on an inbox of its own.
 * The plugin alpha takes invoices, beta only live events, and gone is not
 * served.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ADMIN_RIG_H
#define TESTS_ADMIN_RIG_H

#include "config_fixture.h"

#include "admin/api.h"
#include "clock.h"
#include "inbox/inbox.h"
#include "log.h"
#include "plugin/generation.h"
#include "plugin/serving.h"
#include "stripe/event.h"

#include <cjson/cJSON.h>

#include <semaphore.h>

enum { ALPHA = 1, BETA = 2, GONE = 4 };

struct rig {
    struct config *config;
    struct inbox *inbox;
    char inbox_path[PATH_MAX];
    struct serving serving;
    struct generation generation; /* that serves first; never freed */
    struct plugin plugins[2];
    struct reload *reload; /* what the API gets; NULL */
    uint32_t ids[3];       /* of alpha, beta, gone */
    struct api *api;
    struct api_answer answer; /* of the last ask() */
    sem_t claimed;
    struct inbox_claim *claim; /* the last one */
};

static struct rig rig;

static inline void
on_claims(void *arg, struct inbox_claim *claims)
{
    (void)arg;
    rig.claim = claims;
    sem_post(&rig.claimed);
}

static inline void
on_lookups(void *arg, struct inbox_lookup *lookups)
{
    (void)arg;
    inbox_lookups_free(lookups);
}

static inline uint32_t
rig_register(const char *name)
{
    const struct inbox_policy policy = {.name = name, .digest = ""};
    struct inbox_plugin plugin = {0};
    struct inbox_generation generation = {.inputs = ""};
    struct inbox_enrolment enrolment = {.policies = &policy,
                                        .count = 1,
                                        .plugins = &plugin,
                                        .generation = &generation};
    assert_int_equal(inbox_enrol(rig.inbox, &enrolment, NULL), RC_OK);
    return plugin.id;
}

static inline void
rig_open_api(int offline)
{
    const struct api_settings settings = {.inbox = rig.inbox,
                                          .config = offline ? rig.config : NULL,
                                          .inbox_path = rig.inbox_path,
                                          .serving =
                                              offline ? NULL : &rig.serving,
                                          .reload = rig.reload};
    struct error err = {0};
    if (api_open(&rig.api, &settings, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
}

static inline int
rig_open(void **state)
{
    static char alpha_events[] = "invoice.*", beta_events[] = "*";
    static char *lists[] = {alpha_events, beta_events};
    static const char *const names[] = {"alpha", "beta"};
    static char version[] = "1.0", summary[] = "for tests";
    memset(&rig, 0, sizeof(rig));
    log_setup(LOG_ERROR, LOG_LOGFMT);
    if (enter_folder(state) != 0) {
        return -1;
    }
    write_file("plugins/alpha.so", 0644, "");
    write_file("plugins/beta.so", 0644, "");
    rig.config = assert_loads("[server]\nstate_dir = .\n" ENDPOINT
                              "[plugin alpha]\n[plugin beta]\n"
                              "livemode = live\n");
    const struct inbox_settings settings = {.path = rig.config->inbox_path};
    const struct inbox_listener listener = {.claims = on_claims,
                                            .lookups = on_lookups};
    struct error err = {0};
    if (inbox_open(&rig.inbox, &settings, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    sem_init(&rig.claimed, 0, 0);
    inbox_listen(rig.inbox, &listener);
    for (size_t i = 0; i < 2; i++) {
        rig.ids[i] = rig_register(names[i]);
        rig.plugins[i] =
            (struct plugin){.config = config_plugin(rig.config, names[i]),
                            .id = rig.ids[i],
                            .events = &lists[i],
                            .event_count = 1};
        rig.plugins[i].manifest.version = version;
        rig.plugins[i].manifest.summary = summary;
    }
    rig.ids[2] = rig_register("gone");
    rig.generation = (struct generation){.number = 7,
                                         .config = rig.config,
                                         .plugins = rig.plugins,
                                         .plugin_count = 2};
    atomic_init(&rig.generation.holders, 1);
    serving_init(&rig.serving);
    serving_set(&rig.serving, generation_hold(&rig.generation));
    snprintf(rig.inbox_path, sizeof(rig.inbox_path), "%s",
             rig.config->inbox_path);
    rig_open_api(0);
    return 0;
}

static inline int
rig_close(void **state)
{
    api_answer_fini(&rig.answer);
    api_close(rig.api);
    inbox_close(rig.inbox);
    serving_fini(&rig.serving);
    assert_int_equal(atomic_load(&rig.generation.holders), 1);
    config_close(rig.config);
    free(rig.claim);
    sem_destroy(&rig.claimed);
    return leave_folder(state);
}

#define API_TEST(test)                                                         \
    cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

/* ---- What is in the inbox ------------------------------------------- */

static inline int64_t
rig_put_at(const char *id, const char *type, int livemode, unsigned plugins,
           int64_t received_ms)
{
    struct event event = {.livemode = livemode, .created_s = 1700000000};
    uint32_t ids[3];
    struct inbox_put put = {.event = &event,
                            .body = "{\"a\":1}",
                            .body_len = 7,
                            .endpoint = "main",
                            .secret = "file:secret",
                            .signature = "t=1,v1=00",
                            .signed_s = 1700000001,
                            .received_ms = received_ms,
                            .plugins = ids};
    snprintf(event.id, sizeof(event.id), "%s", id);
    snprintf(event.type, sizeof(event.type), "%s", type);
    snprintf(event.object_id, sizeof(event.object_id), "in_%s", id);
    for (size_t i = 0; i < 3; i++) {
        if ((plugins & (1U << i)) != 0) {
            ids[put.plugin_count++] = rig.ids[i];
        }
    }
    assert_int_equal(inbox_put(rig.inbox, &put, 5000), RC_OK);
    return put.seq;
}

static inline int64_t
rig_put(const char *id, const char *type, int livemode, unsigned plugins)
{
    return rig_put_at(id, type, livemode, plugins, clock_wall_ms() - 1000);
}

/* Return when what was finished before is written. */
static inline void
rig_settle(void)
{
    struct inbox_action action = {.kind = INBOX_REPLAY_ALL,
                                  .now_ms = clock_wall_ms()};
    assert_int_equal(inbox_act(rig.inbox, &action), RC_OK);
}

/* The next delivery of plugin 0 to 2, claimed; its event is rig.claim. */
static inline void
rig_claim(size_t plugin)
{
    free(rig.claim);
    rig.claim = NULL;
    inbox_want(rig.inbox, rig.ids[plugin], 1);
    while (sem_wait(&rig.claimed) != 0) {
        /* interrupted */
    }
    assert_non_null(rig.claim);
}

static inline void
rig_finish(enum inbox_outcome outcome, enum inbox_next next, const char *note)
{
    struct inbox_result *result = calloc(1, sizeof(*result));
    assert_non_null(result);
    result->seq = rig.claim->seq;
    result->plugin = rig.claim->plugin;
    result->attempt = rig.claim->attempt;
    result->lease = rig.claim->lease;
    result->job = rig.claim->job;
    result->outcome = outcome;
    result->next = next;
    result->started_ms = clock_wall_ms();
    result->duration_us = 1500;
    snprintf(result->note, sizeof(result->note), "%s", note);
    if (outcome == INBOX_CRASH) {
        result->signal = 11;
        result->evidence = strdup("last line\xff");
        result->generation = 7;
    }
    inbox_finish(rig.inbox, result);
    rig_settle();
}

/* The next delivery of a plugin ends so. */
static inline void
rig_end(size_t plugin, enum inbox_outcome outcome, enum inbox_next next,
        const char *note)
{
    rig_claim(plugin);
    rig_finish(outcome, next, note);
}

/* ---- Asking --------------------------------------------------------- */

/* Send a request; the path has its query. The answer is in rig.answer. */
static inline int
ask(const char *method, const char *target, const char *body)
{
    char path[2048];
    snprintf(path, sizeof(path), API_PREFIX "%s", target);
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    const struct api_request request = {.method = method,
                                        .path = path,
                                        .query = query,
                                        .body = body,
                                        .body_len =
                                            body != NULL ? strlen(body) : 0};
    api_answer_fini(&rig.answer);
    api_handle(rig.api, &request, &rig.answer);
    return rig.answer.status;
}

/* A member of an object; "a.b" and "data.0.id" go deeper. */
static inline const cJSON *
member(const cJSON *json, const char *path)
{
    char name[64];
    while (json != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        json = cJSON_IsArray(json)
                   ? cJSON_GetArrayItem(json, atoi(name))
                   : cJSON_GetObjectItemCaseSensitive(json, name);
        path += len;
        path += *path == '.';
    }
    return json;
}

static inline const char *
text_of(const char *path)
{
    const char *text = cJSON_GetStringValue(member(rig.answer.json, path));
    return text != NULL ? text : "(none)";
}

static inline int
number_of(const char *path)
{
    const cJSON *item = member(rig.answer.json, path);
    return cJSON_IsNumber(item) ? (int)item->valuedouble : -1;
}

static inline int
is_true(const char *path)
{
    return cJSON_IsTrue(member(rig.answer.json, path));
}

static inline int
rows(void)
{
    return cJSON_GetArraySize(member(rig.answer.json, "data"));
}

/* The answer is this problem. */
#define assert_problem(method, target, body, status, code)                     \
    do {                                                                       \
        assert_int_equal(ask(method, target, body), status);                   \
        assert_string_equal(text_of("code"), code);                            \
        assert_string_equal(text_of("type"), "urn:pegboard:problem:" code);    \
        assert_int_equal(number_of("status"), status);                         \
    } while (0)

/* Let jobs go on until they are done. */
static inline void
turn_all(void)
{
    int64_t next_ms;
    while ((next_ms = api_turn(rig.api)) != INT64_MAX) {
        int wait_ms = clock_poll_ms(next_ms);
        if (wait_ms > 0) {
            usleep((useconds_t)wait_ms * 1000);
        }
    }
}

#endif
