/* tests/unit/view_fixture.h: an inbox with some of everything in it, what must
 * be seen of it, and a view.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VIEW_FIXTURE_H
#define TESTS_VIEW_FIXTURE_H

#include "inbox_fixture.h"

#include "clock.h"
#include "inbox/sqlite_engine.h"
#include "inbox/view_private.h"

#define EVENTS   400
#define PLUGINS  4
#define START_MS 1700000000000

/* How a delivery stands; -1: there is none. The first are as enum inbox_state
 * says, the others have ended. */
enum { ENDED_DONE = 10, ENDED_SKIPPED = 11, ENDED_DISCARDED = 17 };

struct known_event {
    char id[32];
    const char *type, *account, *customer;
    char object[32];
    int livemode;
    int64_t received_ms, created_s;
    int stands[PLUGINS + 1]; /* by plugin id, from 1 */
    int attempts[PLUGINS + 1];
};

struct scene {
    struct inbox_engine *engine;
    sqlite3 *db; /* the writer's connection */
    struct view *view;
    struct known_event events[EVENTS + 1]; /* by seq, from 1 */
    uint64_t random;
};

/* 1 is served, 2 paused, 3 removed, 4 was paused and is served again. */
static const char *const plugin_names[] = {"", "mails", "books", "gone",
                                           "ships"};
static const uint32_t served_ids[] = {1, 2, 4};
static const struct view_plugins served = {served_ids, 3, 1};

static const char *const some_types[] = {
    "invoice.paid",
    "invoice.payment.failed",
    "invoice",
    "invoices.paid",
    "invoice.",
    "invoice/odd",
    "v2.core.account[requirements].updated",
    "v2.core.account.updated",
    "charge.refunded",
};

static inline uint32_t
below(struct scene *scene, uint32_t bound)
{
    scene->random = scene->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(scene->random >> 33) % bound;
}

