/* core/admin/cursor.c: where a list goes on.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/cursor.h"

#include "admin/filter.h"
#include "admin/problem.h"
#include "error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_DIGITS 16

static uint64_t
list_hash(const struct view_filter *filter, int oldest_first)
{
    return filter_hash_text(filter_hash(filter), oldest_first ? "asc" : "desc");
}

const char *
cursor_write(char *out, const struct view_filter *filter, int oldest_first,
             int64_t seq)
{
    snprintf(out, CURSOR_MAX, "%016" PRIx64 "%" PRIx64,
             list_hash(filter, oldest_first), (uint64_t)seq);
    return out;
}

int
cursor_read(const char *text, const struct view_filter *filter,
            int oldest_first, int64_t *seq, struct problem *problem)
{
    char hash[HASH_DIGITS + 1];
    size_t len = strlen(text);
    if (len <= HASH_DIGITS || len > HASH_DIGITS + 15 ||
        strspn(text, "0123456789abcdef") != len) {
        problem_set(problem, PROBLEM_PARAMETER,
                    "\"cursor\" is not one that we gave");
        problem_blame(problem, NULL, "cursor", NULL);
        return RC_INVALID;
    }
    snprintf(hash, sizeof(hash), "%016" PRIx64,
             list_hash(filter, oldest_first));
    if (memcmp(hash, text, HASH_DIGITS) != 0) {
        problem_set(problem, PROBLEM_CURSOR,
                    "this cursor belongs to a list with another filter or "
                    "order");
        problem_hint(problem, "begin again without a cursor");
        return RC_INVALID;
    }
    *seq = (int64_t)strtoull(text + HASH_DIGITS, NULL, 16);
    return RC_OK;
}
