/* tests/unit/test_manifest.c: a plugin's description on its way to the daemon,
 * which must not trust the process that sends it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "plugin/manifest.h"
#include "plugin/wire.h"

#include <pegboard/plugin.h>
#include <stdlib.h>
#include <string.h>

static char *
text(const char *literal)
{
    char *copy = strdup(literal);
    assert_non_null(copy);
    return copy;
}

/* A good one, which each test then makes wrong in one place. */
static struct manifest
good(void)
{
    struct manifest manifest = {
        .abi_major = 1,
        .needs_minor = 0,
        .name = text("receipts"),
        .version = text("1.0"),
        .summary = text(""),
        .event_count = 2,
        .option_count = 2,
        .has_init = 1,
    };
    manifest.events = calloc(2, sizeof(*manifest.events));
    manifest.options = calloc(2, sizeof(*manifest.options));
    assert_non_null(manifest.events);
    assert_non_null(manifest.options);
    manifest.events[0] = text("payment_intent.succeeded");
    manifest.events[1] = text("charge.*");
    manifest.options[0] = (struct manifest_option){
        .name = text("greeting"),
        .type = PEG_OPTION_STRING,
        .fallback = text(""),
        .help = text("what to say"),
    };
    manifest.options[1] = (struct manifest_option){
        .name = text("token"),
        .type = PEG_OPTION_PATH,
        .flags = PEG_OPTION_REQUIRED | PEG_OPTION_SECRET,
        .help = text(""),
    };
    return manifest;
}

static void
write_manifest(struct wire_writer *writer, const struct manifest *manifest)
{
    wire_begin(writer, WIRE_MANIFEST, 0);
    manifest_put(writer, manifest);
    assert_int_equal(wire_end(writer), RC_OK);
}

/* Read `len` bytes of payload, from memory of exactly that size. */
static int
read_payload(const struct wire_writer *writer, size_t len, struct manifest *out)
{
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    char *start = copy + 1; /* ends where the memory ends */
    memcpy(start, writer->bytes + WIRE_HEADER_BYTES, len);
    struct wire_reader reader = {.at = start, .end = start + len};
    int rc = manifest_get(&reader, out);
    free(copy);
    return rc;
}

/* Send it, read it, free both. */
static int
round_trip(struct manifest *manifest)
{
    struct wire_writer writer = {.bytes = NULL};
    struct manifest got = {.name = NULL};
    write_manifest(&writer, manifest);
    int rc = read_payload(&writer, writer.len - WIRE_HEADER_BYTES, &got);
    wire_writer_fini(&writer);
    manifest_fini(&got);
    manifest_fini(manifest);
    return rc;
}

static void
manifest_arrives_as_it_was_sent(void **state)
{
    (void)state;
    struct manifest sent = good();
    struct manifest got;
    struct wire_writer writer = {.bytes = NULL};
    write_manifest(&writer, &sent);
    assert_int_equal(
        read_payload(&writer, writer.len - WIRE_HEADER_BYTES, &got), RC_OK);
    assert_int_equal(got.abi_major, 1);
    assert_string_equal(got.name, "receipts");
    assert_string_equal(got.version, "1.0");
    assert_string_equal(got.summary, "");
    assert_int_equal(got.event_count, 2);
    assert_string_equal(got.events[1], "charge.*");
    assert_int_equal(got.option_count, 2);
    assert_string_equal(got.options[0].fallback, "");
    assert_string_equal(got.options[0].help, "what to say");
    assert_null(got.options[1].fallback);
    assert_int_equal(got.options[1].flags,
                     PEG_OPTION_REQUIRED | PEG_OPTION_SECRET);
    assert_int_equal(got.has_init, 1);
    assert_int_equal(got.has_shutdown, 0);
    assert_ptr_equal(manifest_option_find(&got, "token"), &got.options[1]);
    assert_null(manifest_option_find(&got, "tok"));
    manifest_fini(&got);
    manifest_fini(&got); /* zeroed, so once more does no harm */
    manifest_fini(&sent);
    wire_writer_fini(&writer);
}

static void
manifest_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    struct manifest sent = good();
    struct wire_writer writer = {.bytes = NULL};
    write_manifest(&writer, &sent);
    for (size_t len = 0; len < writer.len - WIRE_HEADER_BYTES; len++) {
        struct manifest got = {.abi_major = 77};
        assert_int_equal(read_payload(&writer, len, &got), RC_INVALID);
        assert_int_equal(got.abi_major, 77); /* written on success only */
    }
    wire_put_u32(&writer, 0); /* and so is one with something behind it */
    struct manifest got;
    assert_int_equal(
        read_payload(&writer, writer.len - WIRE_HEADER_BYTES, &got),
        RC_INVALID);
    manifest_fini(&sent);
    wire_writer_fini(&writer);
}

