/* tests/unit/test_retry.c: when a failed delivery is tried again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "delivery/retry.h"

static const struct config_plugin policy = {
    .retry_first_ms = 5000,
    .retry_max_ms = 4 * 3600 * 1000,
    .max_attempts = 25,
    .max_age_ms = 72LL * 3600 * 1000,
};

static int64_t
delay_after(uint32_t attempt, uint32_t random)
{
    struct retry_case c = {
        .attempt = attempt, .asked_ms = -1, .random = random};
    return retry_decide(&policy, &c);
}

static void
delays_triple_up_to_the_largest(void **state)
{
    (void)state;
    /* Half of the random numbers is the planned delay itself. */
    static const int64_t planned_s[] = {5,    15,   45,    135,   405,
                                        1215, 3645, 10935, 14400, 14400};
    for (uint32_t attempt = 1; attempt <= 10; attempt++) {
        int64_t want_ms = planned_s[attempt - 1] * 1000;
        int64_t got_ms = delay_after(attempt, UINT32_MAX / 2);
        assert_in_range(got_ms, want_ms - 1, want_ms + 1);
    }
}

static void
jitter_is_a_quarter_either_way(void **state)
{
    (void)state;
    assert_int_equal(delay_after(1, 0), 3750);
    assert_int_equal(delay_after(1, UINT32_MAX), 6250);
    for (uint64_t random = 0; random <= UINT32_MAX; random += 16777259) {
        assert_in_range(delay_after(3, (uint32_t)random), 33750, 56250);
    }
}

static void
last_attempt_is_the_last(void **state)
{
    (void)state;
    assert_true(delay_after(24, 0) > 0);
    assert_int_equal(delay_after(25, 0), -1);
    assert_int_equal(delay_after(26, 0), -1);
}

static void
too_old_a_delivery_is_given_up(void **state)
{
    (void)state;
    struct retry_case c = {.attempt = 2, .asked_ms = 1000};
    c.now_ms = policy.max_age_ms - 1000;
    assert_int_equal(retry_decide(&policy, &c), 1000);
    c.now_ms++; /* the next attempt would come after max_age */
    assert_int_equal(retry_decide(&policy, &c), -1);
}

static void
time_held_is_no_age(void **state)
{
    (void)state;
    struct retry_case c = {.attempt = 2, .asked_ms = 1000};
    c.first_ms = 500;
    c.held_ms = 48LL * 3600 * 1000;
    c.now_ms = c.first_ms + policy.max_age_ms + c.held_ms - 1000;
    assert_int_equal(retry_decide(&policy, &c), 1000);
    c.held_ms--;
    assert_int_equal(retry_decide(&policy, &c), -1);
    c.held_ms = INT64_MAX / 2; /* longer than it is old: no matter */
    assert_int_equal(retry_decide(&policy, &c), 1000);
}

static void
delay_alone_knows_no_end(void **state)
{
    (void)state;
    assert_int_equal(retry_delay(&policy, 1, 0), 3750);
    assert_int_equal(retry_delay(&policy, 25, 0), 10800000);
    assert_int_equal(retry_delay(&policy, UINT32_MAX, 0), 10800000);
}

static void
handler_may_ask_for_its_own_delay_within_bounds(void **state)
{
    (void)state;
    struct retry_case c = {.attempt = 1};
    assert_int_equal(retry_decide(&policy, &c), 0);
    c.asked_ms = 90000;
    assert_int_equal(retry_decide(&policy, &c), 90000);
    c.asked_ms = INT64_MAX;
    assert_int_equal(retry_decide(&policy, &c), RETRY_ASKED_MAX_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_triple_up_to_the_largest),
        cmocka_unit_test(jitter_is_a_quarter_either_way),
        cmocka_unit_test(last_attempt_is_the_last),
        cmocka_unit_test(too_old_a_delivery_is_given_up),
        cmocka_unit_test(time_held_is_no_age),
        cmocka_unit_test(delay_alone_knows_no_end),
        cmocka_unit_test(handler_may_ask_for_its_own_delay_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
