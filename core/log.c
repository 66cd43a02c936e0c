/* core/log.c: one line per fact, to standard error or a file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "clock.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static atomic_int shown_level = LOG_INFO;
static atomic_int shown_format = LOG_TEXT; /* never LOG_AUTO */

static struct {
    pthread_mutex_t lock; /* guards all; held over poll() and a write() that
                             poll() has promised not to wait */
    int fd;
    enum log_format format; /* as asked for */
    unsigned long dropped;  /* lines, since the last one that was written */
    int torn_fd;            /* its last line is not whole; -1: none */
} sink = {PTHREAD_MUTEX_INITIALIZER, STDERR_FILENO, LOG_TEXT, 0, -1};

static struct {
    pthread_mutex_t lock; /* held over opening it; taken before sink.lock */
    char *path;           /* NULL: standard error */
} file = {PTHREAD_MUTEX_INITIALIZER, NULL};

static void
settle_format_locked(void)
{
    enum log_format format = sink.format;
    if (format == LOG_AUTO) {
        format = isatty(sink.fd) ? LOG_TEXT : LOG_LOGFMT;
    }
    atomic_store(&shown_format, (int)format);
}

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void
log_setup(enum log_level level, enum log_format format)
{
    atomic_store(&shown_level, (int)level);
    pthread_mutex_lock(&sink.lock);
    sink.format = format;
    settle_format_locked();
    pthread_mutex_unlock(&sink.lock);
}

int
log_enabled(enum log_level level)
{
    return (int)level <=
           atomic_load_explicit(&shown_level, memory_order_relaxed);
}

/* ---- Where lines go ------------------------------------------------- */

static int
takes_a_line(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT) != 0;
}

/* A file on a full disk takes nothing, or a part. Returns whether all went. */
static int
put_locked(int fd, const char *text, size_t len)
{
    ssize_t n = takes_a_line(fd) ? write(fd, text, len) : -1;
    if (n > 0 && (size_t)n < len) {
        sink.torn_fd = fd;
    }
    return n == (ssize_t)len;
}

/* Tell of lines that are missing. */
static int
put_note_locked(int fd)
{
    char note[96];
    int n = snprintf(note, sizeof(note),
                     "pegboard: %lu lines were dropped here: they could not be "
                     "written\n",
                     sink.dropped);
    if (!put_locked(fd, note, (size_t)n)) {
        return 0;
    }
    sink.dropped = 0;
    return 1;
}

static void
put_line_locked(int fd, const char *line, size_t len)
{
    if (sink.torn_fd == fd && put_locked(fd, "\n", 1)) {
        sink.torn_fd = -1;
    }
    if (sink.torn_fd == fd || (sink.dropped > 0 && !put_note_locked(fd)) ||
        !put_locked(fd, line, len)) {
        sink.dropped++;
    }
}

void
log_put(int fd, const char *line, size_t len)
{
    pthread_mutex_lock(&sink.lock);
    put_line_locked(fd, line, len);
    pthread_mutex_unlock(&sink.lock);
}

/* ---- Lines ---------------------------------------------------------- */

/* A line under construction. `len` never passes the room that is kept for the
 * end of the line. */
struct line {
    char text[LOG_LINE_MAX];
    size_t len;
};

#define LINE_ROOM (LOG_LINE_MAX - 4)

static void
line_byte(struct line *line, char byte)
{
    if (line->len < LINE_ROOM) {
        line->text[line->len++] = byte;
    }
}

static void
line_text(struct line *line, const char *text)
{
    while (*text != '\0') {
        line_byte(line, *text++);
    }
}

static void
line_json_string(struct line *line, const char *text, size_t len)
{
    line_byte(line, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            line_byte(line, '\\');
        }
        line_byte(line, text[i]);
    }
    line_byte(line, '"');
}

/* Rewrite `key=value key="quoted"` as JSON members. log_quote() leaves only
 * escapes that JSON has too. */
static void
line_json_fields(struct line *line, const char *fields)
{
    const char *at = fields;
    while (*at != '\0') {
        size_t key_len = strcspn(at, "= ");
        if (at[key_len] != '=') {
            at += key_len + (at[key_len] == ' ');
            continue;
        }
        line_byte(line, ',');
        line_json_string(line, at, key_len);
        line_byte(line, ':');
        at += key_len + 1;
        if (*at == '"') {
            const char *end = at + 1;
            while (*end != '\0' && *end != '"') {
                end += *end == '\\' && end[1] != '\0' ? 2 : 1;
            }
            end += *end == '"';
            while (at < end) {
                line_byte(line, *at++);
            }
        } else {
            size_t value_len = strcspn(at, " ");
            line_json_string(line, at, value_len);
            at += value_len;
        }
        at += *at == ' ';
    }
}

static void
line_stamp(struct line *line, enum log_format format)
{
    int64_t now_ms = clock_wall_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm tm;
    char stamp[40];
    if (format == LOG_TEXT) {
        localtime_r(&now_s, &tm);
        strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
    } else {
        gmtime_r(&now_s, &tm);
        size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(stamp + n, sizeof(stamp) - n, ".%03dZ", (int)(now_ms % 1000));
    }
    line_text(line, stamp);
}

