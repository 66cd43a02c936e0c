/* core/error.c: result codes and the text that explains a failure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
error_set(struct error *err, int rc, const char *fmt, ...)
{
    if (err != NULL) {
        err->rc = rc;
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }
    return rc;
}

int
error_errno(struct error *err, int rc, int errnum, const char *fmt, ...)
{
    if (err != NULL) {
        /* Formatted aside first: an argument may be err->text itself. */
        char what[ERROR_TEXT_MAX];
        va_list args;
        va_start(args, fmt);
        vsnprintf(what, sizeof(what), fmt, args);
        va_end(args);

        char why[128];
        error_set(err, rc, "%.380s: %s", what,
                  strerror_r(errnum, why, sizeof(why)));
    }
    return rc;
}

const char *
rc_name(int rc)
{
    switch ((enum rc)rc) {
    case RC_OK:
        return "ok";
    case RC_NOMEM:
        return "no_memory";
    case RC_IO:
        return "io";
    case RC_INVALID:
        return "invalid";
    case RC_NOT_FOUND:
        return "not_found";
    case RC_FULL:
        return "full";
    case RC_BUSY:
        return "busy";
    case RC_TIMEOUT:
        return "timeout";
    case RC_CORRUPT:
        return "corrupt";
    case RC_UNKNOWN:
        return "unknown";
    case RC_CLOSED:
        return "closed";
    }
    return "?";
}
