/* core/plain.c: text from outside, made safe to show in a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include "utf8.h"

#include <stdint.h>
#include <string.h>

static int
is_obeyed(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
           (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x61c ||
           code == 0xfeff;
}

const char *
plain(const char *text, char *room, size_t size)
{
    const char *at = text;
    size_t used = 0;
    while (*at != '\0') {
        uint32_t code = 0;
        size_t len = utf8_char(at, strnlen(at, 4), &code);
        int shown = len > 0 && !is_obeyed(code);
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
        at += len > 0 ? len : 1; /* whatever follows may be good again */
    }
    room[used] = '\0';
    return room;
}
