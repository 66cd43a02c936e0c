/* tests/plugins/test_store.c RUNNER FIXTURES EVENT: what pegboard-runner asks
 * and tells its daemon about a plugin's store. A real process, spoken to over
 * the wire; what the plugin does is in the event: keys.c.
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
#include <sys/socket.h>

/* ---- What is asked and told ----------------------------------------- */

static void
handler_sees_its_own_writes(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1,
             "[\"get\",\"a\"],[\"put\",\"a\",\"one\"],[\"get\",\"a\"],"
             "[\"delete\",\"a\"],[\"get\",\"a\"],[\"put\",\"a\",\"\"],"
             "[\"get\",\"a\"],[\"put\",\"a\",\"two\"],[\"get\",\"a\"]");
    expect_lookup(&runner, 1, "a");
    send_value(&runner, 1, ABSENT, 0, "", 0);
    static const char *const lines[] = {"1", "0",  "0 one", "0",    "1",
                                        "0", "0 ", "0",     "0 two"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        expect_log(&runner, lines[i]);
    }
    assert_int_equal(expect_done(&runner, 1, &frame), 1);
    expect_key(&frame, "a", 0, 1, "two");
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    leave(&runner);
}

static void
each_key_is_asked_for_once_and_told_with_its_version(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1,
             "[\"get\",\"a\"],[\"get\",\"a\"],[\"get\",\"ab\"],"
             "[\"get\",\"a\"],[\"delete\",\"ab\"]");
    expect_lookup(&runner, 1, "a");
    send_value(&runner, 1, FOUND, 7, "seven", 5);
    expect_log(&runner, "0 seven");
    expect_log(&runner, "0 seven");
    expect_lookup(&runner, 1, "ab");
    send_value(&runner, 1, FOUND, 1LL << 40, "", 0);
    expect_log(&runner, "0 ");
    expect_log(&runner, "0 seven");
    expect_log(&runner, "0");
    assert_int_equal(expect_done(&runner, 1, &frame), 2);
    expect_key(&frame, "a", 7, 0, "");
    expect_key(&frame, "ab", 1LL << 40, 2, "");
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    leave(&runner);
}

static void
write_without_a_read_asks_nothing(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1,
             "[\"put\",\"a\",\"x\"],[\"delete\",\"b\"],[\"get\",\"b\"]");
    expect_log(&runner, "0");
    expect_log(&runner, "0");
    expect_log(&runner, "1");
    assert_int_equal(expect_done(&runner, 1, &frame), 2);
    expect_key(&frame, "a", -1, 1, "x");
    expect_key(&frame, "b", -1, 2, "");
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    leave(&runner);
}

static void
writes_are_thrown_away_unless_done(void **state)
{
    (void)state;
    static const uint32_t codes[] = {PEG_SKIP, PEG_RETRY, PEG_FAIL, 99};
    struct runner runner;
    struct wire_frame frame;
    char ops[128];
    start_ready(&runner, "keys");
    for (uint64_t i = 0; i < 4; i++) {
        snprintf(ops, sizeof(ops), "[\"put\",\"a\",\"x\"],[\"end\",%u]",
                 codes[i]);
        send_ops(&runner, i + 1, ops);
        expect_log(&runner, "0");
        expect_verdict(&runner, i + 1, codes[i], "");
    }
    /* Nothing of it is left for the next event, nor what was done before. */
    for (uint64_t id = 5; id <= 6; id++) {
        send_ops(&runner, id, "[\"get\",\"a\"],[\"put\",\"b\",\"y\"]");
        expect_lookup(&runner, id, "a");
        send_value(&runner, id, ABSENT, 0, "", 0);
        expect_log(&runner, "1");
        expect_log(&runner, "0");
        assert_int_equal(expect_done(&runner, id, &frame), 2);
        expect_key(&frame, "a", 0, 0, "");
        expect_key(&frame, "b", -1, 1, "y");
    }
    leave(&runner);
}

