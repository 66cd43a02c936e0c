/* tests/plugins/test_store_limits.c RUNNER FIXTURES EVENT: how much one event
 * may read and write of its plugin's store: at each limit and just past it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include "error.h"

#include <pegboard/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
longest_key_passes_and_no_longer(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    char ops[2048], key[PEG_STORE_KEY_MAX + 2];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    int longest = PEG_STORE_KEY_MAX;
    snprintf(ops, sizeof(ops),
             "[\"get\",\"%s\"],[\"put\",\"%s\",\"x\"],[\"delete\",\"%s\"],"
             "[\"get\",\"%.*s\"],[\"put\",\"%.*s\",\"x\"]",
             key, key, key, longest, key, longest, key);
    start_ready(&runner, "keys");
    send_ops(&runner, 1, ops);
    expect_log(&runner, "4");
    expect_log(&runner, "4");
    expect_log(&runner, "4");
    key[longest] = '\0';
    expect_lookup(&runner, 1, key);
    send_value(&runner, 1, ABSENT, 0, "", 0);
    expect_log(&runner, "1");
    expect_log(&runner, "0");
    assert_int_equal(expect_done(&runner, 1, &frame), 1);
    expect_key(&frame, key, 0, 1, "x");
    leave(&runner);
}

static void
largest_value_passes_and_no_larger(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    size_t len;
    char ops[128];
    char *value = calloc(1, PEG_STORE_VALUE_MAX + 1);
    assert_non_null(value);
    start_ready(&runner, "keys");
    snprintf(ops, sizeof(ops), "[\"fill\",\"a\",%u],[\"fill\",\"a\",%u]",
             PEG_STORE_VALUE_MAX, PEG_STORE_VALUE_MAX + 1);
    send_ops(&runner, 1, ops);
    expect_log(&runner, "0");
    expect_log(&runner, "4");
    assert_int_equal(expect_done(&runner, 1, &frame), 1);
    wire_get_str(&frame.payload, NULL);
    wire_get_i64(&frame.payload);
    wire_get_u32(&frame.payload);
    wire_get_str(&frame.payload, &len);
    assert_int_equal(len, PEG_STORE_VALUE_MAX);

    send_ops(&runner, 2, "[\"get\",\"a\"],[\"str\",1],[\"put\",\"b\",\"x\"]");
    expect_lookup(&runner, 2, "a");
    memset(value, 'v', 200);
    send_value(&runner, 2, FOUND, 1, value, PEG_STORE_VALUE_MAX);
    value[200] = '\0';
    char line[256];
    snprintf(line, sizeof(line), "0 %s", value);
    expect_log(&runner, line);
    expect_log(&runner, "0 evt_1"); /* the event has not moved */
    expect_log(&runner, "0");
    assert_int_equal(expect_done(&runner, 2, &frame), 2);

    send_ops(&runner, 3, "[\"get\",\"a\"]");
    expect_lookup(&runner, 3, "a");
    send_value(&runner, 3, FOUND, 1, value, PEG_STORE_VALUE_MAX + 1);
    free(value);
    expect_log(&runner, "5");
    expect_verdict(&runner, 3, PEG_RETRY, UNREAD);
    expect_exit(&runner, 1);
}

static void
as_many_keys_as_allowed_and_no_more(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    char ops[8192], key[16];
    size_t len = 0;
    for (int i = 0; i < PEG_STORE_KEYS_MAX; i++) {
        len += (size_t)snprintf(ops + len, sizeof(ops) - len,
                                "[\"put\",\"k%d\",\"x\"],", i);
    }
    snprintf(ops + len, sizeof(ops) - len,
             "[\"get\",\"more\"],[\"put\",\"more\",\"x\"],"
             "[\"delete\",\"more\"],[\"put\",\"k0\",\"y\"]");
    start_ready(&runner, "keys");
    send_ops(&runner, 1, ops);
    for (int i = 0; i < PEG_STORE_KEYS_MAX; i++) {
        expect_log(&runner, "0");
    }
    expect_log(&runner, "4");
    expect_log(&runner, "4");
    expect_log(&runner, "4");
    expect_log(&runner, "0");
    assert_int_equal(expect_done(&runner, 1, &frame), PEG_STORE_KEYS_MAX);
    for (int i = 0; i < PEG_STORE_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        expect_key(&frame, key, -1, 1, i == 0 ? "y" : "x");
    }
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    leave(&runner);
}

