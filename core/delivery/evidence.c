/* core/delivery/evidence.c: the last lines that a runner printed or logged.
 * SPDX-License-Identifier: Apache-2.0 */
#include "delivery/evidence.h"

#include <string.h>

/* One line must not push out all others, and must fit in a summary. */
#define LINE_BYTES_MAX 511

_Static_assert(LINE_BYTES_MAX + 1 + 2 * EVIDENCE_LINES_MAX <=
                   EVIDENCE_SUMMARY_MAX,
               "the longest line fits in a summary");

void
evidence_clear(struct evidence *evidence)
{
    evidence->len = 0;
    evidence->lines = 0;
    evidence->text[0] = '\0';
    evidence->is_old = 0;
}

void
evidence_turn(struct evidence *evidence)
{
    evidence->is_old = 1;
}

static void
drop_oldest(struct evidence *evidence)
{
    const char *end = memchr(evidence->text, '\n', evidence->len);
    size_t gone = (size_t)(end - evidence->text) + 1;
    evidence->len -= gone;
    evidence->lines--;
    memmove(evidence->text, evidence->text + gone, evidence->len);
}

/* The largest part of `len` bytes that fits and ends with a character. */
static size_t
cut(const char *line, size_t len)
{
    if (len > LINE_BYTES_MAX) {
        len = LINE_BYTES_MAX;
        while (len > 0 && ((unsigned char)line[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    return len;
}

void
evidence_add(struct evidence *evidence, const char *line, size_t len)
{
    if (evidence->is_old) {
        evidence_clear(evidence);
    }
    len = cut(line, len);
    while (evidence->lines == EVIDENCE_LINES_MAX ||
           evidence->len + len + 1 > EVIDENCE_BYTES_MAX) {
        drop_oldest(evidence);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)line[i];
        evidence->text[evidence->len++] =
            byte < 0x20 || byte == 0x7f ? '?' : line[i];
    }
    evidence->text[evidence->len++] = '\n';
    evidence->text[evidence->len] = '\0';
    evidence->lines++;
}

void
evidence_summary(const char *text, char *out)
{
    /* Room for the bars between lines; the last newline becomes none. */
    size_t room = EVIDENCE_SUMMARY_MAX - 2 * EVIDENCE_LINES_MAX;
    size_t left = strlen(text), len = 0;
    while (left > room) { /* one line alone always fits */
        const char *end = memchr(text, '\n', left);
        left -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    for (; left > 1; text++, left--) {
        if (*text == '\n') {
            memcpy(out + len, " | ", 3);
            len += 3;
        } else {
            out[len++] = (char)(*text == '"' ? '\'' : *text);
        }
    }
    out[len] = '\0';
}
