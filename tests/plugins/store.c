/* tests/plugins/store.c: counts, in its store, how often each object was
 * handled, and can then fail in each way there is, so that a test can prove
 * that the count holds exactly what ended as done.
 *
 * data.object.metadata.op (or else option `op`), after the count was written:
 *   ""      done             "retry"  PEG_RETRY, at once
 *   "skip"  PEG_SKIP         "fail"   PEG_FAIL
 *   "crash" abort()          "hang"   never returns
 * data.object.metadata.times (text): only on the first so many attempts.
 * data.object.metadata.sleep_ms (text, or else option `sleep_ms`): how long it
 * sleeps between reading and writing.
 * SPDX-License-Identifier: Apache-2.0 */
#define PEG_TARGET_MINOR 1
#include <pegboard/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX_BYTES 512

static const peg_option options[] = {
    {"file", PEG_OPTION_PATH, 0, NULL, "gets \"EVENT OBJECT ATTEMPT SEEN\""},
    {"op", PEG_OPTION_STRING, 0, "", "for events that name none"},
    {"sleep_ms", PEG_OPTION_INT, 0, "0", "for events that name none"},
};

static void
take_time(peg_ctx *ctx, const peg_event *ev)
{
    peg_str text;
    int64_t ms = 0;
    if (peg_get_str(ev, "data.object.metadata.sleep_ms", &text) == PEG_OK) {
        ms = strtoll(text.ptr, NULL, 10);
    } else {
        (void)peg_option_i64(ctx, "sleep_ms", &ms); /* it has a default */
    }
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Append what was seen, in one write. */
static int
note_seen(peg_ctx *ctx, const peg_event *ev, const char *object, int64_t seen)
{
    peg_str file, id;
    int64_t attempt;
    if (peg_option_str(ctx, "file", &file) != PEG_OK) {
        return 0; /* not asked for */
    }
    if (peg_meta_str(ev, PEG_META_ID, &id) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) != PEG_OK) {
        return -1;
    }
    char line[TEXT_MAX_BYTES];
    int len = snprintf(line, sizeof(line), "%s %s %" PRId64 " %" PRId64 "\n",
                       id.ptr, object, attempt, seen);
    int fd = open(file.ptr, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int failed = fd < 0 || write(fd, line, (size_t)len) != len;
    if (fd >= 0) {
        close(fd);
    }
    return failed ? -1 : 0;
}

/* What the event, or else the option, asks for in this attempt. */
static const char *
op_of(peg_ctx *ctx, const peg_event *ev)
{
    peg_str op, times;
    int64_t attempt;
    if (peg_get_str(ev, "data.object.metadata.op", &op) != PEG_OK &&
        peg_option_str(ctx, "op", &op) != PEG_OK) {
        return "";
    }
    if (peg_get_str(ev, "data.object.metadata.times", &times) == PEG_OK &&
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) == PEG_OK &&
        attempt > strtoll(times.ptr, NULL, 10)) {
        return "";
    }
    return op.ptr;
}

static int32_t
obey(const char *op)
{
    if (strcmp(op, "crash") == 0) {
        abort();
    }
    while (strcmp(op, "hang") == 0) {
        pause();
    }
    if (strcmp(op, "retry") == 0) {
        return PEG_RETRY;
    }
    if (strcmp(op, "skip") == 0) {
        return PEG_SKIP;
    }
    return strcmp(op, "fail") == 0 ? PEG_FAIL : PEG_DONE;
}

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str object, value;
    int64_t count = 0;
    char key[PEG_STORE_KEY_MAX + 1], text[32];
    if (peg_meta_str(ev, PEG_META_OBJECT_ID, &object) != PEG_OK) {
        return PEG_SKIP;
    }
    snprintf(key, sizeof(key), "count:%s", object.ptr);
    int32_t status = peg_store_get(ev, key, &value);
    if (status == PEG_OK) {
        count = strtoll(value.ptr, NULL, 10);
    } else if (status != PEG_ABSENT) {
        peg_reason(ev, "the store says %d", status);
        return PEG_RETRY;
    }
    if (note_seen(ctx, ev, object.ptr, count) != 0) {
        peg_reason(ev, "cannot note: %s", strerror(errno));
        return PEG_RETRY;
    }
    take_time(ctx, ev);
    int len = snprintf(text, sizeof(text), "%" PRId64, count + 1);
    if (peg_store_put(ev, key, text, (size_t)len) != PEG_OK) {
        return PEG_FAIL;
    }
    peg_retry_after(ev, 0);
    return obey(op_of(ctx, ev));
}

PEG_PLUGIN(.name = "store", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
