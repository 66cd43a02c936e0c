/* tests/unit/test_view_select.c: the items of jobs, counts, and dead letters
 * by cause.
 * SPDX-License-Identifier: Apache-2.0 */
#include "view_fixture.h"

#define ITEMS (EVENTS * PLUGINS)

/* What a selection must have, in order. */
struct expected {
    struct inbox_item items[ITEMS];
    size_t count;
};

static int
passes_some(void *arg, const char *type, int livemode, const char *endpoint)
{
    (void)arg;
    return strcmp(type, "invoice") != 0 && livemode &&
           strcmp(endpoint, "main") == 0;
}

static int
is_selected(const struct view_selection *selection,
            const struct known_event *event, int64_t seq, int plugin)
{
    int stands = event->stands[plugin];
    int under_way =
        stands == INBOX_READY || stands == INBOX_LEASED || stands == INBOX_HELD;
    switch (selection->which) {
    case VIEW_TO_DISCARD:
        return stands == INBOX_DEAD &&
               delivery_passes(selection->filter, event, plugin);
    case VIEW_TO_REPLAY:
        return !under_way && delivery_passes(selection->filter, event, plugin);
    case VIEW_TO_GIVE:
        return !under_way && plugin == (int)selection->plugin &&
               passes_some(NULL, event->type, event->livemode,
                           seq % 5 ? "main" : "other");
    }
    return 0;
}

static void
expect(const struct scene *scene, const struct view_selection *selection,
       struct expected *expected)
{
    expected->count = 0;
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        const struct known_event *event = &scene->events[seq];
        if (!exists(scene, seq) || !event_passes(selection->filter, event)) {
            continue;
        }
        for (int plugin = 1; plugin <= PLUGINS; plugin++) {
            if (is_selected(selection, event, seq, plugin)) {
                expected->items[expected->count++] =
                    (struct inbox_item){.seq = seq, .plugin = (uint32_t)plugin};
            }
        }
    }
}

/* Walk through all of it, `max` items a call. @return calls */
static size_t
assert_selected(struct scene *scene, const struct view_selection *selection,
                size_t max)
{
    static struct expected expected;
    struct inbox_item items[INBOX_ITEMS_MAX], after = {0};
    size_t at = 0, count, calls = 0;
    int more = 1;
    expect(scene, selection, &expected);
    for (; more; calls++) {
        assert_int_equal(view_select(scene->view, selection, &after, items, max,
                                     &count, &more, NULL),
                         RC_OK);
        assert_true(count <= max && at + count <= expected.count);
        for (size_t i = 0; i < count; i++, at++) {
            assert_int_equal(items[i].seq, expected.items[at].seq);
            assert_int_equal(items[i].plugin, expected.items[at].plugin);
        }
        assert_true(calls < 5 * ITEMS);
    }
    assert_int_equal(at, expected.count);

    int64_t total;
    assert_int_equal(view_count(scene->view, selection, ITEMS, &total, NULL),
                     RC_OK);
    assert_int_equal(total, expected.count);
    return calls;
}

/* ---- Selections ----------------------------------------------------- */

static void
each_kind_selects_what_it_is_for(void **state)
{
    static const enum view_which all[] = {VIEW_TO_DISCARD, VIEW_TO_REPLAY,
                                          VIEW_TO_GIVE};
    struct view_filter filter;
    struct view_selection selection = {
        .filter = &filter, .plugin = 3, .passes = passes_some};
    view_filter_init(&filter);
    for (size_t i = 0; i < COUNT(all); i++) {
        selection.which = all[i];
        for (size_t max = 1; max <= INBOX_ITEMS_MAX; max = max * 2 + 1) {
            assert_selected(*state, &selection, max);
        }
    }
}

static void
states_and_plugins_are_heeded(void **state)
{
    struct view_filter filter;
    struct view_selection selection = {
        .filter = &filter, .plugin = 1, .passes = passes_some};
    view_filter_init(&filter);
    for (filter.state = -1; filter.state <= VIEW_STATE_COUNT; filter.state++) {
        for (int plugin = 0; plugin <= PLUGINS; plugin++) {
            filter.plugin = plugin == 0 ? NULL : plugin_names[plugin];
            selection.which = VIEW_TO_REPLAY;
            assert_selected(*state, &selection, 17);
            selection.which = VIEW_TO_DISCARD;
            assert_selected(*state, &selection, 17);
            selection.which = VIEW_TO_GIVE;
            assert_selected(*state, &selection, 100);
        }
    }
}

static void
filters_hold_together_however_little_is_looked_at(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 400; i++) {
        struct view_filter filter;
        random_filter(scene, &filter);
        struct view_selection selection = {.filter = &filter,
                                           .which =
                                               (enum view_which)below(scene, 3),
                                           .plugin = 1 + below(scene, PLUGINS),
                                           .passes = passes_some};
        scene->view->look_max = 1 + below(scene, 60);
        assert_selected(scene, &selection, 1 + below(scene, 30));
    }
}

static void
few_that_pass_among_many_take_many_short_calls(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct view_selection selection = {.filter = &filter,
                                       .which = VIEW_TO_REPLAY};
    view_filter_init(&filter);
    filter.types[filter.type_count++] = "no.such";
    scene->view->look_max = 10;
    assert_true(assert_selected(scene, &selection, 5) >= 38);
    scene->view->look_max = 1000;
    assert_int_equal(assert_selected(scene, &selection, 5), 1);
}

