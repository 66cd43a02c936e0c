/* core/plugin/wire.c: what the daemon and a runner say to each other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/wire.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

#define WRITER_FIRST_BYTES 512

_Static_assert(sizeof(struct wire_header) == WIRE_HEADER_BYTES,
               "the header travels as it lies in memory");

/* ---- Writing -------------------------------------------------------- */

static int
writer_grow(struct wire_writer *writer, size_t more)
{
    size_t cap = writer->cap == 0 ? WRITER_FIRST_BYTES : writer->cap;
    while (cap - writer->len < more) {
        cap *= 2; /* cannot overflow: writer_put() bounds the length */
    }
    char *bytes = realloc(writer->bytes, cap);
    if (bytes == NULL) {
        return RC_NOMEM;
    }
    writer->bytes = bytes;
    writer->cap = cap;
    return RC_OK;
}

static void
writer_put(struct wire_writer *writer, const void *bytes, size_t len)
{
    if (writer->failed || len == 0) {
        return;
    }
    size_t room = WIRE_HEADER_BYTES + (size_t)WIRE_PAYLOAD_MAX - writer->len;
    if (len > room || (len > writer->cap - writer->len &&
                       writer_grow(writer, len) != RC_OK)) {
        writer->failed = 1;
        return;
    }
    memcpy(writer->bytes + writer->len, bytes, len);
    writer->len += len;
}

void
wire_begin(struct wire_writer *writer, enum wire_type type, uint64_t id)
{
    struct wire_header header = {.type = (uint16_t)type, .id = id};
    writer->len = 0;
    writer->failed = 0;
    writer_put(writer, &header, sizeof(header));
}

void
wire_put_u32(struct wire_writer *writer, uint32_t value)
{
    writer_put(writer, &value, sizeof(value));
}

void
wire_put_i64(struct wire_writer *writer, int64_t value)
{
    writer_put(writer, &value, sizeof(value));
}

void
wire_put_str(struct wire_writer *writer, const char *bytes, size_t len)
{
    if (len > WIRE_PAYLOAD_MAX) {
        writer->failed = 1;
        return;
    }
    wire_put_u32(writer, (uint32_t)len);
    writer_put(writer, bytes, len);
    writer_put(writer, "", 1);
}

void
wire_put_cstr(struct wire_writer *writer, const char *text)
{
    wire_put_str(writer, text, text == NULL ? 0 : strlen(text));
}

int
wire_end(struct wire_writer *writer)
{
    if (writer->failed) {
        return RC_NOMEM;
    }
    uint32_t payload_bytes = (uint32_t)(writer->len - WIRE_HEADER_BYTES);
    memcpy(writer->bytes + offsetof(struct wire_header, payload_bytes),
           &payload_bytes, sizeof(payload_bytes));
    return RC_OK;
}

void
wire_writer_fini(struct wire_writer *writer)
{
    free(writer->bytes);
    *writer = (struct wire_writer){.bytes = NULL};
}

/* ---- Reading -------------------------------------------------------- */

static int
type_known(uint16_t type)
{
    switch ((enum wire_type)type) {
    case WIRE_HELLO:
    case WIRE_INIT:
    case WIRE_EVENT:
    case WIRE_QUIT:
    case WIRE_VALUE:
    case WIRE_MANIFEST:
    case WIRE_REFUSED:
    case WIRE_READY:
    case WIRE_LOG:
    case WIRE_VERDICT:
    case WIRE_LOOKUP:
        return 1;
    }
    return 0;
}

int
wire_peek(const char *bytes, size_t len, size_t limit, struct wire_frame *frame)
{
    struct wire_header header;
    if (len < sizeof(header)) {
        return RC_BUSY;
    }
    memcpy(&header, bytes, sizeof(header));
    if (header.zero != 0 || header.payload_bytes > limit ||
        !type_known(header.type)) {
        return RC_INVALID; /* at once: no waiting for bytes that are garbage */
    }
    if (len - sizeof(header) < header.payload_bytes) {
        return RC_BUSY;
    }
    const char *payload = bytes + sizeof(header);
    *frame = (struct wire_frame){
        .header = header,
        .payload = {.at = payload, .end = payload + header.payload_bytes},
        .frame_bytes = sizeof(header) + header.payload_bytes,
    };
    return RC_OK;
}

