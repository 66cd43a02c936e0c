/* tests/plugins/peer.c: the daemon's end of the wire, for tests of the runner.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include "error.h"
#include "plugin/confinement.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS      20000
#define SAMPLE_BYTES_MAX 65536

void (*peer_prepare)(void);

static const char *peer_runner, *peer_fixtures;
static char sample_text[SAMPLE_BYTES_MAX];
static size_t sample_bytes;

int
peer_setup(int argc, char **argv)
{
    FILE *file = argc == 4 ? fopen(argv[3], "rb") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: %s RUNNER FIXTURES EVENT\n", argv[0]);
        return -1;
    }
    sample_bytes = fread(sample_text, 1, sizeof(sample_text) - 1, file);
    fclose(file);
    peer_runner = argv[1];
    peer_fixtures = argv[2];
    return 0;
}

/* ---- The process ---------------------------------------------------- */

/* In the child. A careless parent leaves an ignored and a blocked signal, and
 * allows cores. */
static void
become_runner(int socket, pid_t parent, int out)
{
    char parent_text[16];
    sigset_t blocked;
    struct rlimit cores;
    getrlimit(RLIMIT_CORE, &cores);
    cores.rlim_cur = cores.rlim_max;
    setrlimit(RLIMIT_CORE, &cores);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    snprintf(parent_text, sizeof(parent_text), "%d", (int)parent);
    /* dup2() onto itself would leave it closed on exec. */
    if ((socket == 3 ? fcntl(3, F_SETFD, 0) : dup2(socket, 3)) < 0 ||
        (out >= 0 && dup2(out, STDOUT_FILENO) < 0)) {
        _exit(126);
    }
    if (peer_prepare != NULL) {
        peer_prepare();
    }
    execl(peer_runner, peer_runner, "serve", parent_text, (char *)NULL);
    _exit(127);
}

void
start_on(struct runner *runner, const int pair[2], pid_t parent, int out)
{
    *runner = (struct runner){.fd = pair[0]};
    runner->pid = fork();
    assert_true(runner->pid >= 0);
    if (runner->pid == 0) {
        become_runner(pair[1], parent, out);
    }
    close(pair[1]);
}

void
start(struct runner *runner)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    start_on(runner, pair, getpid(), -1);
}

void
send_bytes(struct runner *runner, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(runner->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* it left; the test sees that by what comes back */
        }
        bytes += n;
        len -= (size_t)n;
    }
}

void
send_frame(struct runner *runner, struct wire_writer *writer)
{
    assert_int_equal(wire_end(writer), RC_OK);
    send_bytes(runner, writer->bytes, writer->len);
    wire_writer_fini(writer);
}