static void
dead_letters_are_looked_at_without_all_the_others(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct view_selection selection = {.filter = &filter,
                                       .which = VIEW_TO_DISCARD};
    view_filter_init(&filter);
    write_sql(scene, "UPDATE delivery SET state = 0 WHERE state = 3"
                     " AND NOT (seq = (SELECT max(seq) FROM delivery"
                     "  WHERE state = 3))");
    scene->view->look_max = 10;
    struct inbox_item items[9], after = {0};
    size_t count;
    int more;
    assert_int_equal(view_select(scene->view, &selection, &after, items, 9,
                                 &count, &more, NULL),
                     RC_OK);
    assert_true(count >= 1 && !more);
}

static void
counting_stops_at_the_most(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct view_selection selection = {.filter = &filter,
                                       .which = VIEW_TO_REPLAY};
    struct error err;
    int64_t count;
    view_filter_init(&filter);
    for (int64_t most = 0; most < 400; most += 57) {
        assert_int_equal(
            view_count(scene->view, &selection, most, &count, NULL), RC_OK);
        assert_int_equal(count, most);
    }
    /* The command line gives up after 30 s, and would be told nothing of a
     * job that begins then. */
    assert_in_range(scene->view->count_limit_ms, 1, 10000);
    scene->view->count_limit_ms = 0;
    assert_int_equal(view_count(scene->view, &selection, 1, &count, &err),
                     RC_TIMEOUT);
    assert_non_null(strstr(err.text, "narrow the filter"));
}

struct slow {
    struct view *view;
    int passed;
};

/* Each look takes as long as a whole call may. */
static int
passes_slowly(void *arg, const char *type, int livemode, const char *endpoint)
{
    struct slow *slow = arg;
    (void)type;
    (void)livemode;
    (void)endpoint;
    slow->view->deadline_ms = clock_mono_ms();
    slow->passed++;
    return 0;
}

static void
what_takes_too_long_is_not_the_end(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct slow slow = {.view = scene->view};
    struct view_selection selection = {.filter = &filter,
                                       .which = VIEW_TO_GIVE,
                                       .plugin = 1,
                                       .passes = passes_slowly,
                                       .passes_arg = &slow};
    struct inbox_item items[9], after = {0};
    size_t count;
    int more = 1, events = 0;
    view_filter_init(&filter);
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        events += exists(scene, seq);
    }
    while (more) {
        assert_int_equal(view_select(scene->view, &selection, &after, items, 9,
                                     &count, &more, NULL),
                         RC_OK);
    }
    assert_int_equal(slow.passed, events);
}

/* ---- Dead letters --------------------------------------------------- */

struct groups {
    struct scene *scene;
    const struct view_filter *filter;
    int64_t last_count, sum;
    size_t count;
};

/* Each is as large as it must be, and no group comes before a larger one. */
static int
check_group(void *arg, const struct view_dead *row)
{
    struct groups *groups = arg;
    int64_t count = 0, first = 0, last = 0;
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        const struct known_event *event = &groups->scene->events[seq];
        char cause[32];
        snprintf(cause, sizeof(cause), "cause %d", (int)(seq % 3));
        for (int plugin = 1; plugin <= PLUGINS && exists(groups->scene, seq);
             plugin++) {
            if (event->stands[plugin] == INBOX_DEAD &&
                event_passes(groups->filter, event) &&
                strcmp(plugin_names[plugin], row->plugin) == 0 &&
                strcmp(event->type, row->type) == 0 &&
                strcmp(cause, row->cause) == 0) {
                first = count++ == 0 ? seq : first;
                last = seq;
            }
        }
    }
    assert_int_equal(row->outcome, INBOX_FAIL);
    assert_int_equal(row->count, count);
    assert_int_equal(row->first_ms, START_MS + first);
    assert_int_equal(row->last_ms, START_MS + last);
    assert_string_equal(row->sample_id, groups->scene->events[last].id);
    assert_int_equal(strncmp(row->sample_note, "note ", 5), 0);
    assert_true(groups->count == 0 || row->count <= groups->last_count);
    groups->last_count = row->count;
    groups->sum += row->count;
    groups->count++;
    return 0;
}

static void
dead_letters_are_grouped_the_largest_first(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 200; i++) {
        struct view_filter filter;
        view_filter_init(&filter);
        if (i > 0) {
            random_filter(scene, &filter);
        }
        struct view_selection selection = {.filter = &filter,
                                           .which = VIEW_TO_DISCARD};
        static struct expected expected;
        struct groups groups = {.scene = scene, .filter = &filter};
        expect(scene, &selection, &expected);
        assert_int_equal(
            view_dead(scene->view, &filter, check_group, &groups, NULL), RC_OK);
        assert_int_equal(groups.sum, expected.count);
        assert_true(i > 0 || groups.count > 10);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(each_kind_selects_what_it_is_for),
        VIEW_TEST(states_and_plugins_are_heeded),
        VIEW_TEST(filters_hold_together_however_little_is_looked_at),
        VIEW_TEST(few_that_pass_among_many_take_many_short_calls),
        VIEW_TEST(dead_letters_are_looked_at_without_all_the_others),
        VIEW_TEST(counting_stops_at_the_most),
        VIEW_TEST(what_takes_too_long_is_not_the_end),
        VIEW_TEST(dead_letters_are_grouped_the_largest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
