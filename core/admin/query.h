/* core/admin/query.h: what stands behind the '?', decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

#include <stddef.h>

struct problem;

#define QUERY_PAIRS_MAX 160
#define QUERY_BYTES_MAX 12288 /* a request's head is at most 16 KiB */

struct query_pair {
    const char *name, *value;
};

/** End with query_fini(). */
struct query {
    char *room; /* that the pairs point into */
    size_t count;
    struct query_pair pairs[QUERY_PAIRS_MAX];
};

/**
 * Decode percent escapes of `from`, `len` bytes, into `out`, which has room for
 * len + 1. '+' stays itself: no value here has a blank, and times have a plus.
 *
 * @return RC_OK; RC_INVALID for broken escapes, and for bytes outside printable
 *         ASCII, which no id, type or name has
 */
int query_decode(const char *from, size_t len, char *out);

/** Read a query; NULL is an empty one.
 * @return RC_OK, RC_INVALID with a problem, or RC_NOMEM */
int query_read(struct query *query, const char *text, struct problem *problem);

void query_fini(struct query *query);

/** Whether `word` is one of the `words` with blanks between. */
int query_word_in(const char *words, const char *word);

/** Refuse parameters that are not among `names`.
 * @return RC_OK or RC_INVALID with a problem */
int query_allow(const struct query *query, const char *names,
                struct problem *problem);

/** The value of a parameter, or NULL. */
const char *query_value(const struct query *query, const char *name);

/** As query_value(), for a parameter that is "true" or "false".
 * @return RC_OK or RC_INVALID with a problem */
int query_bool(const struct query *query, const char *name, int *out,
               struct problem *problem);

#endif
