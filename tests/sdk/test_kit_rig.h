/* tests/sdk/test_kit_rig.h: a host for each test of the kit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KIT_RIG_H
#define TESTS_KIT_RIG_H

#define PEG_TARGET_MINOR 1
#include <pegboard/testing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_kit_plugin.h"

#define PAID                                                                   \
    "{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\","                 \
    "\"created\":1767225600,\"livemode\":true,\"account\":\"acct_1\","         \
    "\"data\":{\"object\":{\"id\":\"pi_1\",\"amount\":9007199254740993}}}"

static pegt_host *host;

/* Ready, but for what a test adds. */
static int
open_host(void **state)
{
    (void)state;
    host = pegt_open(&pegboard_plugin_v1);
    assert_string_equal(pegt_error(host), "");
    assert_int_equal(pegt_set_option(host, "token", "secret"), PEGT_OK);
    return 0;
}

static int
close_host(void **state)
{
    (void)state;
    pegt_close(host);
    return lives;
}

static void
get_ready(void)
{
    assert_int_equal(pegt_init(host), PEGT_OK);
    assert_int_equal(pegt_set_event(host, PAID), PEGT_OK);
}

#define REFUSED(call, why)                                                     \
    do {                                                                       \
        assert_int_equal(call, PEGT_REFUSED);                                  \
        assert_string_equal(pegt_error(host), why);                            \
    } while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

#endif