static inline void
write_sql(struct scene *scene, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *sql = sqlite3_vmprintf(fmt, args);
    va_end(args);
    char *message = NULL;
    if (sqlite3_exec(scene->db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", message, sql);
    }
    sqlite3_free(sql);
}

static inline void
write_attempt(struct scene *scene, int64_t seq, int plugin, int n, int outcome)
{
    write_sql(scene,
              "INSERT INTO attempt(seq, plugin, n, started_ms, duration_us,"
              " outcome, note, signal, evidence, digest, generation)"
              " VALUES(%lld, %d, %d, %lld, 7, %d, 'note %d', %d, 'log', 'd1',"
              " 5)",
              (long long)seq, plugin, n, (long long)(START_MS + seq * 100 + n),
              outcome, n, outcome == INBOX_CRASH ? 11 : 0);
}

static inline void
write_delivery(struct scene *scene, int64_t seq, int plugin, int state,
               int attempts)
{
    int dead = state == INBOX_DEAD;
    write_sql(scene,
              "INSERT INTO delivery(seq, plugin, state, class, attempt, lease,"
              " due_ms, spared, crashes, lane, died_ms, outcome, cause)"
              " VALUES(%lld, %d, %d, %lld, %d, 1, 77, 2, 1, '%s',"
              " iif(%d, %lld, NULL), iif(%d, 3, NULL),"
              " iif(%d, 'cause ' || %d, NULL))",
              (long long)seq, plugin, state, (long long)(seq % 3), attempts,
              state == INBOX_HELD ? "lane" : "", dead,
              (long long)(START_MS + seq), dead, dead, (int)(seq % 3));
}

/* Deliveries as they are left by the writer, at random. */
static inline void
write_deliveries(struct scene *scene, int64_t seq)
{
    static const int all[] = {-1,         INBOX_READY,   INBOX_LEASED,
                              INBOX_HELD, INBOX_DEAD,    INBOX_WAITING,
                              ENDED_DONE, ENDED_SKIPPED, ENDED_DISCARDED};
    struct known_event *event = &scene->events[seq];
    int calm = below(scene, 3) == 0; /* what ends well ends quickly */
    for (int plugin = 1; plugin <= PLUGINS; plugin++) {
        int stands = calm ? (below(scene, 2) ? ENDED_DONE : -1)
                          : all[below(scene, COUNT(all))];
        int before = (int)below(scene, 3); /* with attempts that failed */
        int needs = stands == INBOX_DEAD || stands == INBOX_WAITING;
        int tried = stands < 0 ? 0 : before + needs;
        event->stands[plugin] = stands;
        for (int n = 1; n <= tried; n++) {
            write_attempt(scene, seq, plugin, n,
                          n % 2         ? INBOX_RETRY
                          : plugin == 4 ? INBOX_DONE /* and replayed */
                                        : INBOX_CRASH);
        }
        event->attempts[plugin] = tried;
        if (stands >= ENDED_DONE) {
            write_attempt(scene, seq, plugin, tried + 1, stands - ENDED_DONE);
            event->attempts[plugin] += stands != ENDED_DISCARDED;
        } else if (stands >= 0) {
            write_delivery(scene, seq, plugin, stands, tried);
        }
    }
}

static inline void
write_event(struct scene *scene, int64_t seq)
{
    static const char *const accounts[] = {"", "acct_1", "acct_2"};
    static const char *const customers[] = {"", "cus_1", "cus_2", "cus_3"};
    struct known_event *event = &scene->events[seq];
    snprintf(event->id, sizeof(event->id), "evt_%lld", (long long)seq);
    snprintf(event->object, sizeof(event->object), "%s%u",
             below(scene, 4) ? "in_" : "", below(scene, 20));
    if (event->object[0] != 'i') {
        event->object[0] = '\0';
    }
    event->type = some_types[below(scene, COUNT(some_types))];
    event->account = accounts[below(scene, COUNT(accounts))];
    event->customer = customers[below(scene, COUNT(customers))];
    event->livemode = (int)below(scene, 2);
    event->received_ms = START_MS + seq * 1000 - below(scene, 3000);
    event->created_s = START_MS / 1000 + below(scene, EVENTS);
    write_sql(scene,
              "INSERT INTO event(seq, event_id, type, created_s, received_ms,"
              " livemode, thin, routed, account, api_version, object_id,"
              " customer, snapshot_event, endpoint, secret, signature,"
              " signed_s) VALUES(%lld, '%q', '%q', %lld, %lld, %d, %d, 1, '%q',"
              " '2024-06-20', '%q', '%q', 'evt_snap', '%s', 'new', 't=1', 1)",
              (long long)seq, event->id, event->type,
              (long long)event->created_s, (long long)event->received_ms,
              event->livemode, (int)(seq % 2), event->account, event->object,
              event->customer, seq % 5 ? "main" : "other");
    write_sql(scene, "INSERT INTO body VALUES(%lld, x'7b%02x7d')",
              (long long)seq, (unsigned)(seq % 256));
    write_deliveries(scene, seq);
}

static inline void
write_scene(struct scene *scene)
{
    scene->db = ((struct sqlite_engine *)(void *)scene->engine)->db;
    write_sql(scene, "BEGIN");
    for (int i = 1; i <= PLUGINS; i++) {
        write_sql(scene, "INSERT INTO plugin(id, name) VALUES(%d, '%s')", i,
                  plugin_names[i]);
    }
    write_sql(scene,
              "UPDATE plugin SET paused_ms = 5, reason = 'too late' WHERE id ="
              " 2; UPDATE plugin SET paused_ms = 5, paused_until_ms = 6,"
              " held_ms = 7, held_since_ms = 8 WHERE id = 4");
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        if (seq % 37 != 0) { /* as if pruned */
            write_event(scene, seq);
        }
    }
    write_sql(scene, "UPDATE event SET routed = 0 WHERE seq NOT IN"
                     " (SELECT seq FROM delivery UNION SELECT seq FROM attempt)"
                     "; COMMIT");
}

static inline int
open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    if (scene == NULL || make_folder(NULL) != 0) {
        return -1;
    }
    scene->random = 1;
    assert_int_equal(sqlite_open(&scene->engine, inbox_path, NULL), RC_OK);
    write_scene(scene);
    assert_int_equal(view_open(&scene->view, inbox_path, NULL), RC_OK);
    view_set_plugins(scene->view, &served);
    *state = scene;
    return 0;
}

static inline int
close_scene(void **state)
{
    struct scene *scene = *state;
    view_close(scene->view);
    scene->engine->ops->close(scene->engine);
    free(scene);
    return remove_folder(NULL);
}

#define VIEW_TEST(test)                                                        \
    cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

/* ---- What must be seen ---------------------------------------------- */

static inline int
exists(const struct scene *scene, int64_t seq)
{
    return scene->events[seq].id[0] != '\0';
}

/* -1 for no such delivery. */
static inline int
known_state(const struct known_event *event, int plugin)
{
    int stands = event->stands[plugin];
    switch (stands) {
    case -1:
        return -1;
    case INBOX_LEASED:
        return VIEW_RUNNING;
    case INBOX_DEAD:
        return VIEW_DEAD;
    case ENDED_DONE:
        return VIEW_DONE;
    case ENDED_SKIPPED:
        return VIEW_SKIPPED;
    case ENDED_DISCARDED:
        return VIEW_DISCARDED;
    default:
        return plugin == 2               ? VIEW_HELD
               : plugin == 3             ? VIEW_ORPHANED
               : stands == INBOX_WAITING ? VIEW_RETRYING
                                         : VIEW_QUEUED;
    }
}

