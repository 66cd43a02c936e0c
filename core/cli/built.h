/* core/cli/built.h: is a linker done with this file?
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILT_H
#define CORE_BUILT_H

#include "stripe/digest.h"

enum built {
    BUILT_ABSENT = 0, /* there is no such file, or folder */
    BUILT_PARTLY = 1, /* not a whole shared object, or still being written */
    BUILT_WHOLE = 2,
};

/**
 * Look at the plugin file at `path`, following links. Never blocks.
 *
 * @param digest  of the bytes that are there; left alone when it is absent
 */
enum built built_look(const char *path, unsigned char digest[DIGEST_BYTES]);

/** Look at all plugin files in the folder at `path`: partly when one of them
 * is.
 * @param digest  of their names and bytes; likewise */
enum built built_look_folder(const char *path,
                             unsigned char digest[DIGEST_BYTES]);

/** Whether autoload would take a file of that name: "hello.so". */
int built_is_plugin(const char *name);

#endif