int
next_frame(struct runner *runner, struct wire_frame *frame)
{
    memmove(runner->bytes, runner->bytes + runner->taken,
            runner->len - runner->taken);
    runner->len -= runner->taken;
    runner->taken = 0;
    int rc;
    while ((rc = wire_peek(runner->bytes, runner->len, WIRE_REPLY_MAX,
                           frame)) == RC_BUSY) {
        struct pollfd ready = {.fd = runner->fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        ssize_t n = recv(runner->fd, runner->bytes + runner->len,
                         sizeof(runner->bytes) - runner->len, 0);
        if (n <= 0) {
            return RC_CLOSED;
        }
        runner->len += (size_t)n;
    }
    assert_int_equal(rc, RC_OK);
    runner->taken = frame->frame_bytes;
    return RC_OK;
}

void
expect_frame(struct runner *runner, enum wire_type type,
             struct wire_frame *frame)
{
    assert_int_equal(next_frame(runner, frame), RC_OK);
    assert_int_equal(frame->header.type, type);
}

void
expect_exit(struct runner *runner, int status)
{
    struct wire_frame frame;
    int got;
    assert_int_equal(next_frame(runner, &frame), RC_CLOSED);
    assert_int_equal(waitpid(runner->pid, &got, 0), runner->pid);
    assert_true(WIFEXITED(got));
    assert_int_equal(WEXITSTATUS(got), status);
    close(runner->fd);
}

/* ---- What a daemon says --------------------------------------------- */

void
peer_path(char *path, size_t size, const char *fixture)
{
    if (strchr(fixture, '/') != NULL) {
        snprintf(path, size, "%s", fixture);
    } else {
        snprintf(path, size, "%s/%s.so", peer_fixtures, fixture);
    }
}

static void
hello(struct runner *runner, uint32_t version, const char *fixture,
      const struct confinement *confinement)
{
    struct wire_writer writer = {.bytes = NULL};
    char path[PATH_MAX];
    peer_path(path, sizeof(path), fixture);
    wire_begin(&writer, WIRE_HELLO, 0);
    wire_put_u32(&writer, version);
    wire_put_cstr(&writer, fixture);
    wire_put_cstr(&writer, path);
    confinement_put(&writer, confinement);
    send_frame(runner, &writer);
}

void
send_hello(struct runner *runner, uint32_t version, const char *fixture)
{
    const struct confinement none = {.data_dir = "", .uid = -1, .gid = -1};
    hello(runner, version, fixture, &none);
}

void
send_confined(struct runner *runner, const char *fixture,
              const struct confinement *confinement)
{
    hello(runner, WIRE_VERSION, fixture, confinement);
}

void
send_init(struct runner *runner, const char *name, uint32_t type,
          const char *value)
{
    struct wire_writer writer = {.bytes = NULL};
    wire_begin(&writer, WIRE_INIT, 0);
    wire_put_u32(&writer, name != NULL);
    if (name != NULL) {
        wire_put_cstr(&writer, name);
        wire_put_u32(&writer, type);
        wire_put_cstr(&writer, value);
    }
    send_frame(runner, &writer);
}

void
put_sample(struct wire_writer *writer, uint64_t id)
{
    struct wire_event event = {
        .event_id = "evt_1PegGetters0001",
        .type = "charge.updated",
        .account = "acct_1PegGetters",
        .api_version = "2025-03-31.basil",
        .key = "evt_1PegGetters0001:getters",
        .object_id = "ch_1PegGetters0001",
        .created_s = 1767225600,
        .received_ms = 1767225601000,
        .timeout_ms = 30000,
        .livemode = 1,
        .attempt = 1,
        .body = sample_text,
        .body_len = sample_bytes,
    };
    wire_put_event(writer, id, &event);
}

void
send_event(struct runner *runner, uint64_t id)
{
    struct wire_writer writer = {.bytes = NULL};
    put_sample(&writer, id);
    send_frame(runner, &writer);
}

void
send_quit(struct runner *runner)
{
    struct wire_writer writer = {.bytes = NULL};
    wire_begin(&writer, WIRE_QUIT, 0);
    send_frame(runner, &writer);
}

void
get_ready(struct runner *runner, const char *fixture)
{
    struct wire_frame frame;
    send_hello(runner, WIRE_VERSION, fixture);
    expect_frame(runner, WIRE_MANIFEST, &frame);
    send_init(runner, NULL, 0, NULL);
    expect_frame(runner, WIRE_READY, &frame);
}

void
start_ready(struct runner *runner, const char *fixture)
{
    start(runner);
    get_ready(runner, fixture);
}

void
expect_verdict(struct runner *runner, uint64_t id, uint32_t code,
               const char *reason)
{
    struct wire_frame frame;
    expect_frame(runner, WIRE_VERDICT, &frame);
    assert_int_equal(frame.header.id, id);
    assert_int_equal(wire_get_u32(&frame.payload), code);
    wire_get_i64(&frame.payload);
    assert_string_equal(wire_get_str(&frame.payload, NULL), reason);
    assert_true(wire_get_i64(&frame.payload) >= 0);
    assert_int_equal(wire_get_u32(&frame.payload), 0);
    assert_int_equal(wire_done(&frame.payload), RC_OK);
}

/* ---- The store ------------------------------------------------------ */

/* An EVENT with that list of operations. */
void
put_ops(struct wire_writer *writer, uint64_t id, int64_t timeout_ms,
        const char *ops)
{
    char body[OPS_MAX + 64];
    int len = snprintf(body, sizeof(body),
                       "{\"data\":{\"object\":{\"ops\":[%s]}}}", ops);
    assert_true(len > 0 && (size_t)len < sizeof(body));
    struct wire_event event = {
        .event_id = "evt_1",
        .type = "v1.invoice.paid",
        .object_id = "in_1",
        .snapshot_event = "evt_0",
        .replay = 1,
        .timeout_ms = timeout_ms,
        .body = body,
        .body_len = (size_t)len,
    };
    wire_put_event(writer, id, &event);
}

void
send_ops(struct runner *runner, uint64_t id, const char *ops)
{
    struct wire_writer writer = {.bytes = NULL};
    put_ops(&writer, id, 60000, ops);
    send_frame(runner, &writer);
}

void
leave(struct runner *runner)
{
    send_quit(runner);
    expect_exit(runner, 0);
}

void
send_value(struct runner *runner, uint64_t id, uint32_t found, int64_t version,
           const char *value, size_t len)
{
    struct wire_writer writer = {.bytes = NULL};
    wire_begin(&writer, WIRE_VALUE, id);
    wire_put_u32(&writer, found);
    wire_put_i64(&writer, version);
    wire_put_str(&writer, value, len);
    send_frame(runner, &writer);
}

void
expect_log(struct runner *runner, const char *text)
{
    struct wire_frame frame;
    expect_frame(runner, WIRE_LOG, &frame);
    wire_get_u32(&frame.payload);
    assert_string_equal(wire_get_str(&frame.payload, NULL), text);
    assert_int_equal(wire_done(&frame.payload), RC_OK);
}

void
expect_lookup(struct runner *runner, uint64_t id, const char *key)
{
    struct wire_frame frame;
    expect_frame(runner, WIRE_LOOKUP, &frame);
    assert_int_equal(frame.header.id, id);
    assert_string_equal(wire_get_str(&frame.payload, NULL), key);
    assert_int_equal(wire_done(&frame.payload), RC_OK);
}

uint32_t
expect_done(struct runner *runner, uint64_t id, struct wire_frame *frame)
{
    expect_frame(runner, WIRE_VERDICT, frame);
    assert_int_equal(frame->header.id, id);
    assert_int_equal(wire_get_u32(&frame->payload), 0);
    wire_get_i64(&frame->payload);
    wire_get_str(&frame->payload, NULL);
    wire_get_i64(&frame->payload);
    return wire_get_u32(&frame->payload);
}

void
expect_key(struct wire_frame *frame, const char *key, int64_t seen,
           uint32_t write, const char *value)
{
    assert_string_equal(wire_get_str(&frame->payload, NULL), key);
    assert_int_equal(wire_get_i64(&frame->payload), seen);
    assert_int_equal(wire_get_u32(&frame->payload), write);
    assert_string_equal(wire_get_str(&frame->payload, NULL), value);
}

void
expect_refused(struct runner *runner, enum wire_stage stage, const char *part)
{
    struct wire_frame frame;
    expect_frame(runner, WIRE_REFUSED, &frame);
    assert_int_equal(wire_get_u32(&frame.payload), stage);
    const char *why = wire_get_str(&frame.payload, NULL);
    assert_int_equal(wire_done(&frame.payload), RC_OK);
    if (strstr(why, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, why);
    }
    expect_exit(runner, 0);
}