static void
line_format(struct line *line, enum log_format format, enum log_level level,
            const char *module, const char *text, const char *fields)
{
    if (format == LOG_JSON) {
        line_text(line, "{\"ts\":\"");
        line_stamp(line, format);
        line_text(line, "\",\"level\":\"");
        line_text(line, level_names[level]);
        line_text(line, "\",\"module\":\"");
        line_text(line, module);
        line_text(line, "\",\"msg\":");
        line_json_string(line, text, strlen(text));
        line_json_fields(line, fields);
        line_byte(line, '}');
        return;
    }
    if (format == LOG_LOGFMT) {
        line_text(line, "ts=");
        line_stamp(line, format);
        line_text(line, " level=");
        line_text(line, level_names[level]);
        line_text(line, " module=");
        line_text(line, module);
        line_text(line, " msg=\"");
        line_text(line, text);
        line_byte(line, '"');
    } else {
        line_stamp(line, format);
        line_byte(line, ' ');
        line_text(line, level_names[level]);
        line_byte(line, ' ');
        line_text(line, module);
        line_text(line, ": ");
        line_text(line, text);
    }
    if (fields[0] != '\0') {
        line_byte(line, ' ');
        line_text(line, fields);
    }
}

void
log_write(enum log_level level, const char *module, const char *text,
          const char *fields, ...)
{
    if (!log_enabled(level)) {
        return;
    }
    char pairs[LOG_LINE_MAX] = "";
    if (fields != NULL) {
        va_list args;
        va_start(args, fields);
        vsnprintf(pairs, sizeof(pairs), fields, args);
        va_end(args);
    }

    struct line line = {.len = 0};
    line_format(&line, (enum log_format)atomic_load(&shown_format), level,
                module, text, pairs);
    line.text[line.len++] = '\n';

    pthread_mutex_lock(&sink.lock);
    put_line_locked(sink.fd, line.text, line.len);
    pthread_mutex_unlock(&sink.lock);
}

/* ---- The file ------------------------------------------------------- */

/* With 0640 whatever the umask, which is for secrets: others of the group may
 * collect logs. Returns -1 with errno set. */
static int
open_file(const char *path)
{
    const int flags =
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags | O_EXCL, 0640);
    if (fd >= 0) {
        (void)fchmod(fd, 0640); /* a file system without modes is good, too */
        return fd;
    }
    return errno == EEXIST ? open(path, flags, 0640) : -1;
}

static void
switch_to(int fd)
{
    pthread_mutex_lock(&sink.lock);
    int old = sink.fd;
    sink.fd = fd;
    if (sink.torn_fd == old) {
        sink.torn_fd = -1;
    }
    settle_format_locked();
    if (old != STDERR_FILENO) {
        close(old);
    }
    pthread_mutex_unlock(&sink.lock);
}

static int
open_and_switch(const char *path, struct error *err)
{
    int fd = path != NULL ? open_file(path) : STDERR_FILENO;
    if (fd < 0) {
        return error_errno(err, RC_IO, errno, "cannot open the log's file %s",
                           path);
    }
    switch_to(fd);
    return RC_OK;
}

int
log_open_file(const char *path, struct error *err)
{
    char *copy = path != NULL ? strdup(path) : NULL;
    if (path != NULL && copy == NULL) {
        return error_set(err, RC_NOMEM, "log: out of memory");
    }
    pthread_mutex_lock(&file.lock);
    int rc = open_and_switch(path, err);
    if (rc == RC_OK) {
        char *old = file.path;
        file.path = copy;
        copy = old;
    }
    pthread_mutex_unlock(&file.lock);
    free(copy);
    return rc;
}

int
log_reopen(struct error *err)
{
    pthread_mutex_lock(&file.lock);
    struct error failure = {.text = ""};
    int rc = open_and_switch(file.path, &failure);
    pthread_mutex_unlock(&file.lock);
    if (rc != RC_OK) {
        struct log_value text;
        log_write(LOG_ERROR, "log", "cannot be opened anew",
                  "detail=%s action=lines_go_where_they_went",
                  log_quote(&text, failure.text, strlen(failure.text)));
        error_set(err, rc, "%s", failure.text);
    }
    return rc;
}

int
log_limit_pass(struct log_limit *limit, unsigned *dropped)
{
    long long now_s = clock_mono_ms() / 1000;
    long long window_s = atomic_load(&limit->window_s);
    if (window_s != now_s &&
        atomic_compare_exchange_strong(&limit->window_s, &window_s, now_s)) {
        atomic_store(&limit->count, 0);
    }
    unsigned per_s = limit->per_s > 0 ? limit->per_s : LOG_LIMIT_PER_S;
    if (atomic_fetch_add(&limit->count, 1) >= per_s) {
        atomic_fetch_add(&limit->dropped, 1);
        return 0;
    }
    *dropped = atomic_exchange(&limit->dropped, 0);
    return 1;
}
