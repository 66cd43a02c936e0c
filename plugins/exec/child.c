/* plugins/exec/child.c: a handler process as the plugin sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Reads of what stands in a pipe: more than one holds. */
#define READS_MAX 128

#define NOEXEC_SEAL 8U /* MFD_NOEXEC_SEAL, where headers are older */

/* A pipe takes no more at once, mostly. */
#define CHUNK_BYTES 65536

int64_t
child_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
close_end(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* ---- Start ---------------------------------------------------------- */

/* Ours and the other end; ours does not block. */
static int
open_pipe(int *ours, int *other, int ours_writes)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    *ours = ends[ours_writes];
    *other = ends[!ours_writes];
    return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int
write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return lseek(fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

/* A file in memory: unlike a pipe it has all of the event, or is not there. */
static int
open_input(const char *bytes, size_t len)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < len) {
        errno = EFBIG; /* else a signal says so */
        return -1;
    }
    int fd = memfd_create("event", MFD_CLOEXEC | NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) { /* before Linux 6.3 */
        fd = memfd_create("event", MFD_CLOEXEC);
    }
    if (fd >= 0 && write_all(fd, bytes, len) != 0) {
        close_end(&fd);
    }
    return fd;
}

static void
close_all(struct child *child)
{
    close_end(&child->in);
    close_end(&child->out);
    close_end(&child->err);
    close_end(&child->report);
}

int
child_start(struct child *child, const struct program *program,
            char *const env[], const char *input, size_t len)
{
    int ends[4] = {-1, -1, -1, -1};
    child->in = child->out = child->err = child->report = -1;
    child->rest_len = child->out_len = child->err_len = 0;
    child->ended = child->lost = 0;
    pid_t keeper = -1;
    if ((input == NULL ? open_pipe(&child->in, &ends[0], 1)
                       : (ends[0] = open_input(input, len))) >= 0 &&
        open_pipe(&child->out, &ends[1], 0) == 0 &&
        open_pipe(&child->err, &ends[2], 0) == 0 &&
        open_pipe(&child->report, &ends[3], 0) == 0) {
        keeper = keeper_start(program, env, ends, ends[3]);
    }
    int saved = errno;
    for (int i = 0; i < 4; i++) {
        close_end(&ends[i]);
    }
    if (keeper < 0) {
        close_all(child);
        errno = saved;
        return -1;
    }
    child->keeper = keeper;
    return 0;
}

int
child_is_alive(const struct child *child)
{
    return child->keeper > 0;
}

/* ---- Bytes ---------------------------------------------------------- */

void
child_send(struct child *child, const char *bytes, size_t len)
{
    child->rest = bytes;
    child->rest_len = len;
}

void
child_close(struct child *child)
{
    child->rest_len = 0;
    close_end(&child->in);
}

/* A handler that reads no further is no reason for us to end: SIGPIPE is kept
 * from us, but not from the plugin's whole process. */