static void
event_that_could_not_read_is_not_done(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"get\",\"a\"],[\"put\",\"a\",\"x\"]");
    expect_lookup(&runner, 1, "a");
    send_value(&runner, 1, UNSURE, 0, "", 0);
    expect_log(&runner, "5");
    expect_log(&runner, "0");
    expect_verdict(&runner, 1, PEG_RETRY, UNREAD);

    send_ops(&runner, 2, "[\"get\",\"a\"],[\"get\",\"a\"],[\"end\",3]");
    expect_lookup(&runner, 2, "a"); /* asked again after a failure */
    send_value(&runner, 2, UNSURE, 0, "", 0);
    expect_log(&runner, "5");
    expect_lookup(&runner, 2, "a");
    send_value(&runner, 2, FOUND, 3, "x", 1);
    expect_log(&runner, "0 x");
    expect_verdict(&runner, 2, PEG_FAIL, "");

    send_ops(&runner, 3, "[\"put\",\"a\",\"x\"]"); /* all is well again */
    expect_log(&runner, "0");
    assert_int_equal(expect_done(&runner, 3, &frame), 1);
    leave(&runner);
}

static void
what_was_handed_out_stays_as_it_was(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1,
             "[\"hold\",\"a\"],[\"put\",\"b\",\"long enough\"],"
             "[\"hold\",\"b\"]");
    expect_lookup(&runner, 1, "a");
    send_value(&runner, 1, FOUND, 1, "theirs", 6);
    expect_log(&runner, "0 0 0 held twice");
    expect_log(&runner, "0");
    expect_log(&runner, "0 0 0 held twice");
    assert_int_equal(expect_done(&runner, 1, &frame), 2);
    leave(&runner);
}

static void
odd_arguments_are_refused_and_odd_bytes_travel(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    size_t len;
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"odd\"]");
    expect_log(&runner, "444444400 untouched");
    assert_int_equal(expect_done(&runner, 1, &frame), 2);
    expect_key(&frame, "n", -1, 1, "");
    assert_string_equal(wire_get_str(&frame.payload, NULL), "z");
    wire_get_i64(&frame.payload);
    wire_get_u32(&frame.payload);
    const char *value = wire_get_str(&frame.payload, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(value, "a\0b", 3);
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    leave(&runner);
}

static void
facts_of_twins_and_replays_reach_the_plugin(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"str\",13],[\"str\",14],[\"int\",15]");
    expect_log(&runner, "0 v1.invoice.paid:in_1");
    expect_log(&runner, "0 evt_0");
    expect_log(&runner, "1");
    assert_int_equal(expect_done(&runner, 1, &frame), 0);
    assert_int_equal(wire_done(&frame.payload), RC_OK);

    struct wire_writer writer = {.bytes = NULL};
    const char *body =
        "{\"data\":{\"object\":{\"ops\":[[\"str\",13],[\"str\",14]]}}}";
    struct wire_event bare = {.event_id = "evt_2",
                              .type = "balance.available",
                              .timeout_ms = 1000,
                              .body = body,
                              .body_len = strlen(body)};
    wire_put_event(&writer, 2, &bare);
    send_frame(&runner, &writer);
    expect_log(&runner, "1");
    expect_log(&runner, "1");
    assert_int_equal(expect_done(&runner, 2, &frame), 0);
    leave(&runner);
}

/* ---- A daemon that stops, is slow, or is broken --------------------- */

static void
quit_while_asking_means_after_this_event(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"get\",\"a\"],[\"put\",\"a\",\"x\"]");
    expect_lookup(&runner, 1, "a");
    send_quit(&runner);
    send_value(&runner, 1, ABSENT, 0, "", 0);
    expect_log(&runner, "1");
    expect_log(&runner, "0");
    assert_int_equal(expect_done(&runner, 1, &frame), 1);
    expect_exit(&runner, 0);
}

static void
end_of_the_daemon_while_asking_is_the_end(void **state)
{
    (void)state;
    struct runner runner;
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"get\",\"a\"],[\"get\",\"b\"]");
    expect_lookup(&runner, 1, "a");
    shutdown(runner.fd, SHUT_WR);
    expect_log(&runner, "5");
    expect_log(&runner, "5"); /* without asking */
    expect_verdict(&runner, 1, PEG_RETRY, UNREAD);
    expect_exit(&runner, 0);
}

