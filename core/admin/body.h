/* core/admin/body.h: the JSON object of a POST, and its members.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BODY_H
#define CORE_BODY_H

#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct problem;

/** Deepest nesting in a request's body. */
#define BODY_DEPTH_MAX 8

/**
 * Read a body: one JSON object; nothing at all is an empty one.
 *
 * @return RC_OK and *out to cJSON_Delete(); RC_INVALID with a problem; RC_NOMEM
 */
int body_read(struct cJSON **out, const char *text, size_t len,
              struct problem *problem);

/** Refuse members that are not among `names` (blanks between), or twice there.
 * @return RC_OK or RC_INVALID with a problem, as all below */
int body_allow(const struct cJSON *body, const char *names,
               struct problem *problem);

/** A member's text: 1 to `max` bytes without control characters, borrowed.
 * `out` stays as it is when there is none, unless `required`. */
int body_text(const struct cJSON *body, const char *name, size_t max,
              int required, const char **out, struct problem *problem);

int body_bool(const struct cJSON *body, const char *name, int *out,
              struct problem *problem);

/** A whole number. */
int body_number(const struct cJSON *body, const char *name, int64_t min,
                int64_t max, int64_t *out, struct problem *problem);

#endif
