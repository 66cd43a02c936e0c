/* core/plain.c: text from outside, made safe to show in a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character that starts with `lead`; 0 for no such start. */
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

/* The character at `at`, `len` bytes long; 0xfffd if it is none. The text's
 * NUL is no continuation byte, so nothing behind it is read. */
static uint32_t
decode(const unsigned char *at, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (len == 1) {
        return at[0];
    }
    uint32_t code = at[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0xfffd;
        }
        code = code << 6 | (at[i] & 0x3f);
    }
    return code < least[len] || (code >= 0xd800 && code < 0xe000) ? 0xfffd
                                                                  : code;
}

static int
is_obeyed(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
           (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x61c ||
           code == 0xfeff || code > 0x10ffff;
}

const char *
plain(const char *text, char *room, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        size_t len = char_bytes(*at);
        uint32_t code = len == 0 ? 0xfffd : decode(at, len);
        if (code == 0xfffd) {
            len = 1; /* whatever follows may be good again */
        }
        int shown = code != 0xfffd && !is_obeyed(code);
        size_t out = shown ? len : 1;
        if (used + out >= size) {
            break; /* never half a character */
        }
        if (shown) {
            memcpy(room + used, at, len);
        } else {
            room[used] = '?';
        }
        used += out;
        at += len;
    }
    room[used] = '\0';
    return room;
}
