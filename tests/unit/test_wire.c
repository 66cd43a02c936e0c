/* tests/unit/test_wire.c: frames between the daemon and a runner, whole, cut
 * short at every byte, and made of garbage.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "plugin/wire.h"

#include <stdlib.h>
#include <string.h>

static const struct wire_event sample = {
    .event_id = "evt_1",
    .type = "charge.dispute.created",
    .account = "",
    .api_version = "2025-03-31.basil",
    .key = "evt_1:disputes",
    .object_id = "du_1",
    .signature = "t=1,v1=00",
    .snapshot_event = "evt_0",
    .created_s = INT64_MIN,
    .received_ms = INT64_MAX,
    .timeout_ms = 30000,
    .livemode = 1,
    .thin = 0,
    .attempt = UINT32_MAX,
    .replay = 3,
    .body = "{\"a\":\"\0\"}", /* a frame carries any bytes */
    .body_len = 9,
};

/* A copy in memory of exactly that size, so that ASan sees a read past it. */
static char *
exact(const char *bytes, size_t len)
{
    char *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

static void
put_sample(struct wire_writer *writer)
{
    wire_put_event(writer, 0x1122334455667788, &sample);
    assert_int_equal(wire_end(writer), RC_OK);
}

static void
event_arrives_as_it_was_sent(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    struct wire_frame frame;
    struct wire_event got;
    put_sample(&writer);
    assert_int_equal(
        wire_peek(writer.bytes, writer.len, WIRE_PAYLOAD_MAX, &frame), RC_OK);
    assert_int_equal(frame.header.type, WIRE_EVENT);
    assert_int_equal(frame.header.id, 0x1122334455667788);
    assert_int_equal(frame.frame_bytes, writer.len);
    assert_int_equal(wire_get_event(&frame.payload, &got), RC_OK);
    assert_string_equal(got.event_id, sample.event_id);
    assert_string_equal(got.type, sample.type);
    assert_string_equal(got.account, "");
    assert_string_equal(got.api_version, sample.api_version);
    assert_string_equal(got.key, sample.key);
    assert_string_equal(got.object_id, sample.object_id);
    assert_string_equal(got.signature, sample.signature);
    assert_string_equal(got.snapshot_event, "evt_0");
    assert_true(got.created_s == INT64_MIN);
    assert_true(got.received_ms == INT64_MAX);
    assert_int_equal(got.timeout_ms, 30000);
    assert_int_equal(got.livemode, 1);
    assert_int_equal(got.thin, 0);
    assert_int_equal(got.attempt, UINT32_MAX);
    assert_int_equal(got.replay, 3);
    assert_int_equal(got.body_len, 9);
    assert_memory_equal(got.body, sample.body, 10); /* with the NUL */
    wire_writer_fini(&writer);
}

static void
frame_is_awaited_until_its_last_byte(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    struct wire_frame frame;
    put_sample(&writer);
    for (size_t len = 0; len < writer.len; len++) {
        char *cut = exact(writer.bytes, len);
        assert_int_equal(wire_peek(cut, len, WIRE_PAYLOAD_MAX, &frame),
                         RC_BUSY);
        free(cut);
    }
    wire_writer_fini(&writer);
}

static void
bytes_behind_a_frame_are_left_alone(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    struct wire_frame frame;
    char two[2 * WIRE_HEADER_BYTES];
    wire_begin(&writer, WIRE_QUIT, 0);
    assert_int_equal(wire_end(&writer), RC_OK);
    memcpy(two, writer.bytes, WIRE_HEADER_BYTES);
    memset(two + WIRE_HEADER_BYTES, 0xa5, WIRE_HEADER_BYTES);
    assert_int_equal(wire_peek(two, sizeof(two), WIRE_PAYLOAD_MAX, &frame),
                     RC_OK);
    assert_int_equal(frame.frame_bytes, WIRE_HEADER_BYTES);
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    wire_writer_fini(&writer);
}

static void
payload_cut_at_any_byte_is_no_event(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    put_sample(&writer);
    size_t payload_bytes = writer.len - WIRE_HEADER_BYTES;
    for (size_t len = 0; len < payload_bytes; len++) {
        char *cut = exact(writer.bytes + WIRE_HEADER_BYTES, len);
        struct wire_reader reader = {.at = cut, .end = cut + len};
        struct wire_event got = {.attempt = 77};
        assert_int_equal(wire_get_event(&reader, &got), RC_INVALID);
        assert_int_equal(got.attempt, 77);
        free(cut);
    }
    wire_writer_fini(&writer);
}

static void
one_byte_too_many_is_no_event(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    struct wire_event got;
    put_sample(&writer);
    size_t len = writer.len - WIRE_HEADER_BYTES + 1;
    char *longer = calloc(1, len);
    assert_non_null(longer);
    memcpy(longer, writer.bytes + WIRE_HEADER_BYTES, len - 1);
    struct wire_reader reader = {.at = longer, .end = longer + len};
    assert_int_equal(wire_get_event(&reader, &got), RC_INVALID);
    free(longer);
    wire_writer_fini(&writer);
}

static void
header_that_breaks_a_rule_is_refused_at_once(void **state)
{
    (void)state;
    struct wire_frame frame;
    struct wire_header header = {.type = WIRE_LOG, .payload_bytes = 100};
    assert_int_equal(wire_peek((char *)&header, sizeof(header), 100, &frame),
                     RC_BUSY);
    header.payload_bytes = 101;
    assert_int_equal(wire_peek((char *)&header, sizeof(header), 100, &frame),
                     RC_INVALID);
    header.payload_bytes = UINT32_MAX;
    assert_int_equal(
        wire_peek((char *)&header, sizeof(header), WIRE_PAYLOAD_MAX, &frame),
        RC_INVALID);
    header = (struct wire_header){.type = WIRE_LOG, .zero = 1};
    assert_int_equal(wire_peek((char *)&header, sizeof(header), 100, &frame),
                     RC_INVALID);
}

static void
only_known_types_are_frames(void **state)
{
    (void)state;
    struct wire_frame frame;
    unsigned known = 0;
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        struct wire_header header = {.type = (uint16_t)type};
        known += wire_peek((char *)&header, sizeof(header), 0, &frame) == RC_OK;
    }
    assert_int_equal(known, WIRE_VALUE - WIRE_HELLO + 1 + WIRE_LOOKUP -
                                WIRE_MANIFEST + 1);
}