/* The next `len` bytes, or NULL. */
static const char *
reader_take(struct wire_reader *reader, size_t len)
{
    if (reader->failed || (size_t)(reader->end - reader->at) < len) {
        reader->failed = 1;
        return NULL;
    }
    const char *bytes = reader->at;
    reader->at += len;
    return bytes;
}

uint32_t
wire_get_u32(struct wire_reader *reader)
{
    uint32_t value = 0;
    const char *bytes = reader_take(reader, sizeof(value));
    if (bytes != NULL) {
        memcpy(&value, bytes, sizeof(value));
    }
    return value;
}

int64_t
wire_get_i64(struct wire_reader *reader)
{
    int64_t value = 0;
    const char *bytes = reader_take(reader, sizeof(value));
    if (bytes != NULL) {
        memcpy(&value, bytes, sizeof(value));
    }
    return value;
}

const char *
wire_get_str(struct wire_reader *reader, size_t *len)
{
    size_t bytes = wire_get_u32(reader);
    const char *text = reader_take(reader, bytes);
    const char *end = reader_take(reader, 1);
    if (end != NULL && *end == '\0' &&
        (len != NULL || memchr(text, '\0', bytes) == NULL)) {
        if (len != NULL) {
            *len = bytes;
        }
        return text;
    }
    reader->failed = 1;
    if (len != NULL) {
        *len = 0;
    }
    return "";
}

int
wire_done(const struct wire_reader *reader)
{
    return reader->failed || reader->at != reader->end ? RC_INVALID : RC_OK;
}

/* ---- The event frame ------------------------------------------------ */

void
wire_put_event(struct wire_writer *writer, uint64_t id,
               const struct wire_event *event)
{
    wire_begin(writer, WIRE_EVENT, id);
    wire_put_cstr(writer, event->event_id);
    wire_put_cstr(writer, event->type);
    wire_put_cstr(writer, event->account);
    wire_put_cstr(writer, event->api_version);
    wire_put_cstr(writer, event->key);
    wire_put_cstr(writer, event->object_id);
    wire_put_cstr(writer, event->signature);
    wire_put_cstr(writer, event->snapshot_event);
    wire_put_i64(writer, event->created_s);
    wire_put_i64(writer, event->received_ms);
    wire_put_i64(writer, event->timeout_ms);
    wire_put_u32(writer, event->livemode);
    wire_put_u32(writer, event->thin);
    wire_put_u32(writer, event->attempt);
    wire_put_u32(writer, event->replay);
    wire_put_str(writer, event->body, event->body_len);
}

int
wire_get_event(struct wire_reader *reader, struct wire_event *event)
{
    struct wire_event got;
    got.event_id = wire_get_str(reader, NULL);
    got.type = wire_get_str(reader, NULL);
    got.account = wire_get_str(reader, NULL);
    got.api_version = wire_get_str(reader, NULL);
    got.key = wire_get_str(reader, NULL);
    got.object_id = wire_get_str(reader, NULL);
    got.signature = wire_get_str(reader, NULL);
    got.snapshot_event = wire_get_str(reader, NULL);
    got.created_s = wire_get_i64(reader);
    got.received_ms = wire_get_i64(reader);
    got.timeout_ms = wire_get_i64(reader);
    got.livemode = wire_get_u32(reader);
    got.thin = wire_get_u32(reader);
    got.attempt = wire_get_u32(reader);
    got.replay = wire_get_u32(reader);
    got.body = wire_get_str(reader, &got.body_len);
    if (wire_done(reader) != RC_OK) {
        return RC_INVALID;
    }
    *event = got;
    return RC_OK;
}
