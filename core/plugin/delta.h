/* core/plugin/delta.h: what a new generation changes, for people.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DELTA_H
#define CORE_DELTA_H

#include <stddef.h>

struct generation;

enum delta_kind {
    DELTA_ADDED = 0,   /* "+" */
    DELTA_REMOVED = 1, /* "-" */
    DELTA_ROLLED = 2,  /* "~" a plugin gets new runners */
    DELTA_SET = 3,     /* "=" a key has another value; nothing is restarted */
    DELTA_REFUSED = 4, /* "!" a key that only a restart can change */
};

struct delta_item {
    enum delta_kind kind;
    char what[96]; /* "plugin receipts", "endpoint main", "server.max_body" */
    char detail[320]; /* "code 3f21..., 1.0 -> 9ab0..., 1.1; timeout 30s -> 5s",
                         "1M -> 2M", "" */
};

/** End with delta_fini(). */
struct delta {
    struct delta_item *items;
    size_t count;
    size_t refused; /* of kind DELTA_REFUSED */
    int out_of_memory;
};

/**
 * Fill it in: plugins and endpoints that come and go, plugins whose runners are
 * replaced (fingerprints differ) with the reasons, and every other key.
 *
 * @param was  NULL: nothing served before
 * @return RC_OK or RC_NOMEM
 */
int delta_make(struct delta *delta, const struct generation *was,
               const struct generation *is);
void delta_fini(struct delta *delta);

/** "added", "removed", "rolled", "set", "refused". */
const char *delta_kind_name(enum delta_kind kind);

#endif
