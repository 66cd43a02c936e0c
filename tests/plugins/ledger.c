/* tests/plugins/ledger.c: writes down each event it handled, so that a test can
 * compare what was acknowledged with what was done.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const peg_option options[] = {
    {"file", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "where to write"},
    {"sleep_ms", PEG_OPTION_INT, 0, "0", "time that each event takes"},
    {"crash_on", PEG_OPTION_STRING, 0, "", "id of an event to die of"},
    {"crash_times", PEG_OPTION_INT, 0, "0", "how often; 0 is always"},
};

/* Append in one write, and have it on disk. */
static int
append(const char *path, const char *line, size_t len, int64_t *size)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;
    if (fd < 0) {
        return -1;
    }
    int failed = write(fd, line, len) != (ssize_t)len || fsync(fd) != 0 ||
                 fstat(fd, &status) != 0;
    close(fd);
    if (!failed && size != NULL) {
        *size = status.st_size;
    }
    return failed ? -1 : 0;
}

/* Die, unless it was often enough. FILE.crashes has one byte for each time. */
static void
crash(const char *file, int64_t crash_times)
{
    char path[LINE_MAX_BYTES];
    int64_t crashes = 0;
    snprintf(path, sizeof(path), "%s.crashes", file);
    if (append(path, "x", 1, &crashes) != 0 || crash_times == 0 ||
        crashes <= crash_times) {
        abort();
    }
}

static void
sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* FILE.begun has the ids of events that take their time. */
static void
take_time(const peg_str *file, const peg_str *id, int64_t delay_ms)
{
    char path[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
    snprintf(path, sizeof(path), "%s.begun", file->ptr);
    int len = snprintf(line, sizeof(line), "%s\n", id->ptr);
    append(path, line, (size_t)len, NULL); /* nothing depends on it */
    sleep_ms(delay_ms);
}

static int64_t
now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Lines are "ID TYPE ATTEMPT PID BEGIN END", times in microseconds. */
static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t begin_us = now_us();
    peg_str file, crash_on, id, type;
    int64_t delay_ms, crash_times, attempt;
    if (peg_option_str(ctx, "file", &file) != PEG_OK ||
        peg_option_str(ctx, "crash_on", &crash_on) != PEG_OK ||
        peg_option_i64(ctx, "sleep_ms", &delay_ms) != PEG_OK ||
        peg_option_i64(ctx, "crash_times", &crash_times) != PEG_OK ||
        peg_meta_str(ev, PEG_META_ID, &id) != PEG_OK ||
        peg_meta_str(ev, PEG_META_TYPE, &type) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) != PEG_OK) {
        peg_reason(ev, "an option or a fact is missing");
        return PEG_FAIL;
    }
    if (delay_ms > 0) {
        take_time(&file, &id, delay_ms);
    }
    if (strcmp(id.ptr, crash_on.ptr) == 0) {
        crash(file.ptr, crash_times);
    }
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof(line),
                       "%s %s %" PRId64 " %d %" PRId64 " %" PRId64 "\n", id.ptr,
                       type.ptr, attempt, (int)getpid(), begin_us, now_us());
    if (append(file.ptr, line, (size_t)len, NULL) != 0) {
        peg_reason(ev, "%s: %s", file.ptr, strerror(errno));
        return PEG_RETRY;
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "ledger", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
