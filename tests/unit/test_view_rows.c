/* tests/unit/test_view_rows.c: what a view shows of one event, of plugins and
 * of jobs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "view_fixture.h"

/* ---- One event ------------------------------------------------------ */

struct seen {
    struct scene *scene;
    int64_t seq;
    size_t count, stop_after;
    int last;
};

static int
check_event(void *arg, const struct view_event *row)
{
    struct seen *seen = arg;
    const struct known_event *event = &seen->scene->events[seen->seq];
    assert_int_equal(row->seq, seen->seq);
    assert_string_equal(row->id, event->id);
    assert_string_equal(row->type, event->type);
    assert_string_equal(row->account, event->account);
    assert_string_equal(row->api_version, "2024-06-20");
    assert_string_equal(row->object_id, event->object);
    assert_string_equal(row->customer, event->customer);
    assert_string_equal(row->snapshot_event, "evt_snap");
    assert_string_equal(row->endpoint, seen->seq % 5 ? "main" : "other");
    assert_string_equal(row->secret, "new");
    assert_int_equal(row->created_s, event->created_s);
    assert_int_equal(row->received_ms, event->received_ms);
    assert_int_equal(row->livemode, event->livemode);
    assert_int_equal(row->thin, seen->seq % 2);
    assert_int_equal(row->routed, known_event_state(event) != VIEW_UNROUTED);
    assert_int_equal(row->body_bytes, 3);
    assert_int_equal(row->repeats, seen->seq == 1 ? 3 : 0);
    assert_int_equal(row->conflicts, seen->seq == 1 ? 2 : 0);
    assert_int_equal(row->state, known_event_state(event));
    seen->count++;
    return 0;
}

static void
write_receipts(struct scene *scene)
{
    write_sql(scene, "INSERT INTO receipt(seq, received_ms, endpoint, secret,"
                     " signed_s, conflict) VALUES(1, 10, 'main', 'a', 1, NULL),"
                     " (1, 11, 'other', 'b', 2, x''),"
                     " (1, 12, 'main', 'c', 3, x'7b7d'),"
                     " (5, 13, 'main', 'd', 4, x'7b7d')");
    write_sql(scene, "DELETE FROM receipt WHERE seq = 5");
}

static void
events_are_shown_whole(void **state)
{
    struct scene *scene = *state;
    struct seen seen = {.scene = scene};
    write_receipts(scene);
    for (seen.seq = 1; seen.seq <= EVENTS; seen.seq++) {
        struct error err;
        int there = exists(scene, seen.seq);
        size_t before = seen.count;
        assert_int_equal(
            view_event(scene->view,
                       there ? scene->events[seen.seq].id : "evt_none",
                       check_event, &seen, &err),
            there ? RC_OK : RC_NOT_FOUND);
        assert_int_equal(seen.count - before, there);
    }
}

static void
bytes_are_copied_exactly(void **state)
{
    struct scene *scene = *state;
    struct error err;
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(view_body(scene->view, "evt_256", &bytes, &len, &err),
                     RC_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "{\0}\0", 4);
    free(bytes);
    assert_int_equal(view_body(scene->view, "evt_none", &bytes, &len, &err),
                     RC_NOT_FOUND);
    write_sql(scene, "DELETE FROM body WHERE seq = 2");
    assert_int_equal(view_body(scene->view, "evt_2", &bytes, &len, &err),
                     RC_NOT_FOUND);
    assert_non_null(strstr(err.text, "evt_2"));
}

static int
check_delivery(void *arg, const struct view_delivery *row)
{
    struct seen *seen = arg;
    const struct known_event *event = &seen->scene->events[seen->seq];
    int plugin = (int)row->plugin_id, stands = event->stands[plugin];
    int ended = stands >= ENDED_DONE;
    assert_true(plugin > seen->last);
    seen->last = plugin;
    assert_int_equal(row->seq, seen->seq);
    assert_string_equal(row->event_id, event->id);
    assert_string_equal(row->type, event->type);
    assert_string_equal(row->plugin, plugin_names[plugin]);
    assert_int_equal(row->state, known_state(event, plugin));
    assert_int_equal(row->attempts, event->attempts[plugin]);
    assert_int_equal(row->spared, ended ? 0 : 2);
    assert_int_equal(row->crashes, ended ? 0 : 1);
    assert_int_equal(row->due_ms, stands == INBOX_WAITING ? 77 : 0);
    assert_int_equal(row->died_ms,
                     stands == INBOX_DEAD ? START_MS + seen->seq : 0);
    assert_int_equal(strncmp(row->cause, "cause", 5) == 0,
                     stands == INBOX_DEAD);
    if (ended) {
        assert_int_equal(row->last_outcome, stands - ENDED_DONE);
    } else if (event->attempts[plugin] == 0) {
        assert_int_equal(row->last_outcome, -1);
        assert_string_equal(row->note, "");
    } else {
        char note[16];
        snprintf(note, sizeof(note), "note %d", event->attempts[plugin]);
        assert_string_equal(row->note, note);
    }
    seen->count++;
    return 0;
}