static ssize_t
write_quietly(int fd, const char *bytes, size_t len)
{
    static const struct timespec now = {0, 0};
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t n = write(fd, bytes, len);
    int saved = errno;
    if (n < 0 && saved == EPIPE) {
        sigtimedwait(&pipe, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return n;
}

static void
send_some(struct child *child)
{
    size_t most = child->rest_len < CHUNK_BYTES ? child->rest_len : CHUNK_BYTES;
    ssize_t n = write_quietly(child->in, child->rest, most);
    if (n >= 0) {
        child->rest += n;
        child->rest_len -= (size_t)n;
    } else if (errno != EAGAIN && errno != EINTR) {
        child_close(child); /* it does not want to know more */
    }
}

/* ---- Lines ---------------------------------------------------------- */

static void
pass_line(struct child *child, enum child_stream from)
{
    char *line = from == CHILD_OUT ? child->out_line : child->err_line;
    size_t *len = from == CHILD_OUT ? &child->out_len : &child->err_len;
    size_t room = from == CHILD_OUT ? CHILD_OUT_MAX : CHILD_ERR_MAX;
    int is_cut = *len > room;
    size_t kept = is_cut ? room : *len;
    *len = 0;
    line[kept] = '\0';
    child->fn(child->arg, from, line, kept, is_cut);
}

static void
take_byte(struct child *child, enum child_stream from, char byte)
{
    char *line = from == CHILD_OUT ? child->out_line : child->err_line;
    size_t *len = from == CHILD_OUT ? &child->out_len : &child->err_len;
    size_t room = from == CHILD_OUT ? CHILD_OUT_MAX : CHILD_ERR_MAX;
    if (byte == '\n') {
        pass_line(child, from);
        return;
    }
    if (*len < room) {
        line[(*len)++] = byte == '\0' ? '?' : byte;
    } else {
        *len = room + 1;
    }
}

/* @return whether there was something, and perhaps more */
static int
read_some(struct child *child, enum child_stream from)
{
    char bytes[CHUNK_BYTES / 4];
    int *fd = from == CHILD_OUT ? &child->out : &child->err;
    ssize_t n = *fd < 0 ? 0 : read(*fd, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < n; i++) {
        take_byte(child, from, bytes[i]);
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close_end(fd);
    }
    return n > 0;
}

static void
read_all(struct child *child, enum child_stream from)
{
    for (int n = 0; n < READS_MAX && read_some(child, from); n++) {
    }
}

/* ---- Its end -------------------------------------------------------- */

static void
collect(struct child *child)
{
    while (waitpid(child->keeper, NULL, 0) < 0 && errno == EINTR) {
    }
    keeper_sweep();
    read_all(child, CHILD_ERR);
    read_all(child, CHILD_OUT);
    if (child->err_len > 0) {
        pass_line(child, CHILD_ERR);
    }
    close_all(child);
    child->keeper = 0;
    child->rest_len = 0;
    child->ended = 1;
}

static void
hear_report(struct child *child)
{
    ssize_t n = read(child->report, &child->end, sizeof(child->end));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    child->lost = n != (ssize_t)sizeof(child->end);
    collect(child);
}

void
child_flush(struct child *child)
{
    if (child->out_len > 0) {
        pass_line(child, CHILD_OUT);
    }
}

/* ---- Turns ---------------------------------------------------------- */

void
child_turn(struct child *child, int64_t until_ms)
{
    int64_t wait_ms = until_ms - child_now_ms();
    wait_ms = wait_ms > 0 ? wait_ms : 0;
    struct pollfd fds[4] = {
        {.fd = child->rest_len > 0 ? child->in : -1, .events = POLLOUT},
        {.fd = child->err, .events = POLLIN},
        {.fd = child->out, .events = POLLIN},
        {.fd = child->report, .events = POLLIN}};
    int n = poll(fds, 4, wait_ms < INT_MAX ? (int)wait_ms : INT_MAX);
    if (n <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        send_some(child);
    }
    /* What it logged before it answered comes before the answer, all of it. */
    if (fds[1].revents != 0 || fds[2].revents != 0) {
        read_all(child, CHILD_ERR);
    }
    if (fds[2].revents != 0) {
        read_some(child, CHILD_OUT);
    }
    if (fds[3].revents != 0) {
        hear_report(child);
    }
}

int
child_finish(struct child *child, int64_t term_ms, int64_t kill_ms)
{
    int told = 0;
    int64_t report_ms = kill_ms + (kill_ms - term_ms) / 2;
    while (child_is_alive(child)) {
        int64_t now_ms = child_now_ms();
        if (told == 0 && now_ms >= term_ms) {
            kill(child->keeper, KEEPER_TERM);
            told = 1;
        }
        if (told == 1 && now_ms >= kill_ms) {
            kill(child->keeper, KEEPER_KILL);
            told = 2;
        }
        if (told == 2 && now_ms >= report_ms) {
            kill(child->keeper, SIGKILL); /* it cannot do its work */
            child->lost = 1;
            collect(child);
            break;
        }
        child_turn(child, told == 0   ? term_ms
                          : told == 1 ? kill_ms
                                      : report_ms);
    }
    return told > 0;
}
