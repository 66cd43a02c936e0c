/* core/cli/pages.h: lists of the API, page by page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PAGES_H
#define CORE_PAGES_H

#include <stdint.h>

struct args;
struct cJSON;
struct client;

#define PAGES_DEFAULT 50

/** --limit and --all: for a command's flag table. */
#define PAGES_FLAGS                                                            \
    {"limit", 0, "N", "show at most so many; default 50"},                     \
    {                                                                          \
        "all", 0, NULL, "show all, page by page"                               \
    }

/** What --limit and --all ask for; 0 is all.
 * @return 0, or EXIT_USAGE after saying what is wrong */
int pages_limit(const struct args *args, int64_t *limit);

/** Called with each page: its first row (NULL for none), go on with ->next.
 * @return 0, or the exit code to leave with */
typedef int pages_fn(void *arg, const struct cJSON *first);

/**
 * Read a list, at least one page of it.
 *
 * @param path   with its query
 * @param limit  rows at most; 0: all
 * @param more   set: whether there are more than the limit; may be NULL
 * @return 0, or an exit code
 */
int pages_read(struct client *client, const char *path, int64_t limit,
               int *more, pages_fn *fn, void *arg);

#endif