static void
deliveries_are_shown_also_those_that_ended(void **state)
{
    struct scene *scene = *state;
    struct seen seen = {.scene = scene};
    for (seen.seq = 1; seen.seq <= EVENTS + 1; seen.seq++) {
        size_t before = seen.count, wanted = 0;
        seen.last = 0;
        for (int plugin = 1;
             plugin <= PLUGINS && seen.seq <= EVENTS && exists(scene, seen.seq);
             plugin++) {
            wanted += scene->events[seen.seq].stands[plugin] >= 0;
        }
        assert_int_equal(
            view_deliveries(scene->view, seen.seq, check_delivery, &seen, NULL),
            RC_OK);
        assert_int_equal(seen.count - before, wanted);
    }
}

static int
check_attempt(void *arg, const struct view_attempt *row)
{
    struct seen *seen = arg;
    char note[16];
    snprintf(note, sizeof(note), "note %u", row->n);
    assert_int_equal(row->seq, 500);
    assert_string_equal(row->plugin, plugin_names[1 + seen->count / 3]);
    assert_int_equal(row->n, 1 + seen->count % 3);
    assert_string_equal(row->note, note);
    assert_int_equal(row->outcome, row->n == 2 ? INBOX_CRASH : INBOX_RETRY);
    assert_int_equal(row->signal, row->n == 2 ? 11 : 0);
    assert_string_equal(row->evidence, "log");
    assert_string_equal(row->digest, "d1");
    assert_int_equal(row->generation, 5);
    assert_int_equal(row->started_ms, START_MS + 50000 + row->n);
    assert_int_equal(row->duration_us, 7);
    return ++seen->count == seen->stop_after;
}

static void
attempts_are_shown_by_plugin_and_number(void **state)
{
    struct scene *scene = *state;
    struct seen all = {0}, one = {0}, none = {0}, some = {.stop_after = 2};
    for (int plugin = 2; plugin >= 1; plugin--) {
        for (int n = 3; n >= 1; n--) {
            write_attempt(scene, 500, plugin, n,
                          n == 2 ? INBOX_CRASH : INBOX_RETRY);
        }
    }
    assert_int_equal(
        view_attempts(scene->view, 500, NULL, check_attempt, &all, NULL),
        RC_OK);
    assert_int_equal(all.count, 6);
    assert_int_equal(
        view_attempts(scene->view, 500, "mails", check_attempt, &one, NULL),
        RC_OK);
    assert_int_equal(one.count, 3);
    assert_int_equal(
        view_attempts(scene->view, 500, "nobody", check_attempt, &none, NULL),
        RC_OK);
    assert_int_equal(none.count, 0);
    assert_int_equal(
        view_attempts(scene->view, 500, NULL, check_attempt, &some, NULL),
        RC_OK);
    assert_int_equal(some.count, 2);
}

static int
check_receipt(void *arg, const struct view_receipt *row)
{
    struct seen *seen = arg;
    static const int64_t kept[] = {0, 0, 2};
    assert_int_equal(row->received_ms, 10 + seen->count);
    assert_int_equal(row->signed_s, 1 + seen->count);
    assert_string_equal(row->endpoint, seen->count == 1 ? "other" : "main");
    assert_int_equal(row->secret[0], 'a' + (int)seen->count);
    assert_int_equal(row->conflict, seen->count > 0);
    assert_int_equal(row->conflict_bytes, kept[seen->count]);
    seen->count++;
    return 0;
}

static void
receipts_tell_of_other_bytes(void **state)
{
    struct scene *scene = *state;
    struct seen seen = {0};
    write_receipts(scene);
    assert_int_equal(view_receipts(scene->view, 1, check_receipt, &seen, NULL),
                     RC_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(view_receipts(scene->view, 2, check_receipt, &seen, NULL),
                     RC_OK);
    assert_int_equal(seen.count, 3);
}

/* ---- Plugins and jobs ----------------------------------------------- */

static int
check_plugin(void *arg, const struct view_plugin *row)
{
    struct seen *seen = arg;
    int id = (int)row->state.id;
    int64_t pending = 0, dead = 0, oldest_ms = 0;
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        const struct known_event *event = &seen->scene->events[seq];
        int stands = exists(seen->scene, seq) ? event->stands[id] : -1;
        dead += stands == INBOX_DEAD;
        if (stands >= 0 && stands < ENDED_DONE && stands != INBOX_DEAD) {
            oldest_ms = pending++ == 0 ? event->received_ms : oldest_ms;
        }
    }
    assert_string_equal(row->name, plugin_names[id]);
    assert_int_equal(row->pending, pending);
    assert_int_equal(row->dead, dead);
    assert_int_equal(row->oldest_ms, oldest_ms);
    assert_int_equal(row->state.paused_ms, id == 2 ? 5 : 0);
    assert_int_equal(row->state.paused_until_ms, 0); /* 4: it is over */
    assert_int_equal(row->state.held_ms, id == 4 ? 7 : 0);
    assert_int_equal(row->state.held_since_ms, id == 4 ? 8 : 0);
    assert_string_equal(row->state.reason, id == 2 ? "too late" : "");
    seen->count++;
    return 0;
}

