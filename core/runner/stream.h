/* core/runner/stream.h: frames from the daemon, one after the other, also while
 * an event is still in use.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STREAM_H
#define CORE_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct wire_frame; /* plugin/wire.h */

/** Of the main thread alone. Set `fd` and zero the rest to start. */
struct stream {
    int fd;
    struct stream_buffer {
        char *bytes;
        size_t len, cap;
    } in,     /* received bytes; the frame in work is at its start */
        held; /* has the event being handled */
};

/**
 * Wait for the next frame, which lies in the buffer until stream_drop() or
 * stream_release().
 *
 * @param deadline_ms  monotonic; INT64_MAX for none
 * @return RC_OK, RC_CLOSED, RC_TIMEOUT, RC_INVALID, RC_IO or RC_NOMEM
 */
int stream_next(struct stream *stream, int64_t deadline_ms,
                struct wire_frame *frame);

/** End with the frame that stream_next() gave. */
void stream_drop(struct stream *stream, const struct wire_frame *frame);

/** Keep that frame where it is while others come; one at a time.
 * @return RC_OK or RC_NOMEM */
int stream_hold(struct stream *stream, const struct wire_frame *frame);

/** End with the frame that was held. */
void stream_release(struct stream *stream);

#endif
