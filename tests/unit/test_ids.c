/* tests/unit/test_ids.c: fresh ids are unique and sort by age.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "template/ids.h"

#include "clock.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 2000

static int
compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void
two_thousand_ids_are_unique_and_sorted_by_time(void **state)
{
    (void)state;
    static char ids[MANY][IDS_MAX];
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ids_make(ids[i], "evt", 0, clock_wall_ms(), NULL),
                         RC_OK);
        assert_int_equal(strlen(ids[i]), 28);
        assert_memory_equal(ids[i], "evt_3T", 6);
    }
    for (int i = 1; i < MANY; i++) {
        assert_true(strcmp(ids[i - 1], ids[i]) < 0);
    }
}

/* The later ones are made first, so that the counter cannot order them. */
static void
later_time_sorts_behind(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_C(218340105584895),
                                    INT64_C(1795438862317),
                                    INT64_C(1795438862316),
                                    62,
                                    61,
                                    0};
    char later[IDS_MAX] = "~";
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char id[IDS_MAX];
        assert_int_equal(ids_make(id, "pi", 0, times[i], NULL), RC_OK);
        assert_true(strcmp(id, later) < 0);
        strcpy(later, id);
    }
}

/* Two processes count alike: only the random part tells their ids apart. */
static void
processes_make_different_ids_in_the_same_millisecond(void **state)
{
    (void)state;
    enum { HALF = 100 };
    static char ids[2 * HALF][IDS_MAX];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    for (int i = 0; i < HALF; i++) {
        assert_int_equal(ids_make(ids[i], "evt", 0, 5, NULL), RC_OK);
    }
    if (child == 0) {
        size_t len = HALF * sizeof(ids[0]);
        _exit(write(ends[1], ids, len) == (ssize_t)len ? 0 : 1);
    }
    close(ends[1]);
    char *at = ids[HALF];
    size_t left = HALF * sizeof(ids[0]);
    while (left > 0) {
        ssize_t got = read(ends[0], at, left);
        assert_true(got > 0);
        at += got;
        left -= (size_t)got;
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    qsort(ids, (size_t)2 * HALF, sizeof(ids[0]), compare_ids);
    for (int i = 1; i < 2 * HALF; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
}

static void
ids_have_the_shape_of_their_kind(void **state)
{
    (void)state;
    char id[IDS_MAX];
    assert_int_equal(ids_make(id, "cus", 0, 5, NULL), RC_OK);
    assert_memory_equal(id, "cus_", 4);
    assert_int_equal(strlen(id), 18);
    assert_int_equal(ids_make(id, "cs", 1, 5, NULL), RC_OK);
    assert_memory_equal(id, "cs_live_a1", 10);
    assert_int_equal(strlen(id), 68);
    assert_int_equal(ids_make(id, "sub", 0, 5, NULL), RC_OK);
    assert_memory_equal(id, "sub_1T", 6);
    assert_int_equal(ids_make_thin(id, 0, 5, NULL), RC_OK);
    assert_memory_equal(id, "evt_test_65", 11);
    assert_int_equal(ids_make_thin(id, 1, 5, NULL), RC_OK);
    assert_memory_equal(id, "evt_65", 6);
    assert_int_equal(ids_uuid(id, NULL), RC_OK);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(id[14], '4');
}

static void
prefixes_follow_the_object(void **state)
{
    (void)state;
    assert_string_equal(ids_prefix("payment_intent"), "pi");
    assert_string_equal(ids_prefix("mandate"), "mandate");
    assert_string_equal(ids_prefix("reserve.hold"), "hold");
    assert_null(ids_prefix("balance"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_thousand_ids_are_unique_and_sorted_by_time),
        cmocka_unit_test(later_time_sorts_behind),
        cmocka_unit_test(processes_make_different_ids_in_the_same_millisecond),
        cmocka_unit_test(ids_have_the_shape_of_their_kind),
        cmocka_unit_test(prefixes_follow_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
