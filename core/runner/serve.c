/* core/runner/serve.c: the runner under its daemon: frames in, frames out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/serve.h"

#include "error.h"
#include "plugin/wire.h"
#include "runner/host.h"
#include "runner/load.h"
#include "runner/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_FIRST_BYTES (64U << 10)

struct serve {
    int fd;

    pthread_mutex_t lock; /* guards the four below: plugin threads log */
    struct wire_writer out;
    uint64_t delivery; /* frame id of the event being handled, or 0 */
    char error_text[PEG_TEXT_MAX + 1]; /* the plugin's last error line */
    size_t error_len;

    /* Of the main thread alone. */
    char *buffer; /* received bytes; the frame in work is at its start */
    size_t len, cap;
    struct loaded loaded;
    struct host host;
};

/* ---- Sending -------------------------------------------------------- */

/* Send what serve->out holds, begun and filled by the caller. A frame leaves
 * whole: nothing else can be sent while the lock is held. */
static int
send_locked(struct serve *serve)
{
    if (wire_end(&serve->out) != RC_OK) {
        return RC_NOMEM;
    }
    size_t sent = 0;
    while (sent < serve->out.len) {
        ssize_t n = send(serve->fd, serve->out.bytes + sent,
                         serve->out.len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return errno == EPIPE || errno == ECONNRESET ? RC_CLOSED : RC_IO;
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return RC_OK;
}

/* @return RC_CLOSED: all is said, the runner can go */
static int
send_refused(struct serve *serve, enum wire_stage stage, const char *why)
{
    pthread_mutex_lock(&serve->lock);
    wire_begin(&serve->out, WIRE_REFUSED, 0);
    wire_put_u32(&serve->out, (uint32_t)stage);
    wire_put_cstr(&serve->out, why);
    int rc = send_locked(serve);
    pthread_mutex_unlock(&serve->lock);
    return rc == RC_OK ? RC_CLOSED : rc;
}

static int
send_manifest(struct serve *serve)
{
    pthread_mutex_lock(&serve->lock);
    wire_begin(&serve->out, WIRE_MANIFEST, 0);
    manifest_put(&serve->out, &serve->loaded.manifest);
    int rc = send_locked(serve);
    pthread_mutex_unlock(&serve->lock);
    return rc;
}

static int
send_ready(struct serve *serve)
{
    pthread_mutex_lock(&serve->lock);
    wire_begin(&serve->out, WIRE_READY, 0);
    int rc = send_locked(serve);
    pthread_mutex_unlock(&serve->lock);
    return rc;
}

static int
send_verdict(struct serve *serve, const struct host_verdict *verdict)
{
    /* What the handler printed shall be out before the event is over. Not
     * fflush(NULL): it waits for the lock of every stream, also of one that a
     * plugin's thread sits reading. */
    fflush(stdout);
    fflush(stderr);
    pthread_mutex_lock(&serve->lock);
    wire_begin(&serve->out, WIRE_VERDICT, serve->delivery);
    wire_put_u32(&serve->out, (uint32_t)verdict->code);
    wire_put_i64(&serve->out, verdict->delay_ms);
    wire_put_str(&serve->out, verdict->reason, verdict->reason_len);
    wire_put_i64(&serve->out, verdict->took_us);
    serve->delivery = 0;
    int rc = send_locked(serve);
    pthread_mutex_unlock(&serve->lock);
    return rc;
}

/* A host_log_fn. If the line cannot be sent, the main thread finds that the
 * daemon is gone; there is nobody else to tell. */
static void
log_line(void *arg, int32_t level, const char *text, size_t len)
{
    struct serve *serve = arg;
    pthread_mutex_lock(&serve->lock);
    if (level == PEG_LOG_ERROR) {
        memcpy(serve->error_text, text, len);
        serve->error_text[len] = '\0';
        serve->error_len = len;
    }
    wire_begin(&serve->out, WIRE_LOG, serve->delivery);
    wire_put_u32(&serve->out, (uint32_t)level);
    wire_put_str(&serve->out, text, len);
    (void)send_locked(serve);
    pthread_mutex_unlock(&serve->lock);
}

/* ---- Receiving ------------------------------------------------------ */

static int
receive_more(struct serve *serve)
{
    if (serve->len == serve->cap) {
        size_t cap = serve->cap == 0 ? BUFFER_FIRST_BYTES : 2 * serve->cap;
        char *buffer = realloc(serve->buffer, cap);
        if (buffer == NULL) {
            return RC_NOMEM;
        }
        serve->buffer = buffer;
        serve->cap = cap; /* wire_peek() bounds what is waited for */
    }
    ssize_t n;
    do {
        n = recv(serve->fd, serve->buffer + serve->len, serve->cap - serve->len,
                 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 || errno == ECONNRESET ? RC_CLOSED : RC_IO;
    }
    serve->len += (size_t)n;
    return RC_OK;
}

/* Wait for the next frame, which lies in the buffer until consume(). */
static int
receive(struct serve *serve, struct wire_frame *frame)
{
    int rc;
    while ((rc = wire_peek(serve->buffer, serve->len, WIRE_PAYLOAD_MAX,
                           frame)) == RC_BUSY) {
        rc = receive_more(serve);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return rc == RC_OK && frame->header.type == WIRE_QUIT ? RC_CLOSED : rc;
}

static void
consume(struct serve *serve, const struct wire_frame *frame)
{
    serve->len -= frame->frame_bytes;
    memmove(serve->buffer, serve->buffer + frame->frame_bytes, serve->len);
}

/* ---- The three steps ------------------------------------------------ */

static int
load(struct serve *serve, struct wire_reader *hello)
{
    uint32_t version = wire_get_u32(hello);
    if (version != WIRE_VERSION) {
        char why[160];
        snprintf(why, sizeof(why),
                 "pegboard-runner speaks wire version %d, the daemon %u: "
                 "install both from one build and restart the daemon",
                 WIRE_VERSION, version);
        return send_refused(serve, WIRE_STAGE_WIRE, why);
    }
    const char *name = wire_get_str(hello, NULL);
    const char *path = wire_get_str(hello, NULL);
    uint32_t keep_core = wire_get_u32(hello);
    if (wire_done(hello) != RC_OK) {
        return RC_INVALID;
    }
    process_set_name(name);

    struct error err;
    enum wire_stage stage = WIRE_STAGE_LOAD;
    int rc = keep_core ? RC_OK : process_forbid_core(&err);
    if (rc == RC_OK) {
        rc = load_open(&serve->loaded, path, &stage, &err);
    }
    return rc == RC_OK ? send_manifest(serve)
                       : send_refused(serve, stage, err.text);
}

/* HELLO. */
static int
greet(struct serve *serve)
{
    struct wire_frame frame;
    int rc = receive(serve, &frame);
    if (rc != RC_OK) {
        return rc;
    }
    if (frame.header.type != WIRE_HELLO) {
        return RC_INVALID;
    }
    rc = load(serve, &frame.payload);
    consume(serve, &frame);
    return rc;
}

static int
take_options(struct serve *serve, struct wire_reader *init)
{
    struct settings *settings = &serve->host.settings;
    uint32_t count = wire_get_u32(init);
    for (uint32_t i = 0; i < count && !init->failed; i++) {
        const char *name = wire_get_str(init, NULL);
        uint32_t type = wire_get_u32(init);
        const char *value = wire_get_str(init, NULL);
        if (init->failed ||
            settings_put(settings, name, type, value) != RC_OK) {
            return RC_INVALID;
        }
    }
    if (wire_done(init) != RC_OK) {
        return RC_INVALID;
    }
    return settings_put_defaults(settings, &serve->loaded.manifest);
}

static int
call_init(struct serve *serve)
{
    peg_init_fn *init = serve->loaded.plugin.init;
    int32_t code = init == NULL ? 0 : init(&serve->host.ctx);
    if (code == 0) {
        return send_ready(serve);
    }
    char why[PEG_TEXT_MAX + 64];
    pthread_mutex_lock(&serve->lock);
    snprintf(why, sizeof(why), "init() returned %d: %s", code,
             serve->error_len > 0 ? serve->error_text
                                  : "it did not say why: use peg_error()");
    pthread_mutex_unlock(&serve->lock);
    return send_refused(serve, WIRE_STAGE_INIT, why);
}

/* INIT. */
static int
prepare(struct serve *serve)
{
    struct wire_frame frame;
    int rc = receive(serve, &frame);
    if (rc != RC_OK) {
        return rc;
    }
    if (frame.header.type != WIRE_INIT) {
        return RC_INVALID;
    }
    rc = take_options(serve, &frame.payload);
    consume(serve, &frame);
    return rc == RC_OK ? call_init(serve) : rc;
}

/* EVENT, again and again. */
static int
work(struct serve *serve)
{
    for (;;) {
        struct wire_frame frame;
        struct wire_event facts;
        int rc = receive(serve, &frame);
        if (rc != RC_OK) {
            return rc;
        }
        if (frame.header.type != WIRE_EVENT ||
            wire_get_event(&frame.payload, &facts) != RC_OK) {
            return RC_INVALID;
        }
        pthread_mutex_lock(&serve->lock);
        serve->delivery = frame.header.id;
        pthread_mutex_unlock(&serve->lock);

        struct host_verdict verdict;
        host_handle(&serve->host, serve->loaded.plugin.handle, &facts,
                    &verdict);
        rc = send_verdict(serve, &verdict);
        if (rc != RC_OK) {
            return rc;
        }
        consume(serve, &frame);
    }
}

int
serve_run(int fd)
{
    /* Static: threads of the plugin may log until the process is gone. */
    static struct serve serve = {.lock = PTHREAD_MUTEX_INITIALIZER};
    serve.fd = fd;
    host_init(&serve.host, log_line, &serve);
    setvbuf(stdout, NULL, _IOLBF, 0);

    int rc = greet(&serve);
    if (rc == RC_OK) {
        rc = prepare(&serve);
    }
    if (rc == RC_OK) {
        rc = work(&serve);
        if (rc == RC_CLOSED && serve.loaded.plugin.shutdown != NULL) {
            serve.loaded.plugin.shutdown(&serve.host.ctx);
        }
    }
    if (rc != RC_CLOSED) {
        fprintf(stderr, "pegboard-runner: cannot go on with this daemon: %s\n",
                rc_name(rc));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
