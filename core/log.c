/* core/log.c: one line per fact, to standard error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "clock.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static atomic_int shown_level = LOG_INFO;
static atomic_int shown_format = LOG_TEXT;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void
log_setup(enum log_level level, enum log_format format)
{
    if (format == LOG_AUTO) {
        format = isatty(STDERR_FILENO) ? LOG_TEXT : LOG_LOGFMT;
    }
    atomic_store(&shown_level, (int)level);
    atomic_store(&shown_format, (int)format);
}

int
log_enabled(enum log_level level)
{
    return (int)level <=
           atomic_load_explicit(&shown_level, memory_order_relaxed);
}

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

    log_put(STDERR_FILENO, line.text, line.len);
}

/* Held over poll() and a write() that poll() has promised not to wait. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

static int
takes_a_line(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT) != 0;
}

void
log_put(int fd, const char *text, size_t len)
{
    static unsigned long dropped; /* guarded by line_lock */
    pthread_mutex_lock(&line_lock);
    if (!takes_a_line(fd)) {
        dropped++;
    } else {
        if (dropped > 0) {
            char note[96];
            int n = snprintf(note, sizeof(note),
                             "pegboard: %lu lines were dropped here: their "
                             "reader was too slow\n",
                             dropped);
            (void)!write(fd, note, (size_t)n); /* nobody left to tell */
            dropped = 0;
        }
        if (takes_a_line(fd)) {
            (void)!write(fd, text, len);
        } else {
            dropped++;
        }
    }
    pthread_mutex_unlock(&line_lock);
}

const char *
log_quote(struct log_value *value, const char *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const size_t room = sizeof(value->text) - sizeof("\\u0000...\"");
    char *out = value->text;
    size_t n = 0;

    out[n++] = '"';
    size_t i = 0;
    for (; i < len && n < room; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\') {
            out[n++] = '\\';
            out[n++] = (char)byte;
        } else if (byte < 0x20 || byte >= 0x7f) {
            memcpy(out + n, "\\u00", 4);
            out[n + 4] = hex[byte >> 4];
            out[n + 5] = hex[byte & 15];
            n += 6;
        } else {
            out[n++] = (char)byte;
        }
    }
    if (i < len) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}

const char *
log_word(struct log_value *value, const char *text)
{
    size_t len = strspn(text, "_-.:/0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return len > 0 && text[len] == '\0' ? text
                                        : log_quote(value, text, strlen(text));
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
