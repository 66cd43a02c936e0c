/* tests/unit/test_view.c: opening a view, its limits, and a writer beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "view_fixture.h"

#include <pthread.h>

/* ---- Opening -------------------------------------------------------- */

static int
open_code(const char *path, struct error *err)
{
    struct view *view = NULL;
    *err = (struct error){0};
    int rc = view_open(&view, path, err);
    assert_true((rc == RC_OK) == (view != NULL));
    view_close(view);
    return rc;
}

static void
only_an_inbox_of_this_format_is_opened(void **state)
{
    struct scene *scene = *state;
    struct error err;
    char path[128];
    assert_int_equal(open_code(inbox_path, &err), RC_OK);
    write_sql(scene, "PRAGMA user_version = 1");
    assert_int_equal(open_code(inbox_path, &err), RC_INVALID);
    assert_non_null(strstr(err.text, "format 1"));
    write_sql(scene, "PRAGMA user_version = 4");
    assert_int_equal(open_code(inbox_path, &err), RC_INVALID);
    write_sql(scene, "PRAGMA user_version = 3; PRAGMA application_id = 7");
    assert_int_equal(open_code(inbox_path, &err), RC_INVALID);
    assert_non_null(strstr(err.text, "some other SQLite file"));

    snprintf(path, sizeof(path), "%s/none.db", inbox_folder);
    assert_int_equal(open_code(path, &err), RC_NOT_FOUND);
    assert_int_not_equal(access(path, F_OK), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 500; i++) {
        fputs("no database at all\n", file);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(open_code(path, &err), RC_INVALID);
    view_close(NULL);
}

static void
view_cannot_write(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(
        sqlite3_exec(scene->view->db, "DELETE FROM event", NULL, NULL, NULL) &
            0xff,
        SQLITE_READONLY);
    assert_int_not_equal(sqlite3_wal_checkpoint_v2(scene->view->db, NULL,
                                                   SQLITE_CHECKPOINT_PASSIVE,
                                                   NULL, NULL),
                         SQLITE_OK);
}

static void
states_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < VIEW_STATE_COUNT; i++) {
        assert_int_equal(view_state_parse(view_state_name((enum view_state)i)),
                         i);
    }
    assert_string_equal(view_state_name(VIEW_QUEUED), "queued");
    assert_string_equal(view_state_name(VIEW_UNROUTED), "unrouted");
    assert_int_equal(view_state_parse("pending"), VIEW_STATE_COUNT);
    assert_int_equal(view_state_parse("Dead"), -1);
    assert_int_equal(view_state_parse(""), -1);
}

/* ---- Limits --------------------------------------------------------- */

static int
count_event(void *arg, const struct view_event *row)
{
    (void)row;
    ++*(size_t *)arg;
    return 0;
}

static int
count_plugin(void *arg, const struct view_plugin *row)
{
    (void)row;
    ++*(size_t *)arg;
    return 0;
}

static int
skip_group(void *arg, const struct view_dead *row)
{
    (void)row;
    ++*(size_t *)arg;
    return 0;
}

/* Once the query has begun its time is over. */
static int
end_time(unsigned type, void *arg, void *stmt, void *text)
{
    struct view *view = arg;
    (void)type;
    (void)text;
    if (strstr(sqlite3_sql((sqlite3_stmt *)stmt), "FROM delivery") != NULL) {
        view->deadline_ms = 0;
    }
    return 0;
}

static void
slow_query_is_broken_off(void **state)
{
    struct scene *scene = *state;
    struct view *view = scene->view;
    struct view_filter filter;
    struct error err = {0};
    size_t count = 0;
    view_filter_init(&filter);
    sqlite3_trace_v2(view->db, SQLITE_TRACE_STMT, end_time, view);
    assert_int_equal(view_dead(view, &filter, skip_group, &count, &err),
                     RC_TIMEOUT);
    assert_non_null(strstr(err.text, "narrow the filter"));
    assert_int_equal(count, 0);
    assert_true(sqlite3_get_autocommit(view->db));

    /* Also in the middle of a step: here the first row is the last. */
    sqlite3_stmt *stmt = NULL;
    int row;
    assert_int_equal(view_begin(view, NULL), RC_OK);
    assert_int_equal(view_prepare(view,
                                  "SELECT count(*) FROM delivery a, delivery b",
                                  &stmt, NULL),
                     RC_OK);
    assert_int_equal(view_step(view, stmt, &row, &err), RC_TIMEOUT);
    sqlite3_finalize(stmt);
    assert_int_equal(view_end(view, RC_TIMEOUT), RC_TIMEOUT);

    sqlite3_trace_v2(view->db, 0, NULL, NULL);
    assert_int_equal(view_dead(view, &filter, skip_group, &count, &err), RC_OK);
    assert_true(count > 10);
}

