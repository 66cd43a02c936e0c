/* tests/unit/test_view_events.c: listing events: every filter, every page, and
 * the indexes by which they are found.
 * SPDX-License-Identifier: Apache-2.0 */
#include "view_fixture.h"

struct page {
    struct scene *scene;
    int64_t seqs[EVENTS];
    size_t count;
    int64_t stop_at; /* 0: do not */
};

static int
collect(void *arg, const struct view_event *row)
{
    struct page *page = arg;
    const struct known_event *event = &page->scene->events[row->seq];
    assert_true(page->count < EVENTS);
    assert_string_equal(row->id, event->id);
    assert_string_equal(row->type, event->type);
    assert_int_equal(row->state, known_event_state(event));
    page->seqs[page->count++] = row->seq;
    return row->seq == page->stop_at;
}

static int
event_is_listed(const struct view_filter *filter,
                const struct known_event *event)
{
    int any = filter->plugin == NULL && filter->state < 0;
    any |= filter->plugin == NULL && filter->state == VIEW_UNROUTED &&
           known_event_state(event) == VIEW_UNROUTED;
    for (int plugin = 1; plugin <= PLUGINS; plugin++) {
        any |= delivery_passes(filter, event, plugin);
    }
    return any && event_passes(filter, event);
}

static size_t
expect(const struct scene *scene, const struct view_filter *filter,
       int64_t *seqs)
{
    size_t count = 0;
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        if (exists(scene, seq) &&
            event_is_listed(filter, &scene->events[seq])) {
            seqs[count++] = seq;
        }
    }
    return count;
}

/* All of it, in pages of `size`. */
static void
list(struct scene *scene, const struct view_filter *filter, int oldest_first,
     size_t size, struct page *all)
{
    struct page page;
    int64_t from = 0;
    *all = (struct page){.scene = scene};
    do {
        struct error err = {0};
        page = (struct page){.scene = scene};
        if (view_events(scene->view, filter, oldest_first, from, size, collect,
                        &page, &err) != RC_OK) {
            fail_msg("%s", err.text);
        }
        assert_true(page.count <= size);
        memcpy(all->seqs + all->count, page.seqs,
               page.count * sizeof(page.seqs[0]));
        all->count += page.count;
        from = page.count > 0 ? page.seqs[page.count - 1] : 0;
    } while (page.count == size);
}

static void
assert_listed(struct scene *scene, const struct view_filter *filter,
              size_t size)
{
    int64_t wanted[EVENTS];
    size_t count = expect(scene, filter, wanted);
    struct page page;
    for (int oldest_first = 0; oldest_first <= 1; oldest_first++) {
        list(scene, filter, oldest_first, size, &page);
        assert_int_equal(page.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(page.seqs[i],
                             wanted[oldest_first ? i : count - 1 - i]);
        }
    }
}

/* ---- Filters -------------------------------------------------------- */

static void
everything_is_listed_once_in_pages_of_any_size(void **state)
{
    struct view_filter filter;
    view_filter_init(&filter);
    for (size_t size = 1; size < 2 * EVENTS; size = size * 3 + 1) {
        assert_listed(*state, &filter, size);
    }
}

static void
each_state_is_listed_with_and_without_a_plugin(void **state)
{
    struct view_filter filter;
    int64_t seqs[EVENTS];
    view_filter_init(&filter);
    for (int plugin = 0; plugin <= PLUGINS; plugin++) {
        filter.plugin = plugin == 0 ? NULL : plugin_names[plugin];
        for (filter.state = -1; filter.state <= VIEW_STATE_COUNT;
             filter.state++) {
            assert_listed(*state, &filter, 7);
            if (plugin == 0) { /* the scene has them all */
                assert_true(expect(*state, &filter, seqs) > 0);
            }
        }
    }
}

static void
patterns_of_types_are_as_elsewhere(void **state)
{
    static const char *const patterns[] = {"invoice.*",
                                           "invoice.payment.*",
                                           "invoice",
                                           "*",
                                           "v2.core.account[requirements].*",
                                           "v2.core.account.*",
                                           "v2.core.account[*].updated",
                                           "v2.core.*",
                                           "charge.refunded",
                                           ".*",
                                           "",
                                           "i*"};
    struct view_filter filter;
    view_filter_init(&filter);
    for (size_t i = 0; i < COUNT(patterns); i++) {
        filter.types[0] = patterns[i];
        filter.types[1] = "no.such";
        filter.type_count = 1 + i % 2;
        assert_listed(*state, &filter, 50);
    }
    for (filter.type_count = 0; filter.type_count < VIEW_TYPES_MAX;) {
        filter.types[filter.type_count++] = "invoice.paid";
    }
    assert_listed(*state, &filter, 50);
}

