/* tests/unit/test_tail.c: what followers of the commentary get.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "delivery/tail.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void
nothing_is_kept_without_followers(void **state)
{
    (void)state;
    uint64_t before = tail_listen(0);
    tail_arrived("a.b", "evt_1", "");
    tail_answered(200, "/webhook", 3, 0, "evt_1");
    tail_delivered("done", "p", 1, "", "evt_1");
    assert_true(tail_listen(0) == before);
}

static void
records_tell_what_happened(void **state)
{
    (void)state;
    struct tail_record got[4];
    uint64_t lost, from = tail_listen(1);
    tail_arrived("a.b", "evt_1", "acct_1");
    tail_answered(200, "/webhook", 3, 1, "evt_1");
    tail_delivered("retry 1, next in 5.0 s", "p", 7, "not now", "evt_1");
    assert_int_equal(tail_read(from, got, 4, &lost), 3);
    assert_int_equal(lost, 0);
    assert_int_equal(got[0].kind, TAIL_ARRIVED);
    assert_true(got[0].number == from + 1);
    assert_true(got[0].at_ms > 0);
    assert_string_equal(got[0].type, "a.b");
    assert_string_equal(got[0].event_id, "evt_1");
    assert_string_equal(got[0].account, "acct_1");
    assert_int_equal(got[1].kind, TAIL_ANSWERED);
    assert_int_equal(got[1].status, 200);
    assert_int_equal(got[1].duplicate, 1);
    assert_int_equal(got[1].took_ms, 3);
    assert_string_equal(got[1].path, "/webhook");
    assert_string_equal(got[1].type, "");
    assert_int_equal(got[2].kind, TAIL_DELIVERED);
    assert_string_equal(got[2].plugin, "p");
    assert_string_equal(got[2].verdict, "retry 1, next in 5.0 s");
    assert_string_equal(got[2].detail, "not now");
    assert_int_equal(tail_read(from + 2, got, 4, &lost), 1);
    assert_int_equal(tail_read(from + 3, got, 4, &lost), 0);
    assert_int_equal(tail_read(from, got, 2, &lost), 2); /* the oldest */
    assert_true(got[1].number == from + 2);
    tail_listen(-1);
}

static void
slow_follower_learns_how_many_it_lost(void **state)
{
    (void)state;
    struct tail_record got[2];
    uint64_t lost, from = tail_listen(1);
    char id[16];
    for (int n = 1; n <= TAIL_RECORDS; n++) {
        snprintf(id, sizeof(id), "evt_%d", n);
        tail_arrived("a.b", id, "");
    }
    assert_int_equal(tail_read(from, got, 1, &lost), 1);
    assert_int_equal(lost, 0);
    assert_string_equal(got[0].event_id, "evt_1");
    tail_arrived("a.b", "evt_last", "");
    assert_int_equal(tail_read(from, got, 2, &lost), 2);
    assert_int_equal(lost, 1);
    assert_string_equal(got[0].event_id, "evt_2");
    tail_listen(-1);
}

static void
long_text_is_cut_but_not_inside_of_a_character(void **state)
{
    (void)state;
    struct tail_record got;
    uint64_t lost, from = tail_listen(1);
    char detail[700];
    memset(detail, 'a', sizeof(detail) - 1);
    detail[sizeof(detail) - 1] = '\0';
    memcpy(detail + 509, "\xe2\x82\xac", 3);
    tail_delivered("done", "p", 0, detail, "evt_1");
    assert_int_equal(tail_read(from, &got, 1, &lost), 1);
    assert_int_equal(strlen(got.detail), 509);
    tail_listen(-1);
}

static void
waiting_ends_with_the_time(void **state)
{
    (void)state;
    uint64_t from = tail_listen(1);
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(tail_wait(from, begun_ms + 20), 0);
    assert_true(clock_mono_ms() >= begun_ms + 20);
    assert_int_equal(tail_wait(from, begun_ms), 0); /* over already */
    tail_listen(-1);
}

static void *
arrive(void *arg)
{
    (void)arg;
    tail_arrived("a.b", "evt_1", "");
    return NULL;
}

static void
waiting_ends_with_news(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t from = tail_listen(1);
    pthread_create(&thread, NULL, arrive, NULL);
    assert_int_equal(tail_wait(from, clock_mono_ms() + 60000), 1);
    assert_int_equal(tail_wait(from, clock_mono_ms()), 1); /* and stays so */
    pthread_join(thread, NULL);
    tail_listen(-1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_without_followers),
        cmocka_unit_test(records_tell_what_happened),
        cmocka_unit_test(slow_follower_learns_how_many_it_lost),
        cmocka_unit_test(long_text_is_cut_but_not_inside_of_a_character),
        cmocka_unit_test(waiting_ends_with_the_time),
        cmocka_unit_test(waiting_ends_with_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
