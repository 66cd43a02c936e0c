/* core/config/secret.h: references to secrets, and what they lead to.
 *
 * file:PATH  refused when others may read it
 * env:NAME
 * anything else is the secret itself, accepted with a warning
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include <stddef.h>

struct error;

#define SECRET_MAX 4096

/** A secret's text; end with secret_fini(), which cleanses it. */
struct secret {
    char *text; /* NUL-terminated */
    size_t len;
    int trimmed; /* white space was cut off its ends */
    int literal; /* it stood in the file itself */
};

/**
 * Read what `reference` leads to.
 *
 * @param dir  folder that a relative file:PATH is relative to
 * @return RC_OK, RC_INVALID (blank, unset, too long, readable by others, white
 *         space inside), RC_IO, RC_NOMEM
 */
int secret_read(struct secret *secret, const char *reference, const char *dir,
                struct error *err);

/** The same of an option of a plugin, which may be of several words, as
 * "Authorization: Bearer ..." is: blanks inside are good. */
int secret_read_line(struct secret *secret, const char *reference,
                     const char *dir, struct error *err);

void secret_fini(struct secret *secret);

#endif
