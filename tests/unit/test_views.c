/* tests/unit/test_views.c: views that are lent.
 * SPDX-License-Identifier: Apache-2.0 */
#include "view_fixture.h"

#include "admin/views.h"

static const char *
path_of(const struct scene *scene)
{
    return sqlite3_db_filename(scene->db, "main");
}

/* All may be held by those who wait for a disk that hangs. */
static void
whoever_gets_none_is_told_so(void **state)
{
    struct views views;
    struct view *lent[VIEWS_MAX], *none = NULL;
    struct error err = {0};
    views_init(&views, path_of(*state));
    views.wait_ms = 50;
    for (size_t i = 0; i < VIEWS_MAX; i++) {
        assert_int_equal(views_lend(&views, &served, &lent[i], NULL), RC_OK);
    }
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(views_lend(&views, &served, &none, &err), RC_BUSY);
    assert_true(clock_mono_ms() - begun_ms >= 50);
    assert_null(none);
    assert_non_null(strstr(err.text, "busy"));
    views_return(&views, none);
    for (size_t i = 0; i < VIEWS_MAX; i++) {
        views_return(&views, lent[i]);
    }
    assert_int_equal(views_lend(&views, &served, &none, NULL), RC_OK);
    views_return(&views, none);
    views_fini(&views);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(whoever_gets_none_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
