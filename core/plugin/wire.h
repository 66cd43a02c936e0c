/* core/plugin/wire.h: what the daemon and a runner say to each other.
 *
 * A stream of frames over a socketpair: a 16-byte header in host byte order
 * (both ends are on one machine), then a payload of fields. Every length is
 * bounded; a runner that breaks a rule is killed, and a runner whose daemon
 * breaks one exits.
 *
 *   daemon                         runner
 *   HELLO version, name, path  ->
 *                              <-  LOG ... MANIFEST or REFUSED
 *   INIT options               ->
 *                              <-  READY or REFUSED
 *   EVENT id, facts, bytes     ->
 *                              <-  LOG ... LOOKUP id
 *   VALUE id                   ->
 *                              <-  LOG ... VERDICT id
 *   QUIT                       ->
 *                                  shutdown(), exit
 *
 * libc only: this is linked into pegboard-runner.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

/** Raised whenever a frame changes: an old runner must not meet a new daemon.*/
#define WIRE_VERSION 3

#define WIRE_HEADER_BYTES 16
/** Largest payload: the largest body that can be configured, and its facts. */
#define WIRE_PAYLOAD_MAX (17U << 20)
/** Largest payload from a runner; its frames are small. */
#define WIRE_REPLY_MAX (256U << 10)

enum wire_type {
    WIRE_HELLO = 1,     /* u32 version, str plugin name, str path of the .so,
                           then see confinement.h */
    WIRE_INIT = 2,      /* u32 n, n times: str name, u32 type, str value */
    WIRE_EVENT = 3,     /* see struct wire_event; frame id names the delivery */
    WIRE_QUIT = 4,      /* no fields */
    WIRE_VALUE = 5,     /* answer to LOOKUP: u32 1 found, 0 not, 2 cannot tell;
                           i64 version, str value */
    WIRE_MANIFEST = 16, /* see manifest.h */
    WIRE_REFUSED = 17,  /* u32 enum wire_stage, str why and what to do */
    WIRE_READY = 18,    /* no fields */
    WIRE_LOG = 19,      /* u32 level, str text; frame id: delivery or 0 */
    WIRE_VERDICT = 20,  /* u32 verdict, i64 delay in ms or -1, str reason, i64
                           microseconds in handle(), u32 n keys touched, n
                           times: str key, i64 version read or -1, u32 0 read
                           only, 1 put, 2 delete, str value; n is 0 unless the
                           verdict is done */
    WIRE_LOOKUP = 21,   /* str key; one at a time, while an event is handled */
};

/** What a runner was doing when it refused. */
enum wire_stage {
    WIRE_STAGE_LOAD = 1,       /* dlopen or dlsym */
    WIRE_STAGE_DESCRIPTOR = 2, /* the descriptor breaks a rule */
    WIRE_STAGE_INIT = 3,       /* init() said no */
    WIRE_STAGE_WIRE = 4,       /* version or frames do not fit */
    WIRE_STAGE_SANDBOX = 5,    /* this system cannot confine it as asked for */
};

struct wire_header {
    uint32_t payload_bytes;
    uint16_t type;
    uint16_t zero;
    uint64_t id;
};

/* ---- Writing -------------------------------------------------------- */

/** A frame being built. Grows as needed; zero it to start. */
struct wire_writer {
    char *bytes;
    size_t len, cap;
    int failed; /* out of memory or too large: wire_end() says so */
};

/** Start a frame, dropping what was built before (its memory is kept). */
void wire_begin(struct wire_writer *writer, enum wire_type type, uint64_t id);
void wire_put_u32(struct wire_writer *writer, uint32_t value);
void wire_put_i64(struct wire_writer *writer, int64_t value);
void wire_put_str(struct wire_writer *writer, const char *bytes, size_t len);
/** As wire_put_str() for a C string; NULL counts as "". */
void wire_put_cstr(struct wire_writer *writer, const char *text);
/** Finish: writer->bytes[0..len) is the frame. @return RC_OK or RC_NOMEM */
int wire_end(struct wire_writer *writer);
/** Free the memory. Accepts a zeroed one. */
void wire_writer_fini(struct wire_writer *writer);

/* ---- Reading -------------------------------------------------------- */

/** A frame's payload being read. A field that is not there sets `failed`, and
 * every later read yields 0 or "". */
struct wire_reader {
    const char *at, *end;
    int failed;
};

struct wire_frame {
    struct wire_header header;
    struct wire_reader payload; /* borrowed from the buffer */
    size_t frame_bytes;         /* header and payload together */
};

/**
 * Look for a whole frame at the start of a buffer.
 *
 * @param limit  largest payload accepted
 * @return RC_OK; RC_BUSY when more bytes are needed; RC_INVALID when the bytes
 *         cannot be a frame
 */
int wire_peek(const char *bytes, size_t len, size_t limit,
              struct wire_frame *frame);

uint32_t wire_get_u32(struct wire_reader *reader);
int64_t wire_get_i64(struct wire_reader *reader);
/** A string, borrowed, followed by a NUL that is not counted (it is on the
 * wire, and checked). With `len` NULL the string may hold no NUL itself. */
const char *wire_get_str(struct wire_reader *reader, size_t *len);
/** Whether all fields were there and nothing follows: RC_OK or RC_INVALID. */
int wire_done(const struct wire_reader *reader);

/* ---- The event frame ------------------------------------------------ */

/** Facts and bytes of one delivery, as they travel. All borrowed. */
struct wire_event {
    const char *event_id, *type, *account, *api_version, *key, *object_id,
        *signature, *snapshot_event;            /* "" when absent */
    int64_t created_s, received_ms, timeout_ms; /* for the whole call */
    uint32_t livemode, thin, attempt, replay;
    const char *body;
    size_t body_len;
};

/** Begin the frame and put all its fields; wire_end() is the caller's. */
void wire_put_event(struct wire_writer *writer, uint64_t id,
                    const struct wire_event *event);
/** @return RC_OK or RC_INVALID */
int wire_get_event(struct wire_reader *reader, struct wire_event *event);

#endif
