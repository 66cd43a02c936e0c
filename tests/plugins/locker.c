/* tests/plugins/locker.c: holds a lock for each Stripe object while it handles
 * one of its events, and one of `slots` for the plugin, and writes down what
 * it did and whom it met. The locks go with the process, however it ends.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define GATE_POLL_MS   5

static const peg_option options[] = {
    {"file", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "where to write"},
    {"dir", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "a folder for locks"},
    {"slots", PEG_OPTION_INT, 0, "64", "handlers that may run at once"},
    {"max_ms", PEG_OPTION_INT, 0, "0", "an event takes up to this, at random"},
    {"delay", PEG_OPTION_DURATION, 0, "20ms", "when a retry comes again"},
    {"retry_percent", PEG_OPTION_INT, 0, "0", "of calls, at random"},
    {"tag", PEG_OPTION_STRING, 0, "-", "a word, told by what begins"},
    {"obey", PEG_OPTION_LIST, 0, "gate, retries, crashes, fail, skip",
     "keys of data.object.metadata to go by: gate waits for the file DIR/gate; "
     "retries and crashes tell how often, -1 for always"},
};

/* One call of the handler. */
struct call {
    peg_ctx *ctx;
    const peg_event *ev;
    peg_str file, dir, tag, id;
    peg_str object; /* its len is 0 when there is none */
    int64_t attempt, slots, max_ms, delay_ms, retry_percent;
    int object_fd, slot_fd; /* their locks are held; -1 for none */
};

static void
sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Append in one write. */
static int
append(const char *path, const char *text, size_t len, int64_t *size)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;
    if (fd < 0) {
        return -1;
    }
    int failed =
        write(fd, text, len) != (ssize_t)len || fstat(fd, &status) != 0;
    close(fd);
    if (!failed && size != NULL) {
        *size = status.st_size;
    }
    return failed ? -1 : 0;
}

/* Lines are "KIND NS EVENT OBJECT ATTEMPT PID WHAT": B begins (with the tag), E
 * ends with a verdict, C is about to crash, V met another where nobody may be.
 * Without the line there is no test: die. */
static void
write_down(const struct call *call, const char *kind, const char *what)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int len =
        snprintf(line, sizeof(line), "%s %" PRId64 " %s %s %" PRId64 " %d %s\n",
                 kind, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                 call->id.ptr, call->object.len > 0 ? call->object.ptr : "-",
                 call->attempt, (int)getpid(), what);
    if (len < 0 || (size_t)len >= sizeof(line) ||
        append(call->file.ptr, line, (size_t)len, NULL) != 0) {
        abort();
    }
}

/* ---- Locks ---------------------------------------------------------- */