static void
string_without_its_nul_is_refused(void **state)
{
    (void)state;
    const char bytes[] = {3, 0, 0, 0, 'a', 'b', 'c', 'd'};
    struct wire_reader reader = {.at = bytes, .end = bytes + sizeof(bytes)};
    size_t len = 77;
    assert_string_equal(wire_get_str(&reader, &len), "");
    assert_int_equal(len, 0);
    assert_int_equal(reader.failed, 1);
    assert_int_equal(wire_done(&reader), RC_INVALID);
}

static void
c_string_with_a_nul_in_it_is_refused(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    size_t len;
    wire_begin(&writer, WIRE_LOG, 0);
    wire_put_str(&writer, "a\0b", 3);
    assert_int_equal(wire_end(&writer), RC_OK);
    struct wire_reader reader = {.at = writer.bytes + WIRE_HEADER_BYTES,
                                 .end = writer.bytes + writer.len};
    struct wire_reader again = reader;
    assert_memory_equal(wire_get_str(&reader, &len), "a\0b", 4);
    assert_int_equal(len, 3);
    assert_string_equal(wire_get_str(&again, NULL), "");
    assert_int_equal(again.failed, 1);
    wire_writer_fini(&writer);
}

static void
length_that_lies_is_refused(void **state)
{
    (void)state;
    for (uint32_t len = 4; len != 0; len = len << 1 | 1) {
        char bytes[8] = {0};
        memcpy(bytes, &len, sizeof(len));
        char *copy = exact(bytes, sizeof(bytes));
        struct wire_reader reader = {.at = copy, .end = copy + sizeof(bytes)};
        wire_get_str(&reader, NULL);
        assert_int_equal(reader.failed, 1);
        free(copy);
        if (len == UINT32_MAX) {
            break;
        }
    }
}

