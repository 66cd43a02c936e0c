/* core/cli/progress.h: how far long work is, on standard error: a bar on a
 * terminal, elsewhere a line every ten seconds.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdint.h>

struct args;

#define PROGRESS_LINE_MS 10000
#define PROGRESS_BAR     32 /* characters */

struct progress {
    int is_quiet, is_bar;
    int64_t line_ms; /* monotonic: when the last line was printed */
};

void progress_start(struct progress *progress, const struct args *args);

/** Show `now` of `total` and what else there is to say, if it is time. */
void progress_show(struct progress *progress, int64_t now, int64_t total,
                   const char *title, const char *text);

/** Say something in a line of its own. */
void progress_note(const struct progress *progress, const char *text);

/** Take the bar away. */
void progress_stop(struct progress *progress);

/** The bar alone: "[####----]". @param room  PROGRESS_BAR + 3 bytes */
const char *progress_bar(int64_t now, int64_t total, char *room);

#endif
