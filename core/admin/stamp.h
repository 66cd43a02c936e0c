/* core/admin/stamp.h: points in time as the API writes and reads them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STAMP_H
#define CORE_STAMP_H

#include <stdint.h>

#define STAMP_MAX 32 /* with its NUL */

/** The last moment of the year 9999, in seconds. */
#define STAMP_LAST_S 253402300799LL

/** Write as RFC 3339 in UTC: "2026-11-23T09:41:02.384Z". Returns `out`,
 * STAMP_MAX bytes. */
const char *stamp_format(char *out, int64_t ms);

/** Read RFC 3339, or whole seconds since 1970; not before 1970-01-01T00:00:01.
 * @return RC_OK or RC_INVALID */
int stamp_parse(const char *text, int64_t *ms);

#endif
