/* tests/fuzz/fuzz_wire.c: bytes of a runner that may say anything, into all
 * that reads frames. SPDX-License-Identifier: Apache-2.0 */
#include "error.h"
#include "plugin/manifest.h"
#include "plugin/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_fields(struct wire_reader reader)
{
    size_t len;
    while (!reader.failed && reader.at != reader.end) {
        (void)wire_get_u32(&reader);
        (void)wire_get_i64(&reader);
        (void)wire_get_str(&reader, &len);
        (void)wire_get_str(&reader, NULL);
    }
}

/* What was read must survive being sent and read once more. */
static void
check_manifest(struct wire_reader reader)
{
    struct manifest first, second;
    struct wire_writer writer = {.bytes = NULL};
    struct wire_frame frame;
    if (manifest_get(&reader, &first) != RC_OK) {
        return;
    }
    wire_begin(&writer, WIRE_MANIFEST, 0);
    manifest_put(&writer, &first);
    if (wire_end(&writer) != RC_OK ||
        wire_peek(writer.bytes, writer.len, WIRE_PAYLOAD_MAX, &frame) !=
            RC_OK ||
        manifest_get(&frame.payload, &second) != RC_OK) {
        abort();
    }
    wire_writer_fini(&writer);
    manifest_fini(&first);
    manifest_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const struct wire_reader whole = {.at = bytes, .end = bytes + size};
    struct wire_reader reader = whole;
    struct wire_event event;
    struct wire_frame frame;
    (void)wire_get_event(&reader, &event);
    check_manifest(whole);
    read_fields(whole);
    if (wire_peek(bytes, size, WIRE_REPLY_MAX, &frame) == RC_OK) {
        reader = frame.payload;
        (void)wire_get_event(&reader, &event);
        check_manifest(frame.payload);
        read_fields(frame.payload);
    }
    return 0;
}
