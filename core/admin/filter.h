/* core/admin/filter.h: the one language in which lists, replays, discards and
 * the command line say which events they mean.
 *
 * It is a JSON object; a query's parameters are turned into one first, so that
 * the set seen is the set acted on. An unknown member is an error: a mistyped
 * filter must not match everything.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FILTER_H
#define CORE_FILTER_H

#include "inbox/view.h"

#include <stdint.h>

struct cJSON;
struct problem;
struct query;

/** Parameters of a query besides the filter's, which are the caller's: names
 * with blanks between. Puts the filter's into a JSON object.
 * @return RC_OK and *object to cJSON_Delete(); RC_INVALID with a problem;
 *         RC_NOMEM */
int filter_from_query(struct cJSON **object, const struct query *query,
                      const char *others, struct problem *problem);

/**
 * Read a filter.
 *
 * @param filter  its text is borrowed from `object`
 * @param object  NULL is the empty filter
 * @param base    JSON Pointer of the object in a body; NULL: of a query
 * @return RC_OK, or RC_INVALID with a problem
 */
int filter_read(struct view_filter *filter, const struct cJSON *object,
                const char *base, struct problem *problem);

/** The filter as JSON, the same for all ways to write it. NULL when out of
 * memory. */
struct cJSON *filter_json(const struct view_filter *filter);

/** Whether it leaves anything out. */
int filter_narrows(const struct view_filter *filter);

/** A number that tells filters apart. */
uint64_t filter_hash(const struct view_filter *filter);

/** FNV-1a over a text and its NUL, going on from `hash`. */
uint64_t filter_hash_text(uint64_t hash, const char *text);
#define FILTER_HASH_START 14695981039346656037ULL

#endif