static inline enum view_state
known_event_state(const struct known_event *event)
{
    static const int worst_first[] = {
        VIEW_DEAD,   VIEW_ORPHANED,  VIEW_HELD,    VIEW_RETRYING, VIEW_RUNNING,
        VIEW_QUEUED, VIEW_DISCARDED, VIEW_SKIPPED, VIEW_DONE};
    for (size_t i = 0; i < COUNT(worst_first); i++) {
        for (int plugin = 1; plugin <= PLUGINS; plugin++) {
            if (known_state(event, plugin) == worst_first[i]) {
                return (enum view_state)worst_first[i];
            }
        }
    }
    return VIEW_UNROUTED;
}

static inline int
is_one_of(const char *const *list, size_t count, const char *text,
          int (*same)(const char *, const char *))
{
    int found = count == 0;
    for (size_t i = 0; i < count; i++) {
        found |= same(list[i], text);
    }
    return found;
}

static inline int
is_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline int
is_same_or_any(const char *wanted, const char *text)
{
    return wanted == NULL || strcmp(wanted, text) == 0;
}

/* What the filter says of the event; not of its deliveries. */
static inline int
event_passes(const struct view_filter *f, const struct known_event *event)
{
    return is_one_of(f->ids, f->id_count, event->id, is_same) &&
           is_one_of(f->types, f->type_count, event->type,
                     event_type_matches) &&
           is_same_or_any(f->object_id, event->object) &&
           is_same_or_any(f->customer, event->customer) &&
           is_same_or_any(f->account, event->account) &&
           (f->livemode < 0 || f->livemode == event->livemode) &&
           event->received_ms >= f->received_after_ms &&
           (f->received_before_ms == 0 ||
            event->received_ms < f->received_before_ms) &&
           event->created_s >= f->created_after_s &&
           (f->created_before_s == 0 || event->created_s < f->created_before_s);
}

static inline int
delivery_passes(const struct view_filter *f, const struct known_event *event,
                int plugin)
{
    int state = known_state(event, plugin);
    return state >= 0 && is_same_or_any(f->plugin, plugin_names[plugin]) &&
           (f->state < 0 || f->state == state ||
            (f->state == VIEW_STATE_COUNT && state <= VIEW_ORPHANED));
}

/* A filter at random, with few things in it. */
static inline void
random_filter(struct scene *scene, struct view_filter *f)
{
    static const char *const patterns[] = {
        "invoice.*", "invoice", "v2.core.account[requirements].*",
        "v2.core.*", "*",       "charge.refunded",
        "none.*",    ".*",      "invoice.payment.failed"};
    static const char *const objects[] = {"in_1", "in_2", "in_99", ""};
    static const char *const customers[] = {"cus_1", "cus_2", "cus_9", ""};
    static char ids[VIEW_IDS_MAX][32];
    view_filter_init(f);
    if (below(scene, 6) == 0) {
        f->id_count = 1 + below(scene, VIEW_IDS_MAX);
        for (size_t i = 0; i < f->id_count; i++) {
            snprintf(ids[i], sizeof(ids[i]), "evt_%u", below(scene, EVENTS));
            f->ids[i] = ids[i];
        }
    }
    f->type_count = below(scene, 2) ? below(scene, 4) : 0;
    for (size_t i = 0; i < f->type_count; i++) {
        f->types[i] = patterns[below(scene, COUNT(patterns))];
    }
    f->object_id = below(scene, 6) ? NULL : objects[below(scene, 4)];
    f->customer = below(scene, 6) ? NULL : customers[below(scene, 4)];
    f->account = below(scene, 6) ? NULL : "acct_1";
    f->livemode = below(scene, 4) ? -1 : (int)below(scene, 2);
    f->state = below(scene, 3) ? (int)below(scene, VIEW_STATE_COUNT + 1) : -1;
    if (below(scene, 3) == 0) {
        f->plugin = below(scene, 9) ? plugin_names[1 + below(scene, PLUGINS)]
                                    : "nobody";
    }
    if (below(scene, 5) == 0) {
        f->received_after_ms = START_MS + below(scene, EVENTS) * 1000;
        f->received_before_ms = START_MS + below(scene, EVENTS) * 1000;
    }
    if (below(scene, 6) == 0) {
        f->created_after_s = START_MS / 1000 + below(scene, EVENTS);
        f->created_before_s = f->created_after_s + below(scene, EVENTS);
    }
}

#endif
