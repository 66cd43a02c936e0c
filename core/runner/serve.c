/* core/runner/serve.c: the runner under its daemon: frames in, frames out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/serve.h"

#include "error.h"
#include "plugin/confinement.h"
#include "plugin/wire.h"
#include "runner/host.h"
#include "runner/load.h"
#include "runner/process.h"
#include "runner/sandbox.h"
#include "runner/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What VALUE says first. */
enum { VALUE_ABSENT = 0, VALUE_FOUND = 1, VALUE_UNSURE = 2 };

struct serve {
    pthread_mutex_t lock; /* guards the four below: plugin threads log */
    struct wire_writer out;
    uint64_t delivery; /* frame id of the event being handled, or 0; written
                          by the main thread alone */
    char error_text[PEG_TEXT_MAX + 1]; /* the plugin's last error line */
    size_t error_len;

    /* Of the main thread alone. */
    int parent_pid; /* the daemon's */
    struct stream stream;
    struct loaded loaded;
    struct host host;
    int quit;  /* the daemon said so while an event was handled */
    int fault; /* RC_OK, or why this runner must end after the event */
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
        ssize_t n = send(serve->stream.fd, serve->out.bytes + sent,
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
    if (verdict->code == PEG_DONE) {
        store_tell(&serve->host.store, &serve->out);
    } else {
        wire_put_u32(&serve->out, 0); /* what it wrote is thrown away */
    }
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

/* The next frame, but for QUIT, between events. */
static int
receive(struct serve *serve, struct wire_frame *frame)
{
    int rc = stream_next(&serve->stream, INT64_MAX, frame);
    return rc == RC_OK && frame->header.type == WIRE_QUIT ? RC_CLOSED : rc;
}

/* ---- The store ------------------------------------------------------ */

static int
send_lookup(struct serve *serve, const char *key, size_t key_len)
{
    pthread_mutex_lock(&serve->lock);
    wire_begin(&serve->out, WIRE_LOOKUP, serve->delivery);
    wire_put_str(&serve->out, key, key_len);
    int rc = send_locked(serve);
    pthread_mutex_unlock(&serve->lock);
    return rc;
}

/* @return RC_OK, RC_BUSY (the daemon cannot tell) or RC_INVALID */
static int
take_value(struct wire_reader *answer, struct scratch *scratch,
           struct store_value *out)
{
    size_t len;
    uint32_t found = wire_get_u32(answer);
    int64_t version = wire_get_i64(answer);
    const char *bytes = wire_get_str(answer, &len);
    if (wire_done(answer) != RC_OK || found > VALUE_UNSURE || version < 0 ||
        len > PEG_STORE_VALUE_MAX) {
        return RC_INVALID;
    }
    if (found == VALUE_UNSURE) {
        return RC_BUSY;
    }
    *out = (struct store_value){.version = version};
    if (found == VALUE_FOUND) {
        out->bytes = scratch_need(scratch, len + 1);
        out->len = len;
        memcpy(out->bytes, bytes, len + 1);
    }
    return RC_OK;
}

/* The daemon may say QUIT meanwhile: it means after this event. */
static int
await_value(struct serve *serve, struct scratch *scratch,
            struct store_value *out)
{
    for (;;) {
        struct wire_frame frame;
        int rc = stream_next(&serve->stream, serve->host.deadline_ms, &frame);
        if (rc != RC_OK) {
            return rc;
        }
        int quit = frame.header.type == WIRE_QUIT;
        if (frame.header.type == WIRE_VALUE &&
            frame.header.id == serve->delivery) {
            rc = take_value(&frame.payload, scratch, out);
        } else if (!quit || serve->quit) {
            rc = RC_INVALID;
        }
        stream_drop(&serve->stream, &frame);
        if (!quit || rc != RC_OK) {
            return rc;
        }
        serve->quit = 1;
    }
}

/* A store_ask_fn. After a fault no answer can be told from a late one, so this
 * event is the last; its verdict is still worth sending. */
static int
ask(void *arg, const char *key, size_t key_len, struct scratch *scratch,
    struct store_value *out)
{
    struct serve *serve = arg;
    if (serve->fault != RC_OK) {
        return serve->fault;
    }
    int rc = send_lookup(serve, key, key_len);
    if (rc == RC_OK) {
        rc = await_value(serve, scratch, out);
    }
    if (rc != RC_BUSY) {
        serve->fault = rc;
    }
    return rc;
}

/* ---- The three steps ------------------------------------------------ */

/* In this order: constructors are plugin code too. */
static int
confine_and_load(struct serve *serve, const struct confinement *confinement,
                 const char *path)
{
    struct error err;
    struct sandbox_file file = {.path = path, .fd = -1};
    char lacking[160], line[sizeof(lacking) + 64];
    enum wire_stage stage = WIRE_STAGE_SANDBOX;
    int rc = sandbox_apply(confinement, serve->parent_pid, &file, lacking,
                           sizeof(lacking), &err);
    if (rc == RC_OK && lacking[0] != '\0') {
        int len = snprintf(line, sizeof(line),
                           "its sandbox is weaker than asked for: this system "
                           "cannot deny %s",
                           lacking);
        log_line(serve, PEG_LOG_WARN, line, (size_t)len);
    }
    if (rc == RC_OK) {
        rc = load_open(&serve->loaded, file.path, &stage, &err);
    }
    sandbox_file_fini(&file);
    if (rc == RC_CLOSED) {
        return rc; /* the daemon is gone */
    }
    return rc == RC_OK ? send_manifest(serve)
                       : send_refused(serve, stage, err.text);
}

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
    struct confinement confinement;
    if (confinement_get(hello, &confinement) != RC_OK ||
        wire_done(hello) != RC_OK) {
        return RC_INVALID;
    }
    process_set_name(name);
    return confine_and_load(serve, &confinement, path);
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
    stream_drop(&serve->stream, &frame);
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
    stream_drop(&serve->stream, &frame);
    return rc == RC_OK ? call_init(serve) : rc;
}

static int
handle_event(struct serve *serve, struct wire_frame *frame)
{
    struct wire_event facts;
    if (frame->header.type != WIRE_EVENT ||
        wire_get_event(&frame->payload, &facts) != RC_OK) {
        return RC_INVALID;
    }
    int rc = stream_hold(&serve->stream, frame);
    if (rc != RC_OK) {
        return rc;
    }
    pthread_mutex_lock(&serve->lock);
    serve->delivery = frame->header.id;
    pthread_mutex_unlock(&serve->lock);

    struct host_verdict verdict;
    host_handle(&serve->host, serve->loaded.plugin.handle, &facts, &verdict);
    rc = send_verdict(serve, &verdict);
    stream_release(&serve->stream);
    return rc;
}

/* EVENT, again and again. */
static int
work(struct serve *serve)
{
    for (;;) {
        struct wire_frame frame;
        int rc = receive(serve, &frame);
        if (rc == RC_OK) {
            rc = handle_event(serve, &frame);
        }
        if (rc != RC_OK) {
            return rc;
        }
        if (serve->fault != RC_OK || serve->quit) {
            return serve->fault != RC_OK ? serve->fault : RC_CLOSED;
        }
    }
}

int
serve_run(int fd, int parent_pid)
{
    /* Static: threads of the plugin may log until the process is gone. */
    static struct serve serve = {.lock = PTHREAD_MUTEX_INITIALIZER};
    serve.stream.fd = fd;
    serve.parent_pid = parent_pid;
    host_init(&serve.host, log_line, ask, &serve);
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
