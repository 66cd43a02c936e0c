/* core/template/embedded.h: the files of templates/, as bytes in the program.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_EMBEDDED_H
#define CORE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;           /* without ".json" */
    const unsigned char *bytes; /* not NUL-terminated */
    size_t len;
};

/** All of them; ends with a row whose name is NULL. */
extern const struct embedded_file embedded_files[];

#endif
