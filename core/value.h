/* core/value.h: the forms of values in the INI file, for the daemon's
 * own keys and for the options of plugins alike.
 *
 * All are strict: nothing before, nothing behind, nothing that overflows.
 * libc only: this is linked into pegboard-runner.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_VALUE_H
#define CORE_VALUE_H

#include <stddef.h>
#include <stdint.h>

struct error; /* error.h */

/** Bytes of the longest value. */
#define VALUE_MAX 65536

/** yes no true false on off 1 0, in any case: 1 or 0.
 * @return RC_OK or RC_INVALID, as all of these */
int value_parse_bool(const char *text, int64_t *out);

/** Decimal digits, with or without '-'. */
int value_parse_int(const char *text, int64_t *out);

/** 250ms 30s 5m 4h 35d: milliseconds. A bare number is refused, since half of
 * its readers would take it for seconds. */
int value_parse_duration(const char *text, int64_t *ms);

/** 4096 64K 1M 1G, in powers of 1024: bytes. */
int value_parse_size(const char *text, int64_t *bytes);

/** As the PEG_OPTION_* `type` asks: the four above. Types whose value is any
 * text are always RC_OK, with `out` untouched; an unknown type is RC_INVALID.*/
int value_parse(uint32_t type, const char *text, int64_t *out);

/** Whether `text` can be a value at all: one line of UTF-8, not longer than
 * VALUE_MAX. @return RC_OK, or RC_INVALID and what is wrong with it */
int value_check_text(const char *text, struct error *err);

/** What is accepted for that type, for messages: "a duration like 30s". */
const char *value_form(uint32_t type);

#endif
