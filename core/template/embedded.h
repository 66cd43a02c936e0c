/* core/template/embedded.h: files that are bytes in the program.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_EMBEDDED_H
#define CORE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;           /* without ".json" or ".in" */
    const unsigned char *bytes; /* not NUL-terminated */
    size_t len;
};

/** The test events, templates/; ends with a row whose name is NULL. */
extern const struct embedded_file embedded_files[];

/** What `pegboard new` makes, sdk/templates/; likewise. */
extern const struct embedded_file embedded_project[];

#endif