static void
names_keep_their_rules(void **state)
{
    (void)state;
    static const char longest[] = "a23456789-123456789-123456789_12";
    assert_int_equal(sizeof(longest) - 1, MANIFEST_NAME_MAX);
    assert_true(manifest_name_valid(longest, MANIFEST_NAME_MAX));
    assert_false(manifest_name_valid(longest, MANIFEST_NAME_MAX - 1));
    assert_false(manifest_name_valid("", MANIFEST_NAME_MAX));
    assert_false(manifest_name_valid("Receipts", MANIFEST_NAME_MAX));
    assert_false(manifest_name_valid("a/../b", MANIFEST_NAME_MAX));
    assert_false(manifest_name_valid("a\n", MANIFEST_NAME_MAX));

    struct manifest manifest = good();
    free(manifest.name);
    manifest.name = text("../receipts");
    assert_int_equal(round_trip(&manifest), RC_INVALID);

    manifest = good();
    free(manifest.options[1].name);
    manifest.options[1].name = text("a b");
    assert_int_equal(round_trip(&manifest), RC_INVALID);
}

static void
option_types_and_flags_are_checked(void **state)
{
    (void)state;
    static const uint32_t wrong[] = {0, PEG_OPTION_PATH + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct manifest manifest = good();
        manifest.options[0].type = wrong[i];
        assert_int_equal(round_trip(&manifest), RC_INVALID);
    }
    struct manifest manifest = good();
    manifest.has_self_test = 2;
    assert_int_equal(round_trip(&manifest), RC_INVALID);
}

/* `count` events and no option. */
static int
try_events(size_t count)
{
    struct manifest manifest = {
        .abi_major = 1,
        .name = text("many"),
        .version = text("1"),
        .summary = text(""),
        .events = calloc(count + 1, sizeof(char *)),
        .event_count = count,
    };
    assert_non_null(manifest.events);
    for (size_t i = 0; i < count; i++) {
        manifest.events[i] = text("a.b");
    }
    return round_trip(&manifest);
}

static void
events_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(try_events(0), RC_INVALID);
    assert_int_equal(try_events(1), RC_OK);
    assert_int_equal(try_events(MANIFEST_EVENTS_MAX), RC_OK);
    assert_int_equal(try_events(MANIFEST_EVENTS_MAX + 1), RC_INVALID);
}

static int
try_options(size_t count)
{
    struct manifest manifest = good();
    for (size_t i = 0; i < 2; i++) {
        free(manifest.options[i].name);
        free(manifest.options[i].fallback);
        free(manifest.options[i].help);
    }
    free(manifest.options);
    manifest.options = calloc(count + 1, sizeof(*manifest.options));
    assert_non_null(manifest.options);
    manifest.option_count = count;
    for (size_t i = 0; i < count; i++) {
        manifest.options[i] = (struct manifest_option){
            .name = text("a"), .type = PEG_OPTION_INT, .help = text("")};
    }
    return round_trip(&manifest);
}

static void
options_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(try_options(0), RC_OK);
    assert_int_equal(try_options(MANIFEST_OPTIONS_MAX), RC_OK);
    assert_int_equal(try_options(MANIFEST_OPTIONS_MAX + 1), RC_INVALID);
}

/* Nothing to compare with: ASan, LeakSanitizer and UBSan are the judges. */
static void
garbage_is_survived(void **state)
{
    (void)state;
    struct manifest sent = good();
    struct wire_writer writer = {.bytes = NULL};
    write_manifest(&writer, &sent);
    size_t len = writer.len - WIRE_HEADER_BYTES;
    srandom(1);
    for (int round = 0; round < 20000; round++) {
        struct manifest got = {.name = NULL};
        char *at = writer.bytes + WIRE_HEADER_BYTES + (size_t)random() % len;
        char before = *at;
        *at = (char)random();
        (void)read_payload(&writer, len, &got);
        manifest_fini(&got);
        *at = before;
    }
    manifest_fini(&sent);
    wire_writer_fini(&writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_arrives_as_it_was_sent),
        cmocka_unit_test(manifest_cut_at_any_byte_is_refused),
        cmocka_unit_test(names_keep_their_rules),
        cmocka_unit_test(option_types_and_flags_are_checked),
        cmocka_unit_test(events_are_bounded),
        cmocka_unit_test(options_are_bounded),
        cmocka_unit_test(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
