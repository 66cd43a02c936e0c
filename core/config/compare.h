/* core/config/compare.h: what differs between two configurations, key by key.
 *
 * Keys are compared by what they mean, not how they are written: 60s is 1m.
 * Secrets are compared by their value, and never shown.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_COMPARE_H
#define CORE_COMPARE_H

#include "config/options.h"

struct config;

enum compare_kind {
    COMPARE_ADDED = 0,   /* a whole section: key is NULL */
    COMPARE_REMOVED = 1, /* likewise */
    COMPARE_CHANGED = 2  /* a key */
};

struct compare_item {
    enum compare_kind kind;
    const struct option *option; /* its section, key, and how it applies; of a
                                    section the first of its keys */
    const char *name;            /* of the endpoint or plugin; NULL */
    const char *key;             /* as written ("env.TZ"), or an option that the
                                    plugin declares ("options.greeting"); NULL */
    const char *was, *is; /* as people write them; NULL: not to be shown */
};

typedef void compare_fn(void *arg, const struct compare_item *item);

/** Tell `fn` of every difference; both are without mistakes. Plugins that are
 * not enabled, or have no file, count as absent; files are not compared, and
 * the path of one that was pinned neither. */
void config_compare(const struct config *was, const struct config *is,
                    compare_fn *fn, void *arg);

#endif
