/* core/cli/bulk.h: what `replay` and `discard` have in common: count, ask,
 * begin jobs, wait for them. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BULK_H
#define CORE_BULK_H

#include <stdint.h>

struct args;
struct cJSON;

/** More deliveries than that are not touched without being asked. */
#define BULK_ASK_ABOVE 100

/** --reason, --dry-run, --yes, --wait, --no-wait: for a command's flag table.*/
#define BULK_FLAGS                                                             \
    {"reason", 0, "TEXT", "why, for the record; a discard needs it"},          \
        {"dry-run", 'n', NULL, "only count"},                                  \
        {"yes", 'y', NULL, "do not ask"},                                      \
        {"wait", 0, NULL, "until the end; the default on a terminal"},         \
    {                                                                          \
        "no-wait", 0, NULL, "begin, and leave it to the daemon"                \
    }

struct bulk {
    const char *path;  /* "/replays" */
    const char *verb;  /* "replay" */
    const char *ended; /* what moved deliveries are: "discarded"; NULL: they end
                          as done or dead */
    int asks_always;   /* but for ids given one by one */
    /** Add what else belongs into a request's body. @return 0 when out of
     * memory */
    int (*fill)(const struct args *args, struct cJSON *body);
};

/** Do it all. @return an exit code */
int bulk_run(const struct bulk *bulk, const struct args *args);

#endif
