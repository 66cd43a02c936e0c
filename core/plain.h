/* core/plain.h: text from outside, made safe to show in a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PLAIN_H
#define CORE_PLAIN_H

#include <stddef.h>

/**
 * Copy `text` to `room`, cut to `size` bytes with its NUL: nothing is in it
 * that a terminal would obey. Control characters (also those of U+0080 to
 * U+009F), marks that turn the direction of writing, and bytes that are no
 * UTF-8 are shown as '?'.
 *
 * @param size  at least 1
 * @return `room`
 */
const char *plain(const char *text, char *room, size_t size);

#endif