/* A descriptor with the lock of DIR/NAME.lock; -1 when another has it. */
static int
try_lock(const struct call *call, const char *name)
{
    char path[LINE_MAX_BYTES];
    snprintf(path, sizeof(path), "%s/%s.lock", call->dir.ptr, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void
take_locks(struct call *call)
{
    char name[32];
    call->object_fd = call->slot_fd = -1;
    for (int64_t n = 0; n < call->slots && call->slot_fd < 0; n++) {
        snprintf(name, sizeof(name), "slot%" PRId64, n);
        call->slot_fd = try_lock(call, name);
    }
    if (call->slot_fd < 0) {
        write_down(call, "V", "slots");
    }
    if (call->object.len > 0) {
        call->object_fd = try_lock(call, call->object.ptr);
        if (call->object_fd < 0) {
            write_down(call, "V", "object");
        }
    }
}

static void
drop_locks(const struct call *call)
{
    if (call->object_fd >= 0) {
        close(call->object_fd);
    }
    if (call->slot_fd >= 0) {
        close(call->slot_fd);
    }
}

/* ---- What to do ----------------------------------------------------- */

/* What the event says about `key`; "" when nothing, or we do not listen. */
static const char *
order_for(const struct call *call, const char *key)
{
    char path[64];
    peg_str item, text;
    for (uint32_t i = 0; peg_option_item(call->ctx, "obey", i, &item) == PEG_OK;
         i++) {
        if (strcmp(item.ptr, key) == 0) {
            snprintf(path, sizeof(path), "data.object.metadata.%s", key);
            return peg_get_str(call->ev, path, &text) == PEG_OK ? text.ptr : "";
        }
    }
    return "";
}

/* Whether `key` happens this time: it is counted in a file of the event, since
 * attempts that did not come this far have a number too. */
static int
is_time_for(const struct call *call, const char *key)
{
    char path[LINE_MAX_BYTES];
    int64_t times = strtoll(order_for(call, key), NULL, 10), count = 0;
    if (times <= 0) {
        return times < 0;
    }
    snprintf(path, sizeof(path), "%s/%s.%s", call->dir.ptr, call->id.ptr, key);
    return append(path, "x", 1, &count) != 0 || count <= times;
}

static void
take_time(const struct call *call)
{
    char path[LINE_MAX_BYTES];
    if (order_for(call, "gate")[0] != '\0') {
        snprintf(path, sizeof(path), "%s/gate", call->dir.ptr);
        while (access(path, F_OK) != 0) {
            sleep_ms(GATE_POLL_MS);
        }
    }
    if (call->max_ms > 0) {
        sleep_ms(random() % (call->max_ms + 1));
    }
}

static int32_t
decide(const struct call *call, const char **word)
{
    if (is_time_for(call, "crashes")) {
        write_down(call, "C", "-");
        abort();
    }
    if (is_time_for(call, "retries") || random() % 100 < call->retry_percent) {
        peg_retry_after(call->ev, call->delay_ms);
        *word = "retry";
        return PEG_RETRY;
    }
    if (order_for(call, "fail")[0] != '\0') {
        *word = "fail";
        return PEG_FAIL;
    }
    if (order_for(call, "skip")[0] != '\0') {
        *word = "skip";
        return PEG_SKIP;
    }
    *word = "done";
    return PEG_DONE;
}

static int
read_call(struct call *call)
{
    if (peg_meta_str(call->ev, PEG_META_OBJECT_ID, &call->object) != PEG_OK) {
        call->object = (peg_str){"", 0};
    }
    return peg_option_str(call->ctx, "file", &call->file) == PEG_OK &&
           peg_option_str(call->ctx, "dir", &call->dir) == PEG_OK &&
           peg_option_str(call->ctx, "tag", &call->tag) == PEG_OK &&
           peg_option_i64(call->ctx, "slots", &call->slots) == PEG_OK &&
           peg_option_i64(call->ctx, "max_ms", &call->max_ms) == PEG_OK &&
           peg_option_i64(call->ctx, "delay", &call->delay_ms) == PEG_OK &&
           peg_option_i64(call->ctx, "retry_percent", &call->retry_percent) ==
               PEG_OK &&
           peg_meta_str(call->ev, PEG_META_ID, &call->id) == PEG_OK &&
           peg_meta_i64(call->ev, PEG_META_ATTEMPT, &call->attempt) == PEG_OK;
}

static int32_t
init(peg_ctx *ctx)
{
    (void)ctx;
    srandom((unsigned)getpid()); /* runners shall differ, no more */
    return 0;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    struct call call = {.ctx = ctx, .ev = ev};
    const char *word;
    if (!read_call(&call)) {
        peg_reason(ev, "an option or a fact is missing");
        return PEG_FAIL;
    }
    take_locks(&call);
    write_down(&call, "B", call.tag.ptr);
    take_time(&call);
    int32_t verdict = decide(&call, &word);
    write_down(&call, "E", word);
    drop_locks(&call);
    return verdict;
}

PEG_PLUGIN(.name = "locker", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .init = init, .handle = handle);
