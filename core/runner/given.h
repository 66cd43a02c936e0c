/* core/runner/given.h: the options that `try` is given, and what the daemon's
 * rules make of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_GIVEN_H
#define CORE_GIVEN_H

#include <stddef.h>

struct manifest; /* plugin/manifest.h */
struct settings; /* runner/settings.h */

#define GIVEN_MAX                                                              \
    256 /* twice what a plugin can declare: --option is stronger */

struct given_option {
    const char *where; /* "pegboard.ini:12", or NULL for --option */
    const char *name;
    size_t name_len;
    const char *value; /* NULL when there is no '=' */
};

/** Zero it to start. */
struct given {
    struct given_option options[GIVEN_MAX];
    size_t count;
    const char *dir; /* of the INI file: paths in it start there */
    char *text;      /* what was read of a descriptor; owned */
};

/** Take one "key=value" of the command line, which is borrowed.
 * @return RC_OK or RC_FULL */
int given_add(struct given *given, const char *pair);

/**
 * Read those of an INI file from `fd`, and close it: the folder of the file,
 * then "FILE:LINE", key and value of each, all with a NUL behind. It is a
 * descriptor because values may be secrets, and everybody can see arguments.
 *
 * @return RC_OK, RC_IO, RC_INVALID, RC_NOMEM or RC_FULL
 */
int given_read(struct given *given, int fd);

/**
 * Check them all against what the plugin declares, read secrets, make paths
 * absolute, add defaults. Every mistake is said on stderr.
 *
 * @return RC_OK, RC_INVALID or RC_NOMEM
 */
int given_settle(const struct given *given, const struct manifest *manifest,
                 struct settings *settings);

void given_fini(struct given *given);

#endif
