/* tests/plugins/test_serve.c RUNNER FIXTURES EVENT: what pegboard-runner says
 * to its daemon. A real process, spoken to over the wire.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include "error.h"
#include "plugin/manifest.h"

#include <pegboard/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- The conversation ----------------------------------------------- */

static void
manifest_tells_what_the_plugin_declares(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    struct manifest manifest;
    start(&runner);
    send_hello(&runner, WIRE_VERSION, "getters");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    assert_int_equal(manifest_get(&frame.payload, &manifest), RC_OK);
    assert_int_equal(manifest.abi_major, PEG_ABI_MAJOR);
    assert_string_equal(manifest.name, "getters");
    assert_string_equal(manifest.summary, "");
    assert_int_equal(manifest.event_count, 1);
    assert_string_equal(manifest.events[0], "charge.*");
    const struct manifest_option *pause =
        manifest_option_find(&manifest, "pause");
    assert_non_null(pause);
    assert_int_equal(pause->type, PEG_OPTION_DURATION);
    assert_string_equal(pause->fallback, "5m");
    assert_null(manifest_option_find(&manifest, "unset")->fallback);
    assert_int_equal(manifest_option_find(&manifest, "given")->flags,
                     PEG_OPTION_REQUIRED);
    assert_int_equal(manifest.has_init, 0);
    manifest_fini(&manifest);
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
options_and_events_reach_the_plugin(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start(&runner);
    send_hello(&runner, WIRE_VERSION, "getters");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    send_init(&runner, "given", PEG_OPTION_INT, "7");
    expect_frame(&runner, WIRE_READY, &frame);
    send_event(&runner, 41);
    expect_verdict(&runner, 41, PEG_DONE, "");
    send_event(&runner, 42);
    expect_verdict(&runner, 42, PEG_DONE, "");
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
delay_and_reason_travel_with_the_verdict(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "retry");
    send_event(&runner, 1);
    expect_frame(&runner, WIRE_VERDICT, &frame);
    assert_int_equal(wire_get_u32(&frame.payload), PEG_RETRY);
    assert_int_equal(wire_get_i64(&frame.payload), 5000);
    assert_string_equal(wire_get_str(&frame.payload, NULL),
                        "the backend is down");
    send_quit(&runner);
    expect_exit(&runner, 0);

    start_ready(&runner, "verdict99");
    send_event(&runner, 1);
    expect_verdict(&runner, 1, 99, "");
    send_quit(&runner);
    expect_exit(&runner, 0);
}

/* Levels, lengths and NULs that make no sense end in frames that do. */
static void
whatever_is_said_arrives_as_text(void **state)
{
    (void)state;
    static const uint32_t levels[] = {PEG_LOG_DEBUG, PEG_LOG_ERROR,
                                      PEG_LOG_INFO};
    static const size_t lengths[] = {5, 0, PEG_TEXT_MAX};
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "talkative");
    send_event(&runner, 3);
    for (size_t i = 0; i < 3; i++) {
        expect_frame(&runner, WIRE_LOG, &frame);
        assert_int_equal(wire_get_u32(&frame.payload), levels[i]);
        const char *text = wire_get_str(&frame.payload, NULL);
        assert_int_equal(strlen(text), lengths[i]);
        assert_int_equal(wire_done(&frame.payload), RC_OK);
    }
    expect_frame(&runner, WIRE_VERDICT, &frame);
    assert_int_equal(wire_get_u32(&frame.payload), PEG_RETRY);
    assert_int_equal(wire_get_i64(&frame.payload), 700);
    assert_int_equal(strlen(wire_get_str(&frame.payload, NULL)), 999);
    assert_int_equal(frame.payload.failed, 0);
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
quit_calls_shutdown(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start_ready(&runner, "goodbye");
    send_quit(&runner);
    expect_frame(&runner, WIRE_LOG, &frame);
    assert_int_equal(frame.header.id, 0);
    assert_int_equal(wire_get_u32(&frame.payload), PEG_LOG_INFO);
    assert_string_equal(wire_get_str(&frame.payload, NULL), "goodbye");
    expect_exit(&runner, 0);
}

static void
end_of_the_daemon_is_the_end_at_any_step(void **state)
{
    (void)state;
    struct runner runner;
    start(&runner);
    shutdown(runner.fd, SHUT_WR);
    expect_exit(&runner, 0);

    struct wire_frame frame;
    start(&runner);
    send_hello(&runner, WIRE_VERSION, "noop");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    shutdown(runner.fd, SHUT_WR);
    expect_exit(&runner, 0);

    start_ready(&runner, "noop");
    send_event(&runner, 1);
    expect_verdict(&runner, 1, PEG_DONE, "");
    send_bytes(&runner, "\1\0\0", 3); /* in the middle of a frame */
    shutdown(runner.fd, SHUT_WR);
    expect_exit(&runner, 0);
}

static void
events_sent_ahead_are_handled_in_order(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_writer writer = {.bytes = NULL};
    char *together = NULL;
    size_t len = 0;
    start_ready(&runner, "noop");
    for (uint64_t id = 1; id <= 5; id++) {
        put_sample(&writer, id);
        assert_int_equal(wire_end(&writer), RC_OK);
        together = realloc(together, len + writer.len);
        assert_non_null(together);
        memcpy(together + len, writer.bytes, writer.len);
        len += writer.len;
    }
    wire_writer_fini(&writer);
    send_bytes(&runner, together, len);
    free(together);
    for (uint64_t id = 1; id <= 5; id++) {
        expect_verdict(&runner, id, PEG_DONE, "");
    }
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
frames_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_writer writer = {.bytes = NULL};
    start_ready(&runner, "noop");
    put_sample(&writer, 9);
    assert_int_equal(wire_end(&writer), RC_OK);
    for (size_t i = 0; i < writer.len; i++) {
        send_bytes(&runner, writer.bytes + i, 1);
    }
    wire_writer_fini(&writer);
    expect_verdict(&runner, 9, PEG_DONE, "");
    send_quit(&runner);
    expect_exit(&runner, 0);
}

static void
largest_event_passes(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_writer writer = {.bytes = NULL};
    size_t len = 16U << 20;
    char *body = malloc(len);
    assert_non_null(body);
    memset(body, ' ', len);
    body[0] = '{';
    body[len - 1] = '}';
    struct wire_event event = {
        .event_id = "evt_1", .type = "a.b", .body = body, .body_len = len};
    start_ready(&runner, "noop");
    wire_put_event(&writer, 1, &event);
    free(body);
    send_frame(&runner, &writer);
    expect_verdict(&runner, 1, PEG_DONE, "");
    send_quit(&runner);
    expect_exit(&runner, 0);
}

/* ---- Refusals and faults -------------------------------------------- */

static void
refusal_tells_the_stage(void **state)
{
    (void)state;
    struct runner runner;
    start(&runner);
    send_hello(&runner, WIRE_VERSION + 1, "noop");
    expect_refused(&runner, WIRE_STAGE_WIRE, "wire version 3, the daemon 4");

    start(&runner);
    send_hello(&runner, WIRE_VERSION, "missing");
    expect_refused(&runner, WIRE_STAGE_LOAD, "No such file");

    start(&runner);
    send_hello(&runner, WIRE_VERSION, "no_symbol");
    expect_refused(&runner, WIRE_STAGE_LOAD, "exports no pegboard_plugin_v1");

    start(&runner);
    send_hello(&runner, WIRE_VERSION, "major2");
    expect_refused(&runner, WIRE_STAGE_DESCRIPTOR, ".abi_major is 2");
}

static void
failing_init_is_refused_with_its_last_error(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start(&runner);
    send_hello(&runner, WIRE_VERSION, "init_fail");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    send_init(&runner, NULL, 0, NULL);
    expect_frame(&runner, WIRE_LOG, &frame);
    expect_refused(&runner, WIRE_STAGE_INIT,
                   "init() returned 5: cannot reach the database");
}

static void
frame_out_of_order_ends_it(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_frame frame;
    start(&runner);
    send_event(&runner, 1);
    expect_exit(&runner, 1);

    start(&runner);
    send_hello(&runner, WIRE_VERSION, "noop");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    send_event(&runner, 1);
    expect_exit(&runner, 1);

    start_ready(&runner, "noop");
    send_hello(&runner, WIRE_VERSION, "noop");
    expect_exit(&runner, 1);

    /* The right fields, under the type of another frame. */
    struct wire_writer writer = {.bytes = NULL};
    start(&runner);
    send_hello(&runner, WIRE_VERSION, "noop");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    wire_begin(&writer, WIRE_HELLO, 0);
    wire_put_u32(&writer, 0);
    send_frame(&runner, &writer);
    expect_exit(&runner, 1);

    start_ready(&runner, "noop");
    put_sample(&writer, 1);
    writer.bytes[offsetof(struct wire_header, type)] = WIRE_INIT;
    send_frame(&runner, &writer);
    expect_exit(&runner, 1);
}

static void
broken_frames_end_it(void **state)
{
    (void)state;
    struct runner runner;
    struct wire_writer writer = {.bytes = NULL};
    char garbage[64];

    memset(garbage, 0xa5, sizeof(garbage));
    start(&runner);
    send_bytes(&runner, garbage, sizeof(garbage));
    expect_exit(&runner, 1);

    start_ready(&runner, "noop"); /* an event without its fields */
    wire_begin(&writer, WIRE_EVENT, 1);
    wire_put_u32(&writer, 7);
    send_frame(&runner, &writer);
    expect_exit(&runner, 1);

    struct wire_frame frame;
    start(&runner); /* more options than there are */
    send_hello(&runner, WIRE_VERSION, "noop");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    wire_begin(&writer, WIRE_INIT, 0);
    wire_put_u32(&writer, UINT32_MAX);
    send_frame(&runner, &writer);
    expect_exit(&runner, 1);

    start(&runner); /* a value that has not its type's form */
    send_hello(&runner, WIRE_VERSION, "noop");
    expect_frame(&runner, WIRE_MANIFEST, &frame);
    send_init(&runner, "delay", PEG_OPTION_DURATION, "soon");
    expect_exit(&runner, 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_tells_what_the_plugin_declares),
        cmocka_unit_test(options_and_events_reach_the_plugin),
        cmocka_unit_test(delay_and_reason_travel_with_the_verdict),
        cmocka_unit_test(whatever_is_said_arrives_as_text),
        cmocka_unit_test(quit_calls_shutdown),
        cmocka_unit_test(end_of_the_daemon_is_the_end_at_any_step),
        cmocka_unit_test(events_sent_ahead_are_handled_in_order),
        cmocka_unit_test(frames_may_come_byte_by_byte),
        cmocka_unit_test(largest_event_passes),
        cmocka_unit_test(refusal_tells_the_stage),
        cmocka_unit_test(failing_init_is_refused_with_its_last_error),
        cmocka_unit_test(frame_out_of_order_ends_it),
        cmocka_unit_test(broken_frames_end_it),
    };
    if (peer_setup(argc, argv) != 0) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