static void
no_answer_before_the_deadline_is_a_failure(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_writer writer = {.bytes = NULL};
    start_ready(&runner, "keys");
    put_ops(&writer, 1, 50, "[\"get\",\"a\"]");
    send_frame(&runner, &writer);
    expect_lookup(&runner, 1, "a");
    expect_log(&runner, "5");
    expect_verdict(&runner, 1, PEG_RETRY, UNREAD);
    expect_exit(&runner, 1);
}

static void
answer_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    struct wire_writer writer = {.bytes = NULL};
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"get\",\"a\"]");
    expect_lookup(&runner, 1, "a");
    wire_begin(&writer, WIRE_VALUE, 1);
    wire_put_u32(&writer, FOUND);
    wire_put_i64(&writer, 2);
    wire_put_cstr(&writer, "slow");
    assert_int_equal(wire_end(&writer), RC_OK);
    for (size_t i = 0; i < writer.len; i++) {
        send_bytes(&runner, writer.bytes + i, 1);
    }
    wire_writer_fini(&writer);
    expect_log(&runner, "0 slow");
    assert_int_equal(expect_done(&runner, 1, &frame), 1);
    leave(&runner);
}

/* Ask, and get what writer holds for an answer. */
static void
expect_fault(struct wire_writer *answer)
{
    struct runner runner;
    start_ready(&runner, "keys");
    send_ops(&runner, 1, "[\"get\",\"a\"],[\"put\",\"a\",\"x\"]");
    expect_lookup(&runner, 1, "a");
    send_frame(&runner, answer);
    expect_log(&runner, "5");
    expect_log(&runner, "0");
    expect_verdict(&runner, 1, PEG_RETRY, UNREAD);
    expect_exit(&runner, 1);
}

static void
put_value(struct wire_writer *writer, uint64_t id, uint32_t found,
          int64_t version)
{
    wire_begin(writer, WIRE_VALUE, id);
    wire_put_u32(writer, found);
    wire_put_i64(writer, version);
    wire_put_cstr(writer, "x");
}

static void
wrong_answer_ends_it_without_done(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    put_value(&writer, 2, FOUND, 1); /* of another delivery */
    expect_fault(&writer);
    put_value(&writer, 1, UNSURE + 1, 1);
    expect_fault(&writer);
    put_value(&writer, 1, FOUND, -1);
    expect_fault(&writer);
    put_value(&writer, 1, FOUND, 1);
    wire_put_u32(&writer, 0); /* one field too many */
    expect_fault(&writer);
    put_ops(&writer, 2, 1000, ""); /* an event, now */
    expect_fault(&writer);

    struct runner runner; /* nobody asked */
    start_ready(&runner, "keys");
    put_value(&writer, 1, FOUND, 1);
    send_frame(&runner, &writer);
    expect_exit(&runner, 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handler_sees_its_own_writes),
        cmocka_unit_test(each_key_is_asked_for_once_and_told_with_its_version),
        cmocka_unit_test(write_without_a_read_asks_nothing),
        cmocka_unit_test(writes_are_thrown_away_unless_done),
        cmocka_unit_test(event_that_could_not_read_is_not_done),
        cmocka_unit_test(what_was_handed_out_stays_as_it_was),
        cmocka_unit_test(odd_arguments_are_refused_and_odd_bytes_travel),
        cmocka_unit_test(facts_of_twins_and_replays_reach_the_plugin),
        cmocka_unit_test(quit_while_asking_means_after_this_event),
        cmocka_unit_test(end_of_the_daemon_while_asking_is_the_end),
        cmocka_unit_test(no_answer_before_the_deadline_is_a_failure),
        cmocka_unit_test(answer_may_come_byte_by_byte),
        cmocka_unit_test(wrong_answer_ends_it_without_done),
    };
    if (peer_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
