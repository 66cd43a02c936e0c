/* core/cli/fact.h: facts of one thing, a line each: name, then value.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FACT_H
#define CORE_FACT_H

struct cJSON;

#define FACT_MAX 2048 /* bytes shown of a value; it is made safe to show */

/** Nothing is printed for "". */
void fact(const char *name, const char *value);

/** The member `key`, an RFC 3339 time, in local time; nothing if it is not
 * there. */
void fact_time(const char *name, const struct cJSON *object, const char *key);

#endif