static void
up_to_the_most_ids_are_listed(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    view_filter_init(&filter);
    while (filter.id_count < VIEW_IDS_MAX) {
        filter.ids[filter.id_count++] = "evt_1";
    }
    for (size_t i = 0; i < VIEW_IDS_MAX; i += 3) {
        filter.ids[i] =
            exists(scene, (int64_t)i + 1) ? scene->events[i + 1].id : "evt_0";
    }
    assert_listed(*state, &filter, 5);
    filter.id_count = 1;
    filter.ids[0] = "evt_1' OR 1 --";
    assert_listed(*state, &filter, 5);
}

static void
filters_hold_together(void **state)
{
    struct scene *scene = *state;
    size_t full = 0;
    for (int i = 0; i < 600; i++) {
        struct view_filter filter;
        int64_t seqs[EVENTS];
        random_filter(scene, &filter);
        full += expect(scene, &filter, seqs) > 0;
        assert_listed(scene, &filter, 1 + below(scene, 40));
    }
    assert_true(full > 100);
}

static void
time_is_found_though_the_clock_jumped_a_day(void **state)
{
    struct scene *scene = *state;
    const int64_t day_ms = 24 * 3600 * 1000;
    for (int64_t seq = 1; seq <= EVENTS; seq++) { /* ten days in all */
        struct known_event *event = &scene->events[seq];
        event->received_ms = START_MS + seq * day_ms / 40;
        event->received_ms += seq > 100 && seq < 200 ? day_ms : 0;
        event->received_ms -= seq > 300 ? day_ms : 0;
        write_sql(scene, "UPDATE event SET received_ms = %lld WHERE seq = %lld",
                  (long long)event->received_ms, (long long)seq);
    }
    for (int i = -40; i < EVENTS + 40; i += 3) {
        struct view_filter filter;
        view_filter_init(&filter);
        filter.received_after_ms = START_MS + i * day_ms / 40;
        assert_listed(scene, &filter, EVENTS);
        filter.received_before_ms = filter.received_after_ms + day_ms / 2;
        assert_listed(scene, &filter, EVENTS);
        filter.state = i % 2 ? VIEW_DEAD : VIEW_STATE_COUNT;
        assert_listed(scene, &filter, EVENTS);
    }
}

static void
offline_nothing_is_orphaned(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct page page = {.scene = scene};
    view_set_plugins(scene->view, NULL);
    view_filter_init(&filter);
    filter.state = VIEW_ORPHANED;
    assert_int_equal(
        view_events(scene->view, &filter, 0, 0, 9, collect, &page, NULL),
        RC_OK);
    assert_int_equal(page.count, 0);
}

static void
callback_ends_the_call(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct page page = {.scene = scene, .stop_at = EVENTS - 2};
    view_filter_init(&filter);
    assert_int_equal(
        view_events(scene->view, &filter, 0, 0, EVENTS, collect, &page, NULL),
        RC_OK);
    assert_int_equal(page.count, 3);
    assert_int_equal(
        view_events(scene->view, &filter, 0, 0, 0, collect, &page, NULL),
        RC_OK);
    assert_int_equal(page.count, 3);
}

/* ---- How they are found --------------------------------------------- */

#define PLAN_MAX 20000

/* The plans of all queries that are run, one after the other. */
static struct plans {
    sqlite3 *db; /* another connection */
    char text[PLAN_MAX];
    size_t len;
    int sorts; /* one of them, but for the few deliveries of an event */
} plans;