static void
reader_that_failed_reads_nothing_more(void **state)
{
    (void)state;
    const char bytes[] = {1, 0, 0, 0, 0, 0, 0};
    struct wire_reader reader = {.at = bytes, .end = bytes + sizeof(bytes)};
    assert_true(wire_get_i64(&reader) == 0);
    assert_int_equal(wire_get_u32(&reader), 0); /* though four are there */
    assert_string_equal(wire_get_str(&reader, NULL), "");
    assert_int_equal(wire_done(&reader), RC_INVALID);
}

static void
writer_takes_the_largest_payload_and_no_more(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    size_t len = WIRE_PAYLOAD_MAX - 5; /* the length and the NUL */
    char *bytes = calloc(1, len + 1);
    assert_non_null(bytes);
    wire_begin(&writer, WIRE_EVENT, 0);
    wire_put_str(&writer, bytes, len);
    assert_int_equal(wire_end(&writer), RC_OK);
    assert_int_equal(writer.len, WIRE_HEADER_BYTES + WIRE_PAYLOAD_MAX);

    wire_begin(&writer, WIRE_EVENT, 0);
    wire_put_str(&writer, bytes, len + 1);
    assert_int_equal(wire_end(&writer), RC_NOMEM);
    wire_put_u32(&writer, 1); /* it stays failed */
    assert_int_equal(wire_end(&writer), RC_NOMEM);

    wire_begin(&writer, WIRE_EVENT, 0);
    wire_put_str(&writer, bytes, SIZE_MAX);
    assert_int_equal(wire_end(&writer), RC_NOMEM);

    wire_begin(&writer, WIRE_QUIT, 0); /* until the next frame */
    assert_int_equal(wire_end(&writer), RC_OK);
    free(bytes);
    wire_writer_fini(&writer);
}

static void
null_text_counts_as_empty(void **state)
{
    (void)state;
    struct wire_writer writer = {.bytes = NULL};
    struct wire_frame frame;
    size_t len;
    wire_begin(&writer, WIRE_HELLO, 0);
    wire_put_cstr(&writer, NULL);
    assert_int_equal(wire_end(&writer), RC_OK);
    assert_int_equal(
        wire_peek(writer.bytes, writer.len, WIRE_PAYLOAD_MAX, &frame), RC_OK);
    assert_string_equal(wire_get_str(&frame.payload, &len), "");
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    wire_writer_fini(&writer);
}

/* Nothing to compare with: ASan and UBSan are the judges. */
static void
garbage_is_survived(void **state)
{
    (void)state;
    srandom(1);
    for (int round = 0; round < 20000; round++) {
        char bytes[96];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            /* Small numbers make lengths that are nearly right. */
            bytes[i] = (char)(random() % 4 == 0 ? random() : random() % 8);
        }
        size_t len = (size_t)random() % sizeof(bytes);
        char *copy = exact(bytes, len);
        struct wire_reader reader = {.at = copy, .end = copy + len};
        struct wire_event got;
        struct wire_frame frame;
        (void)wire_get_event(&reader, &got);
        (void)wire_peek(copy, len, WIRE_REPLY_MAX, &frame);
        free(copy);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_arrives_as_it_was_sent),
        cmocka_unit_test(frame_is_awaited_until_its_last_byte),
        cmocka_unit_test(bytes_behind_a_frame_are_left_alone),
        cmocka_unit_test(payload_cut_at_any_byte_is_no_event),
        cmocka_unit_test(one_byte_too_many_is_no_event),
        cmocka_unit_test(header_that_breaks_a_rule_is_refused_at_once),
        cmocka_unit_test(only_known_types_are_frames),
        cmocka_unit_test(string_without_its_nul_is_refused),
        cmocka_unit_test(c_string_with_a_nul_in_it_is_refused),
        cmocka_unit_test(length_that_lies_is_refused),
        cmocka_unit_test(reader_that_failed_reads_nothing_more),
        cmocka_unit_test(writer_takes_the_largest_payload_and_no_more),
        cmocka_unit_test(null_text_counts_as_empty),
        cmocka_unit_test(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
