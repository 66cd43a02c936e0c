/* core/log_value.c: text from outside, made safe for a line of the log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <string.h>

const char *
log_quote(struct log_value *value, const char *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const size_t room = sizeof(value->text) - sizeof("\\u0000...\"");
    char *out = value->text;
    size_t n = 0;

    out[n++] = '"';
    size_t i = 0;
    for (; i < len && n < room; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\') {
            out[n++] = '\\';
            out[n++] = (char)byte;
        } else if (byte < 0x20 || byte >= 0x7f) {
            memcpy(out + n, "\\u00", 4);
            out[n + 4] = hex[byte >> 4];
            out[n + 5] = hex[byte & 15];
            n += 6;
        } else {
            out[n++] = (char)byte;
        }
    }
    if (i < len) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}

const char *
log_word(struct log_value *value, const char *text)
{
    size_t len = strspn(text, "_-.:/0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return len > 0 && text[len] == '\0' ? text
                                        : log_quote(value, text, strlen(text));
}
