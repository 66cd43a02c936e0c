/* core/utf8.c: one character of UTF-8.
 * SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

/* Bytes of the character that starts with `lead`; 0 for no such start. */
static size_t
char_bytes(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        return 3;
    }
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

size_t
utf8_char(const char *text, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = len > 0 ? char_bytes(at[0]) : 0;
    if (bytes == 0 || bytes > len) {
        return 0;
    }
    uint32_t found = bytes == 1 ? at[0] : at[0] & (0xffU >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        found = found << 6 | (at[i] & 0x3f);
    }
    if (found < least[bytes] || (found >= 0xd800 && found < 0xe000) ||
        found > 0x10ffff) {
        return 0;
    }
    *code = found;
    return bytes;
}
