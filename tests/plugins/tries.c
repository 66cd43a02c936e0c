/* tests/plugins/tries.c: asks for each event again until it was tried often
 * enough, and writes down when each attempt was, as ledger.c does.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const peg_option options[] = {
    {"file", PEG_OPTION_PATH, PEG_OPTION_REQUIRED, NULL, "where to write"},
    {"times", PEG_OPTION_INT, 0, "1", "attempts of each event that fail"},
    {"sleep_ms", PEG_OPTION_INT, 0, "0", "time that each attempt takes"},
    {"delay", PEG_OPTION_DURATION, 0, NULL, "to ask for; else as planned"},
};

static int64_t
now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
append(const char *path, const char *line, int len)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int failed = fd < 0 || write(fd, line, (size_t)len) != len;
    if (fd >= 0) {
        close(fd);
    }
    return failed;
}

static void
take_time(peg_ctx *ctx)
{
    int64_t ms;
    if (peg_option_i64(ctx, "sleep_ms", &ms) == PEG_OK) {
        struct timespec left = {.tv_sec = ms / 1000,
                                .tv_nsec = ms % 1000 * 1000000};
        while (nanosleep(&left, &left) != 0 && errno == EINTR) {
        }
    }
}

/* Lines are "ID TYPE ATTEMPT PID BEGIN END", times in microseconds. */
static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t begin_us = now_us(), times, attempt, delay_ms;
    peg_str file, id, type;
    if (peg_option_str(ctx, "file", &file) != PEG_OK ||
        peg_option_i64(ctx, "times", &times) != PEG_OK ||
        peg_meta_str(ev, PEG_META_ID, &id) != PEG_OK ||
        peg_meta_str(ev, PEG_META_TYPE, &type) != PEG_OK ||
        peg_meta_i64(ev, PEG_META_ATTEMPT, &attempt) != PEG_OK) {
        peg_reason(ev, "an option or a fact is missing");
        return PEG_FAIL;
    }
    take_time(ctx);
    char line[1024];
    int len = snprintf(line, sizeof(line),
                       "%s %s %" PRId64 " %d %" PRId64 " %" PRId64 "\n", id.ptr,
                       type.ptr, attempt, (int)getpid(), begin_us, now_us());
    if (append(file.ptr, line, len)) {
        peg_reason(ev, "cannot write %s", file.ptr);
        return PEG_FAIL;
    }
    if (peg_option_i64(ctx, "delay", &delay_ms) == PEG_OK) {
        peg_retry_after(ev, delay_ms);
    }
    peg_reason(ev, "tried for the %" PRId64 ". time", attempt);
    return attempt <= times ? PEG_RETRY : PEG_DONE;
}

PEG_PLUGIN(.name = "tries", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle);