static int
take_too_long(void *arg, const struct view_event *row)
{
    struct view *view = arg;
    (void)row;
    view->deadline_ms = clock_mono_ms();
    return 0;
}

static void
slow_callback_is_broken_off(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    struct error err = {0};
    view_filter_init(&filter);
    assert_int_equal(view_events(scene->view, &filter, 0, 0, 9, take_too_long,
                                 scene->view, &err),
                     RC_TIMEOUT);
    assert_true(sqlite3_get_autocommit(scene->view->db));
}

/* Every query once. */
static void *
look_at_all(void *arg)
{
    struct view *view = arg;
    struct view_filter filter;
    size_t count = 0;
    view_filter_init(&filter);
    for (filter.state = -1; filter.state <= VIEW_STATE_COUNT; filter.state++) {
        assert_int_equal(
            view_events(view, &filter, 0, 0, 5, count_event, &count, NULL),
            RC_OK);
    }
    filter.state = VIEW_DEAD;
    struct view_selection selection = {.filter = &filter,
                                       .which = VIEW_TO_DISCARD};
    int64_t total;
    assert_int_equal(view_count(view, &selection, 9999, &total, NULL), RC_OK);
    assert_true(total > 0);
    assert_int_equal(view_dead(view, &filter, skip_group, &count, NULL), RC_OK);
    assert_int_equal(view_plugins(view, count_plugin, &count, NULL), RC_OK);
    assert_true(count > PLUGINS);
    return NULL;
}

/* The threads of the server have 100 KiB of stack in all, and a query over many
 * plugins is long. */
static void
many_plugins_fit_into_a_small_stack(void **state)
{
    struct scene *scene = *state;
    for (int count = PLUGINS; count < 260; count += 49) {
        pthread_attr_t attr;
        pthread_t thread;
        for (int i = 0; i < 49; i++) {
            write_sql(scene, "INSERT INTO plugin(name) VALUES('p%d')",
                      count + i);
        }
        assert_int_equal(pthread_attr_init(&attr), 0);
        assert_int_equal(pthread_attr_setstacksize(&attr, 64 << 10), 0);
        assert_int_equal(
            pthread_create(&thread, &attr, look_at_all, scene->view), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        pthread_attr_destroy(&attr);
    }
}

/* ---- A writer beside it --------------------------------------------- */

/* Events from here on, each with one delivery. */
#define FIRST_NEW 1001
#define LAST_NEW  1400

static void *
write_on(void *arg)
{
    struct scene *scene = arg;
    for (int seq = FIRST_NEW; seq <= LAST_NEW; seq++) {
        write_sql(scene,
                  "BEGIN IMMEDIATE;"
                  "INSERT INTO event SELECT %d, 'evt_%d', type, created_s,"
                  " received_ms, livemode, thin, 1, account, api_version,"
                  " object_id, customer, snapshot_event, endpoint, secret,"
                  " signature, signed_s, NULL FROM event WHERE seq = 1;"
                  "INSERT INTO delivery(seq, plugin, state, attempt, lease,"
                  " due_ms) VALUES(%d, 1, 0, 0, 0, 0);"
                  "COMMIT",
                  seq, seq, seq);
        if (seq % 50 == 0) {
            write_sql(scene, "PRAGMA wal_checkpoint(PASSIVE)");
        }
    }
    return NULL;
}

static int
check_new(void *arg, const struct view_event *row)
{
    int64_t *next = arg;
    assert_int_equal(row->seq, *next);
    assert_int_equal(row->state, VIEW_QUEUED);
    ++*next;
    return 0;
}

/* What one transaction wrote is seen whole or not at all. */
static void
writer_and_view_do_not_disturb_each_other(void **state)
{
    struct scene *scene = *state;
    struct view_filter filter;
    pthread_t writer;
    int64_t next = FIRST_NEW;
    view_filter_init(&filter);
    assert_int_equal(pthread_create(&writer, NULL, write_on, scene), 0);
    for (int64_t end_ms = clock_mono_ms() + 60000; next <= LAST_NEW;) {
        int64_t from = next > FIRST_NEW ? next - 1 : EVENTS;
        assert_int_equal(view_events(scene->view, &filter, 1, from, 100,
                                     check_new, &next, NULL),
                         RC_OK);
        assert_true(clock_mono_ms() < end_ms);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(only_an_inbox_of_this_format_is_opened),
        VIEW_TEST(view_cannot_write),
        cmocka_unit_test(states_have_names),
        VIEW_TEST(slow_query_is_broken_off),
        VIEW_TEST(slow_callback_is_broken_off),
        VIEW_TEST(many_plugins_fit_into_a_small_stack),
        VIEW_TEST(writer_and_view_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