/* Keys count, what was written over does not, nor what was only read. */
static void
as_many_bytes_as_allowed_and_no_more(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    char ops[512];
    const unsigned most = PEG_STORE_VALUE_MAX; /* thrice is the limit */
    assert_int_equal(3 * most, PEG_STORE_WRITE_MAX);
    snprintf(ops, sizeof(ops),
             "[\"fill\",\"a\",%u],[\"fill\",\"b\",%u],[\"fill\",\"c\",%u],"
             "[\"fill\",\"c\",%u],[\"put\",\"d\",\"\"],[\"delete\",\"d\"],"
             "[\"get\",\"d\"],[\"fill\",\"a\",%u],[\"delete\",\"b\"],"
             "[\"fill\",\"e\",%u],[\"fill\",\"e\",%u]",
             most, most, most - 2, most - 3, most, most - 1, most - 2);
    start_ready(&runner, "keys");
    send_ops(&runner, 1, ops);
    expect_log(&runner, "0"); /* a */
    expect_log(&runner, "0"); /* b */
    expect_log(&runner, "4"); /* c: one byte too many */
    expect_log(&runner, "0"); /* c: to the last byte */
    expect_log(&runner, "4"); /* d: its key alone */
    expect_log(&runner, "4");
    expect_lookup(&runner, 1, "d");
    send_value(&runner, 1, ABSENT, 0, "", 0);
    expect_log(&runner, "1");
    expect_log(&runner, "0"); /* a, once more */
    expect_log(&runner, "0"); /* b is gone, but for its key */
    expect_log(&runner, "0"); /* e: to the last byte */
    expect_log(&runner, "0"); /* ... and a byte less */
    assert_int_equal(expect_done(&runner, 1, &frame), 5);
    leave(&runner);
}

/* The largest verdict there can be: as much as may be written, and the rest of
 * the keys read, all as long as they may be. */
static void
largest_verdict_fits_its_frame(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    char ops[OPS_MAX], key[PEG_STORE_KEY_MAX + 1];
    size_t len = 0;
    for (int i = 0; i < PEG_STORE_KEYS_MAX; i++) {
        len += (size_t)snprintf(ops + len, sizeof(ops) - len,
                                "[\"%s\",\"%0*d\",%u],", i < 3 ? "fill" : "get",
                                PEG_STORE_KEY_MAX, i,
                                PEG_STORE_VALUE_MAX - PEG_STORE_KEY_MAX);
    }
    snprintf(ops + len, sizeof(ops) - len, "[\"end\",0]");
    start_ready(&runner, "keys");
    send_ops(&runner, 1, ops);
    for (int i = 0; i < PEG_STORE_KEYS_MAX; i++) {
        if (i >= 3) {
            snprintf(key, sizeof(key), "%0*d", PEG_STORE_KEY_MAX, i);
            expect_lookup(&runner, 1, key);
            send_value(&runner, 1, ABSENT, 0, "", 0);
        }
        expect_log(&runner, i < 3 ? "0" : "1");
    }
    assert_int_equal(expect_done(&runner, 1, &frame), PEG_STORE_KEYS_MAX);
    leave(&runner);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_key_passes_and_no_longer),
        cmocka_unit_test(largest_value_passes_and_no_larger),
        cmocka_unit_test(as_many_keys_as_allowed_and_no_more),
        cmocka_unit_test(as_many_bytes_as_allowed_and_no_more),
        cmocka_unit_test(largest_verdict_fits_its_frame),
    };
    if (peer_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
