/* core/cli/field.h: members of the API's answers, and printing them.
 *
 * What is absent reads as "", 0 or an empty list: a newer or older daemon may
 * say more or less.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FIELD_H
#define CORE_FIELD_H

#include <stdint.h>

struct cJSON;

/** The text of a string member, or "". Borrowed. */
const char *field_text(const struct cJSON *object, const char *key);

/** A whole number, or 0. */
int64_t field_number(const struct cJSON *object, const char *key);

/** A number of seconds, in microseconds; or 0. */
int64_t field_seconds_us(const struct cJSON *object, const char *key);

/** Whether the member is true. */
int field_true(const struct cJSON *object, const char *key);

/** The first element of an array member, or NULL; go on with ->next. */
const struct cJSON *field_list(const struct cJSON *object, const char *key);

/** Print it on one line of standard output.
 * @return an exit code: EXIT_OK, or EXIT_FAILED after saying why */
int field_print(const struct cJSON *json);

/** As field_print(), each element of an array on a line of its own. */
int field_print_each(const struct cJSON *first);

#endif
