/* core/error.h: result codes and the text that explains a failure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

/** What a fallible function returns: RC_OK or one of these, all negative. */
enum rc {
    RC_OK = 0,
    RC_NOMEM = -1,
    RC_IO = -2,      /* a file, socket or process call failed */
    RC_INVALID = -3, /* outside input breaks a rule */
    RC_NOT_FOUND = -4,
    RC_FULL = -5, /* no room: disk, queue or a bound of ours */
    RC_BUSY = -6, /* not now; nothing happened, try later */
    RC_TIMEOUT = -7,
    RC_CORRUPT = -8, /* stored data cannot be trusted: stop */
    RC_UNKNOWN = -9, /* a commit may or may not have happened */
    RC_CLOSED = -10, /* the other side is gone, or we are stopping */
};

#define ERROR_TEXT_MAX 512

/** The text of a failure, for people: what, where, why, what to do. */
struct error {
    int rc;
    char text[ERROR_TEXT_MAX];
};

/**
 * Note a failure in `err` and return `rc`, so that a caller can write
 * `return error_set(err, RC_IO, "...")`. Too long a text is cut.
 *
 * @param err  may be NULL: then only the code travels
 */
int error_set(struct error *err, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** As error_set(), with ": " and the text of `errnum` put behind. */
int error_errno(struct error *err, int rc, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** The code's stable name, as in logs: "io", "full", ... Never NULL. */
const char *rc_name(int rc);

#endif
