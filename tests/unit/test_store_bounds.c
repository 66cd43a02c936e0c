/* tests/unit/test_store_bounds.c: the limits that pegboard/plugin.h promises to
 * handlers are those that the inbox keeps. The header and the runner cannot
 * include the inbox's, so the numbers stand twice.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox/inbox.h"
#include "plugin/wire.h"

#include <pegboard/plugin.h>

static void
limits_of_the_sdk_are_those_of_the_inbox(void **state)
{
    (void)state;
    assert_int_equal(PEG_STORE_KEY_MAX, INBOX_KEY_MAX);
    assert_int_equal(PEG_STORE_VALUE_MAX, INBOX_VALUE_MAX);
    assert_int_equal(PEG_STORE_KEYS_MAX, INBOX_KEYS_MAX);
    assert_int_equal(PEG_STORE_WRITE_MAX, INBOX_CHANGES_MAX);
    assert_int_equal(PEG_STORE_PLUGIN_MAX, INBOX_PLUGIN_BYTES);
}

/* In a VERDICT: what may be written, every key, and room for the rest. */
static void
all_that_may_be_written_fits_one_frame(void **state)
{
    (void)state;
    const size_t rest_of_key = 64, rest_of_verdict = 4096;
    assert_true(INBOX_CHANGES_MAX +
                    INBOX_KEYS_MAX * (INBOX_KEY_MAX + rest_of_key) +
                    rest_of_verdict <=
                WIRE_REPLY_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_the_sdk_are_those_of_the_inbox),
        cmocka_unit_test(all_that_may_be_written_fits_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
