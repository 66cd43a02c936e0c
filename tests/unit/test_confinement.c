/* tests/unit/test_confinement.c: what a runner may do, as it travels.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "plugin/confinement.h"
#include "plugin/wire.h"

#include <string.h>

/* No two numbers are the same. */
static const struct confinement sample = {
    .level = SANDBOX_FILES,
    .is_required = 1,
    .data_dir = "/srv/data",
    .port_count = 3,
    .ports = {443, 5432, 65535},
    .uid = 1001,
    .gid = 1002,
    .keep_core = 7,
    .files = 1003,
    .file_bytes = INT64_C(1) << 40,
    .memory_bytes = 1004,
    .processes = 1005,
};

static struct wire_reader
put(struct wire_writer *writer, const struct confinement *confinement)
{
    struct wire_frame frame;
    wire_begin(writer, WIRE_HELLO, 0);
    confinement_put(writer, confinement);
    assert_int_equal(wire_end(writer), RC_OK);
    assert_int_equal(
        wire_peek(writer->bytes, writer->len, WIRE_PAYLOAD_MAX, &frame), RC_OK);
    return frame.payload;
}

static void
it_arrives_as_it_was_sent(void **state)
{
    (void)state;
    struct wire_writer writer = {0};
    struct wire_reader reader = put(&writer, &sample);
    struct confinement got = {0};
    assert_int_equal(confinement_get(&reader, &got), RC_OK);
    assert_int_equal(wire_done(&reader), RC_OK);
    assert_string_equal(got.data_dir, sample.data_dir);
    got.data_dir = sample.data_dir;
    assert_memory_equal(&got, &sample, sizeof(got));
    wire_writer_fini(&writer);
}

static void
what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct wire_writer writer = {0};
    struct confinement wrong = sample, got;
    wrong.level = SANDBOX_STRICT + 1;
    struct wire_reader reader = put(&writer, &wrong);
    assert_int_equal(confinement_get(&reader, &got), RC_INVALID);

    /* More ports than there is room for. */
    struct wire_frame frame;
    wire_begin(&writer, WIRE_HELLO, 0);
    wire_put_u32(&writer, SANDBOX_FILES);
    wire_put_u32(&writer, 0);
    wire_put_cstr(&writer, "");
    wire_put_u32(&writer, CONFINEMENT_PORTS_MAX + 1);
    for (int i = 0; i < 64; i++) {
        wire_put_i64(&writer, 0);
    }
    assert_int_equal(wire_end(&writer), RC_OK);
    assert_int_equal(
        wire_peek(writer.bytes, writer.len, WIRE_PAYLOAD_MAX, &frame), RC_OK);
    assert_int_equal(confinement_get(&frame.payload, &got), RC_INVALID);
    wire_writer_fini(&writer);
}

static void
whatever_is_cut_off_is_refused(void **state)
{
    (void)state;
    struct wire_writer writer = {0};
    struct wire_reader whole = put(&writer, &sample);
    for (const char *end = whole.at; end < whole.end; end++) {
        struct wire_reader cut = {.at = whole.at, .end = end};
        struct confinement got;
        assert_int_equal(confinement_get(&cut, &got), RC_INVALID);
    }
    wire_writer_fini(&writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_arrives_as_it_was_sent),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(whatever_is_cut_off_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
