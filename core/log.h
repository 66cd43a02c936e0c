/* core/log.h: one line per fact, to standard error or a file.
 *
 * A line has a time, a level, a module, a fixed text in lower case, and fields:
 *   log_write(LOG_WARN, "inbox", "commit failed", "rc=%s action=%s", ...)
 * Values from outside go through log_quote() or log_word(), which escape and
 * cut them.
 * Secrets, signatures and bodies are never logged.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/** `error` needs a person, `warn` may, `info` is lifecycle, `debug` per event
 */
enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

/** LOG_AUTO is text on a terminal and logfmt elsewhere. */
enum log_format { LOG_AUTO = 0, LOG_TEXT = 1, LOG_LOGFMT = 2, LOG_JSON = 3 };

/** Set what is shown and how. Safe at any time and from any thread. */
void log_setup(enum log_level level, enum log_format format);

/**
 * Add lines to the end of this file from now on; it is made if absent. From any
 * thread.
 *
 * @param path  copied; NULL: standard error
 * @return RC_OK; RC_IO or RC_NOMEM, and lines go where they went before
 */
int log_open_file(const char *path, struct error *err);

/** Open the file again, by its path: what was open may have been renamed to
 * make room. Returns as log_open_file(), and a line tells of a failure. */
int log_reopen(struct error *err);

/** Whether lines of `level` are shown: lets a caller save costly arguments. */
int log_enabled(enum log_level level);

/**
 * Write one line. Thread-safe; the line leaves in a single write().
 *
 * @param module  the noun that speaks: "inbox", "http", ...
 * @param text    fixed text, never built from data, so that lines group
 * @param fields  printf format of `key=value` pairs, or NULL. A value with a
 *                blank must come from log_quote().
 */
void log_write(enum log_level level, const char *module, const char *text,
               const char *fields, ...) __attribute__((format(printf, 4, 5)));

/**
 * Write a whole line, its newline included, without ever waiting for whoever
 * reads `fd`: a pipe or a disk that is full costs the line, not the daemon.
 * What was dropped is counted, and told with the next line that fits.
 *
 * @param len  at most 4096, which a pipe takes in one piece
 */
void log_put(int fd, const char *line, size_t len);

#define LOG_QUOTE_MAX 256

/** Room for one value made safe by log_quote(). */
struct log_value {
    char text[LOG_QUOTE_MAX];
};

/**
 * Make `len` bytes from outside safe as a field's value: in double quotes,
 * control and non-ASCII bytes, quotes and backslashes escaped, cut with "..."
 * when too long. Returns value->text.
 */
const char *log_quote(struct log_value *value, const char *bytes, size_t len);

/** As log_quote(), but letters, digits and _-.:/ alone stay bare: for ids from
 * outside, which usually are just that. Returns value->text or `text`. */
const char *log_word(struct log_value *value, const char *text);

/** A bound on how often a line that outsiders can cause is written. */
struct log_limit {
    unsigned per_s;        /* 0 for LOG_LIMIT_PER_S */
    atomic_llong window_s; /* the second that `count` counts */
    atomic_uint count;
    atomic_uint dropped;
};

#define LOG_LIMIT_PER_S 20

/**
 * Whether one more line may be written in this second.
 *
 * @param dropped  set to the number of lines kept back since the last allowed
 *                 one; the caller shows it as `dropped=N` when not 0
 * @return 1 to write, 0 to drop (and count)
 */
int log_limit_pass(struct log_limit *limit, unsigned *dropped);

#endif
