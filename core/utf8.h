/* core/utf8.h: one character of UTF-8 (RFC 3629).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** The character at the beginning of `len` bytes.
 * @param code  set when there is one
 * @return its bytes, 1 to 4; 0 when this is no UTF-8, or `len` is 0 */
size_t utf8_char(const char *text, size_t len, uint32_t *code);

#endif
