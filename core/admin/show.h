/* core/admin/show.h: rows of the inbox as JSON.
 *
 * All return NULL when out of memory. Times are RFC 3339 in UTC, or null.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SHOW_H
#define CORE_SHOW_H

#include "inbox/view.h"

#include <stdint.h>

struct cJSON;

struct cJSON *show_event(const struct view_event *row);
struct cJSON *show_delivery(const struct view_delivery *row);
struct cJSON *show_attempt(const struct view_attempt *row);
struct cJSON *show_receipt(const struct view_receipt *row);
struct cJSON *show_dead(const struct view_dead *row);

/** An empty list: {"object":"list","data":[],"has_more":false}. */
struct cJSON *show_list(void);

/** Put a row into a list, taking it over. @return 0, or 1 when out of memory */
int show_push(struct cJSON *list, struct cJSON *row);

/** Members of an object: null for 0 ms, null for "", seconds of ms or us. */
void show_time(struct cJSON *object, const char *name, int64_t ms);
void show_text(struct cJSON *object, const char *name, const char *text);
void show_number(struct cJSON *object, const char *name, int64_t number);
void show_seconds(struct cJSON *object, const char *name, int64_t us);

/** Text of a list of names. */
void show_names(struct cJSON *object, const char *name, char *const *names,
                size_t count);

#endif