static void
plugins_are_shown_with_what_waits_for_them(void **state)
{
    struct scene *scene = *state;
    struct seen seen = {.scene = scene};
    assert_int_equal(view_plugins(scene->view, check_plugin, &seen, NULL),
                     RC_OK);
    assert_int_equal(seen.count, PLUGINS);
}

static int
check_job(void *arg, const struct inbox_job *row)
{
    struct seen *seen = arg;
    assert_true(seen->last == 0 || row->id < seen->last);
    seen->last = (int)row->id;
    assert_string_equal(row->kind, "replay");
    assert_string_equal(row->state, "running");
    assert_string_equal(row->reason, "fixed");
    assert_string_equal(row->filter, "{}");
    assert_int_equal(row->created_ms, 1);
    assert_int_equal(row->ended_ms, 2);
    assert_int_equal(row->rate, 3);
    assert_int_equal(row->total, 4);
    assert_int_equal(row->moved, 5);
    assert_int_equal(row->after.seq, 6);
    assert_int_equal(row->after.plugin, UINT32_MAX);
    assert_int_equal(row->done, 8);
    assert_int_equal(row->dead, 9);
    seen->count++;
    return 0;
}

static void
jobs_are_shown_newest_first(void **state)
{
    struct scene *scene = *state;
    static const struct {
        int64_t id;
        size_t limit, count;
    } cases[] = {
        {0, 10, 5}, {0, 2, 2}, {3, 10, 1}, {9, 10, 0}, {0, SIZE_MAX, 5}};
    for (int i = 0; i < 5; i++) {
        write_sql(scene, "INSERT INTO job(kind, state, reason, filter,"
                         " created_ms, ended_ms, rate, total, moved, after_seq,"
                         " after_plugin, done, dead) VALUES('replay',"
                         " 'running', 'fixed', '{}', 1, 2, 3, 4, 5, 6,"
                         " 4294967295, 8, 9)");
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seen seen = {0};
        assert_int_equal(view_jobs(scene->view, cases[i].id, cases[i].limit,
                                   check_job, &seen, NULL),
                         RC_OK);
        assert_int_equal(seen.count, cases[i].count);
        assert_true(cases[i].id != 3 || seen.last == 3);
    }
}

/* ---- One call ------------------------------------------------------- */

static int
look_inside(void *arg, const struct view_event *row)
{
    struct seen *seen = arg;
    size_t before = seen->count;
    seen->seq = row->seq;
    seen->last = 0;
    assert_int_equal(view_deliveries(seen->scene->view, row->seq,
                                     check_delivery, seen, NULL),
                     RC_OK);
    assert_string_equal(row->id, seen->scene->events[row->seq].id);
    assert_true(seen->count > before || row->state == VIEW_UNROUTED);
    return 0;
}

static void
callback_may_call_in_again(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct seen seen = {.scene = scene};
    view_filter_init(&filter);
    assert_int_equal(view_events(scene->view, &filter, 0, 0, EVENTS,
                                 look_inside, &seen, NULL),
                     RC_OK);
    assert_true(seen.count > EVENTS);
    assert_true(sqlite3_get_autocommit(scene->view->db));
}

/* Once the call has begun to read the event, it changes. */
static int
change_event(unsigned type, void *arg, void *stmt, void *text)
{
    struct scene *scene = arg;
    (void)type;
    (void)text;
    if (strstr(sqlite3_sql((sqlite3_stmt *)stmt), "FROM event e") != NULL) {
        write_sql(scene, "UPDATE event SET type = 'changed' WHERE seq = 2");
    }
    return 0;
}

static void
one_call_sees_one_moment(void **state)
{
    struct scene *scene = *state;
    struct seen seen = {.scene = scene, .seq = 2};
    sqlite3_trace_v2(scene->view->db, SQLITE_TRACE_STMT, change_event, scene);
    assert_int_equal(view_event(scene->view, "evt_2", check_event, &seen, NULL),
                     RC_OK);
    sqlite3_trace_v2(scene->view->db, 0, NULL, NULL);
    assert_int_equal(seen.count, 1);
    scene->events[2].type = "changed";
    assert_int_equal(view_event(scene->view, "evt_2", check_event, &seen, NULL),
                     RC_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(events_are_shown_whole),
        VIEW_TEST(bytes_are_copied_exactly),
        VIEW_TEST(deliveries_are_shown_also_those_that_ended),
        VIEW_TEST(attempts_are_shown_by_plugin_and_number),
        VIEW_TEST(receipts_tell_of_other_bytes),
        VIEW_TEST(plugins_are_shown_with_what_waits_for_them),
        VIEW_TEST(jobs_are_shown_newest_first),
        VIEW_TEST(callback_may_call_in_again),
        VIEW_TEST(one_call_sees_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
