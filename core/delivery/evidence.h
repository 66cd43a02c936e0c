/* core/delivery/evidence.h: the last lines that a runner printed or logged, for
 * whoever asks later why it died.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_EVIDENCE_H
#define CORE_EVIDENCE_H

#include <stddef.h>

#define EVIDENCE_LINES_MAX 20
#define EVIDENCE_BYTES_MAX 2048 /* newlines included */

/** Zero it to start. */
struct evidence {
    char text[EVIDENCE_BYTES_MAX + 1]; /* lines, each with its newline */
    size_t len;
    unsigned lines;
    int is_old; /* said before the event in work: gives way to newer lines */
};

/** An event begins: what was said before it stays only until the first line
 * said during it. */
void evidence_turn(struct evidence *evidence);

/** Forget all: what was said of one event says nothing of the next. */
void evidence_clear(struct evidence *evidence);

/** One more line; the oldest go when there is no room. Control characters
 * become '?', and a line that is too long is cut. */
void evidence_add(struct evidence *evidence, const char *line, size_t len);

#define EVIDENCE_SUMMARY_MAX 640

/** The last of these lines as one, "a | b", with quotation marks made single:
 * to be quoted in a note.
 * @param text  as in struct evidence
 * @param out   EVIDENCE_SUMMARY_MAX + 1 bytes */
void evidence_summary(const char *text, char *out);

#endif
