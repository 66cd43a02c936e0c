/* core/runner/stream.c: frames from the daemon, one after the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/stream.h"

#include "clock.h"
#include "error.h"
#include "plugin/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_FIRST_BYTES (64U << 10)

static int
buffer_reserve(struct stream_buffer *buffer, size_t bytes)
{
    size_t cap = buffer->cap == 0 ? BUFFER_FIRST_BYTES : buffer->cap;
    while (cap < bytes) {
        cap *= 2; /* wire_peek() bounds what is waited for */
    }
    if (cap == buffer->cap) {
        return RC_OK;
    }
    char *grown = realloc(buffer->bytes, cap);
    if (grown == NULL) {
        return RC_NOMEM;
    }
    buffer->bytes = grown;
    buffer->cap = cap;
    return RC_OK;
}

/* Wait until recv() would not. Only for a deadline: else recv() waits. */
static int
wait_readable(const struct stream *stream, int64_t deadline_ms)
{
    struct pollfd ready = {.fd = stream->fd, .events = POLLIN};
    int n = 0;
    while (deadline_ms != INT64_MAX && n <= 0) {
        int64_t left_ms = deadline_ms - clock_mono_ms();
        if (left_ms <= 0) {
            return RC_TIMEOUT;
        }
        n = poll(&ready, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
        if (n < 0 && errno != EINTR) {
            return RC_IO;
        }
    }
    return RC_OK;
}

static int
receive_more(struct stream *stream, int64_t deadline_ms)
{
    struct stream_buffer *in = &stream->in;
    int rc = buffer_reserve(in, in->len + 1);
    if (rc == RC_OK) {
        rc = wait_readable(stream, deadline_ms);
    }
    if (rc != RC_OK) {
        return rc;
    }
    ssize_t n;
    do {
        n = recv(stream->fd, in->bytes + in->len, in->cap - in->len, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 || errno == ECONNRESET ? RC_CLOSED : RC_IO;
    }
    in->len += (size_t)n;
    return RC_OK;
}

int
stream_next(struct stream *stream, int64_t deadline_ms,
            struct wire_frame *frame)
{
    int rc;
    while ((rc = wire_peek(stream->in.bytes, stream->in.len, WIRE_PAYLOAD_MAX,
                           frame)) == RC_BUSY) {
        rc = receive_more(stream, deadline_ms);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return rc;
}

void
stream_drop(struct stream *stream, const struct wire_frame *frame)
{
    struct stream_buffer *in = &stream->in;
    in->len -= frame->frame_bytes;
    memmove(in->bytes, in->bytes + frame->frame_bytes, in->len);
}

/* The buffers change places, so that the frame does not move. */
int
stream_hold(struct stream *stream, const struct wire_frame *frame)
{
    struct stream_buffer whole = stream->in;
    size_t behind = whole.len - frame->frame_bytes;
    if (behind > 0) {
        if (buffer_reserve(&stream->held, behind) != RC_OK) {
            return RC_NOMEM;
        }
        memcpy(stream->held.bytes, whole.bytes + frame->frame_bytes, behind);
    }
    stream->held.len = behind;
    stream->in = stream->held;
    stream->held = whole;
    return RC_OK;
}

void
stream_release(struct stream *stream)
{
    /* The one that has grown goes on receiving, so that the other need not. */
    if (stream->in.len == 0) {
        struct stream_buffer spare = stream->in;
        stream->in = stream->held;
        stream->held = spare;
        stream->in.len = 0;
    }
}
