/* core/cli/when.h: points in time, as people write them and as they read them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WHEN_H
#define CORE_WHEN_H

#include <stdint.h>

#define WHEN_MAX 32 /* bytes of a time as text, with its NUL */

/** What a bare duration means. */
enum when_from { WHEN_AGO = -1, WHEN_AHEAD = 1 };

/**
 * "2h" (that long ago, or ahead), RFC 3339 ("2026-11-23T09:41:02Z", with any
 * offset or fraction), or without a zone ("2026-11-23 09:41", "2026-11-23") the
 * time of this machine.
 *
 * @param ms  set on success only: milliseconds since 1970
 * @return RC_OK or RC_INVALID
 */
int when_parse(const char *text, enum when_from from, int64_t now_ms,
               int64_t *ms);

/** RFC 3339 in UTC, with milliseconds. @return `room`, WHEN_MAX bytes */
const char *when_utc(int64_t ms, char *room);

/** An RFC 3339 time as "2026-11-23 09:41:02" of this machine; "-" for "" and
 * for what is no time. @return `room`, WHEN_MAX bytes */
const char *when_local(const char *utc, char *room);

/** "4 s", "21 min", "3 h", "12 d": roughly how long that is.
 * @return `room`, WHEN_MAX bytes */
const char *when_span(int64_t ms, char *room);

#endif
