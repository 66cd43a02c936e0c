/* core/stripe/catalog.h: the event types that Stripe documents.
 *
 * The set grows every month: the catalogue helps people (completion, "did you
 * mean", test events) and never decides what is accepted.
 * Source: npm package stripe 23.1.0, API version 2026-10-28.endive.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CATALOG_H
#define CORE_CATALOG_H

#include <stddef.h>

enum catalog_family { CATALOG_SNAPSHOT = 0, CATALOG_THIN = 1 };

struct catalog_type {
    const char *name;   /* "charge.dispute.created" */
    const char *object; /* what data.object is: "dispute"; several joined by
                           '|'; "" when a thin event has none */
    enum catalog_family family;
};

/** All types, sorted by name. */
const struct catalog_type *catalog_all(size_t *count);

/** The entry of that name, or NULL. */
const struct catalog_type *catalog_find(const char *name);

/** The known name nearest to a misspelled one, or NULL if none is near. A
 * pattern ("invoce.*") is compared with the known prefixes and answered as a
 * pattern, written to `room`.
 * @param room  at least 128 bytes */
const char *catalog_nearest(const char *name, char *room, size_t room_size);

/** Whether a pattern covers at least one known type. */
int catalog_pattern_known(const char *pattern);

#endif