static int
explain(unsigned type, void *arg, void *statement, void *expanded)
{
    sqlite3_stmt *stmt;
    (void)type;
    (void)arg;
    (void)expanded;
    const char *text = sqlite3_sql((sqlite3_stmt *)statement);
    char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", text);
    if (sqlite3_prepare_v2(plans.db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        while (sqlite3_step(stmt) == SQLITE_ROW && plans.len < PLAN_MAX) {
            const char *step = (const char *)sqlite3_column_text(stmt, 3);
            plans.len += (size_t)snprintf(plans.text + plans.len,
                                          PLAN_MAX - plans.len, "%s\n", step);
            plans.sorts |= strstr(step, "FOR ORDER BY") != NULL &&
                           strcmp(text, view_deliveries_text) != 0;
        }
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return 0;
}

static int
stop_at_once(void *arg, const struct view_event *row)
{
    (void)arg;
    (void)row;
    return 1;
}

static void
trace_plans(struct scene *scene)
{
    plans = (struct plans){0};
    assert_int_equal(sqlite3_open(inbox_path, &plans.db), SQLITE_OK);
    sqlite3_trace_v2(scene->view->db, SQLITE_TRACE_STMT, explain, NULL);
}

/* Nothing is read from end to end but the small table of plugins. */
static void
assert_plan(struct scene *scene, const struct view_filter *filter,
            const char *index)
{
    trace_plans(scene);
    assert_int_equal(
        view_events(scene->view, filter, 0, 0, 9, stop_at_once, NULL, NULL),
        RC_OK);
    sqlite3_trace_v2(scene->view->db, 0, NULL, NULL);
    sqlite3_close(plans.db);
    if (strstr(plans.text, "SCAN e") != NULL ||
        strstr(plans.text, "SCAN a") != NULL ||
        strstr(plans.text, "SCAN b") != NULL ||
        strstr(plans.text, "SCAN d") != NULL ||
        strstr(plans.text, index) == NULL) {
        fail_msg("wanted %s:\n%s", index, plans.text);
    }
}

static void
keys_are_found_by_their_index(void **state)
{
    struct view_filter filter;
    for (int i = -1; i <= VIEW_STATE_COUNT; i++) {
        view_filter_init(&filter);
        filter.state = i;
        filter.types[filter.type_count++] = "invoice.*";
        filter.received_after_ms = START_MS;
        filter.received_before_ms = START_MS + EVENTS * 1000;
        filter.customer = "cus_1";
        assert_plan(*state, &filter, "event_customer (customer=? AND seq>?");
        filter.object_id = "in_1";
        assert_plan(*state, &filter, "event_object (object_id=? AND seq>?");
        filter.ids[filter.id_count++] = "evt_1";
        filter.ids[filter.id_count++] = "evt_2";
        assert_plan(*state, &filter, "event_uid (event_id=?");
    }
}

static void
dead_ones_are_found_by_their_index(void **state)
{
    struct view_filter filter;
    view_filter_init(&filter);
    filter.state = VIEW_DEAD;
    filter.account = "acct_1";
    for (int i = 0; i < 2; i++, filter.plugin = "mails") {
        assert_plan(*state, &filter,
                    "delivery_dead (plugin=? AND seq>? AND seq<?)");
        assert_false(plans.sorts);
    }
}

static void
pending_ones_are_found_among_deliveries_in_order(void **state)
{
    struct view_filter filter;
    view_filter_init(&filter);
    filter.livemode = 1;
    for (int i = 0; i < 2; i++) {
        for (filter.state = 0; filter.state <= VIEW_STATE_COUNT;
             filter.state++) {
            if (view_state_is_live(filter.state) && filter.state != VIEW_DEAD) {
                filter.plugin = i == 0                          ? NULL
                                : filter.state == VIEW_HELD     ? "books"
                                : filter.state == VIEW_ORPHANED ? "gone"
                                                                : "mails";
                assert_plan(*state, &filter,
                            "d USING PRIMARY KEY (seq>? AND seq<?)");
                assert_false(plans.sorts);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(everything_is_listed_once_in_pages_of_any_size),
        VIEW_TEST(each_state_is_listed_with_and_without_a_plugin),
        VIEW_TEST(patterns_of_types_are_as_elsewhere),
        VIEW_TEST(up_to_the_most_ids_are_listed),
        VIEW_TEST(filters_hold_together),
        VIEW_TEST(time_is_found_though_the_clock_jumped_a_day),
        VIEW_TEST(offline_nothing_is_orphaned),
        VIEW_TEST(callback_ends_the_call),
        VIEW_TEST(keys_are_found_by_their_index),
        VIEW_TEST(dead_ones_are_found_by_their_index),
        VIEW_TEST(pending_ones_are_found_among_deliveries_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
