/* core/json/scan.h: the grammar below the reader; private to core/json.
 *
 * Each function takes the place where something starts and returns the place
 * behind it, or NULL after it noted the fault. None reads past reader->end,
 * none moves reader->at.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JSON_SCAN_H
#define CORE_JSON_SCAN_H

#include "json/json.h"

#include <stdbool.h>

/* What may come next: json_reader.expect. */
enum {
    EXPECT_VALUE = 0,
    EXPECT_FIRST = 1, /* behind a bracket: its first key or value, or its end */
    EXPECT_MORE = 2,  /* behind a value: a comma, or the end of what holds it */
    EXPECT_FAULT = 3,
};

/** Note a fault at `at`; NULL. At the end of the text that is the reason. */
const char *scan_fail(struct json_reader *reader, const char *at,
                      const char *reason);

const char *scan_blanks(const char *at, const char *end);

/** A string, number or word. */
const char *scan_scalar(struct json_reader *reader, const char *at);

/** A whole value, whatever it holds; counted from reader->depth. */
const char *scan_value(struct json_reader *reader, const char *at);

/** A bracket and the blanks behind it; `level` containers are open so far. */
const char *scan_open(struct json_reader *reader, const char *at,
                      unsigned level);

/** Whether the innermost of `depth` open containers is an object. */
bool scan_in_object(const struct json_reader *reader, unsigned depth);

/** A key, up to its closing quote. */
const char *scan_key(struct json_reader *reader, const char *at);

/** A colon or comma, with blanks before the colon, and behind either. */
const char *scan_colon(struct json_reader *reader, const char *at);
const char *scan_comma(struct json_reader *reader, const char *at);

#endif
