/* tests/unit/test_share.c: the shares in which deliveries are claimed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox/engine.h"

#include <limits.h>

#define ROUND 13 /* turns */

static unsigned
turns_of(enum inbox_class class, unsigned from, unsigned count)
{
    unsigned turns = 0;
    for (unsigned i = 0; i < count; i++) {
        turns += engine_share(from + i) == class;
    }
    return turns;
}

static void
each_class_has_its_share_of_any_thirteen_turns(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 2 * ROUND; from++) {
        assert_int_equal(turns_of(INBOX_FRESH, from, ROUND), 8);
        assert_int_equal(turns_of(INBOX_AGED, from, ROUND), 4);
        assert_int_equal(turns_of(INBOX_REPLAYED, from, ROUND), 1);
    }
}

static void
shares_are_spread_and_not_in_blocks(void **state)
{
    (void)state;
    for (unsigned from = 0; from < ROUND; from++) {
        assert_true(turns_of(INBOX_FRESH, from, 3) < 3);
        assert_true(turns_of(INBOX_FRESH, from, 3) > 0);
        assert_true(turns_of(INBOX_AGED, from, 2) < 2);
        assert_true(turns_of(INBOX_AGED, from, 4) > 0);
    }
}

static void
fresh_ones_come_first(void **state)
{
    (void)state;
    assert_int_equal(engine_share(0), INBOX_FRESH);
    assert_in_range(engine_share(UINT_MAX), INBOX_FRESH, INBOX_REPLAYED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_has_its_share_of_any_thirteen_turns),
        cmocka_unit_test(shares_are_spread_and_not_in_blocks),
        cmocka_unit_test(fresh_ones_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
