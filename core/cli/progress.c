/* core/cli/progress.c: how far long work is, on standard error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"

#define CLEAR_LINE "\r\033[K"

void
progress_start(struct progress *progress, const struct args *args)
{
    const char *term = getenv("TERM");
    progress->is_quiet = args_count(args, "quiet") > 0;
    progress->is_bar =
        isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    progress->line_ms = clock_mono_ms();
}

const char *
progress_bar(int64_t now, int64_t total, char *room)
{
    int64_t full = total > 0 ? now * PROGRESS_BAR / total : PROGRESS_BAR;
    full = full > PROGRESS_BAR ? PROGRESS_BAR : full < 0 ? 0 : full;
    room[0] = '[';
    memset(room + 1, '#', (size_t)full);
    memset(room + 1 + full, '-', (size_t)(PROGRESS_BAR - full));
    room[PROGRESS_BAR + 1] = ']';
    room[PROGRESS_BAR + 2] = '\0';
    return room;
}

void
progress_show(struct progress *progress, int64_t now, int64_t total,
              const char *title, const char *text)
{
    char bar[PROGRESS_BAR + 3];
    if (progress->is_quiet) {
        return;
    }
    if (progress->is_bar) {
        fprintf(stderr, CLEAR_LINE "%s %s  %lld/%lld  %s", title,
                progress_bar(now, total, bar), (long long)now, (long long)total,
                text);
        fflush(stderr);
    } else if (clock_mono_ms() - progress->line_ms >= PROGRESS_LINE_MS) {
        progress->line_ms = clock_mono_ms();
        fprintf(stderr, "%s  %lld/%lld  %s\n", title, (long long)now,
                (long long)total, text);
    }
}

void
progress_note(const struct progress *progress, const char *text)
{
    if (!progress->is_quiet) {
        fprintf(stderr, "%s%s\n", progress->is_bar ? CLEAR_LINE : "", text);
    }
}

void
progress_stop(struct progress *progress)
{
    if (progress->is_bar && !progress->is_quiet) {
        fputs(CLEAR_LINE, stderr);
        fflush(stderr);
    }
}
