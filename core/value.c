/* core/value.c: the forms of values in the INI file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "error.h"
#include "utf8.h"

#include <pegboard/plugin.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", 60 * 1000},
    {"h", 3600 * 1000},
    {"d", 86400 * (int64_t)1000},
};
static const struct unit sizes[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};

int
value_parse_bool(const char *text, int64_t *out)
{
    static const char *const words[] = {"no",  "yes", "false", "true",
                                        "off", "on",  "0",     "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = (int64_t)(i % 2);
            return RC_OK;
        }
    }
    return RC_INVALID;
}

/* The digits at `*text`, which is moved behind them. Built up from below zero,
 * where one more value fits, and negated at the end. */
static int
parse_digits(const char **text, int negative, int64_t *out)
{
    const char *at = *text;
    int64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *at - '0', &value)) {
            return RC_INVALID;
        }
    }
    if (at == *text || (!negative && value == INT64_MIN)) {
        return RC_INVALID;
    }
    *text = at;
    *out = negative ? value : -value;
    return RC_OK;
}

int
value_parse_int(const char *text, int64_t *out)
{
    int negative = *text == '-';
    text += negative;
    int64_t value;
    if (parse_digits(&text, negative, &value) != RC_OK || *text != '\0') {
        return RC_INVALID;
    }
    *out = value;
    return RC_OK;
}

static int
parse_unit(const char *text, const struct unit *units, size_t count,
           int64_t *out)
{
    int64_t value;
    if (parse_digits(&text, 0, &value) != RC_OK) {
        return RC_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, units[i].name) == 0) {
            if (__builtin_mul_overflow(value, units[i].factor, &value)) {
                return RC_INVALID;
            }
            *out = value;
            return RC_OK;
        }
    }
    return RC_INVALID;
}

int
value_parse_duration(const char *text, int64_t *ms)
{
    return parse_unit(text, durations, sizeof(durations) / sizeof(durations[0]),
                      ms);
}

int
value_parse_size(const char *text, int64_t *bytes)
{
    return parse_unit(text, sizes, sizeof(sizes) / sizeof(sizes[0]), bytes);
}

int
value_parse(uint32_t type, const char *text, int64_t *out)
{
    switch (type) {
    case PEG_OPTION_STRING:
    case PEG_OPTION_LIST:
    case PEG_OPTION_PATH:
        return RC_OK;
    case PEG_OPTION_INT:
        return value_parse_int(text, out);
    case PEG_OPTION_BOOL:
        return value_parse_bool(text, out);
    case PEG_OPTION_DURATION:
        return value_parse_duration(text, out);
    case PEG_OPTION_SIZE:
        return value_parse_size(text, out);
    default:
        return RC_INVALID;
    }
}

int
value_check_text(const char *text, struct error *err)
{
    size_t len = strlen(text);
    if (len > VALUE_MAX) {
        return error_set(err, RC_INVALID,
                         "it has %zu bytes, at most %d are possible: put it "
                         "into a file, and make the option a path",
                         len, VALUE_MAX);
    }
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t bytes = utf8_char(text + i, len - i, &code);
        if (bytes == 0) {
            return error_set(err, RC_INVALID,
                             "byte %zu (0x%02x) is no UTF-8: write it as "
                             "UTF-8",
                             i + 1, (unsigned char)text[i]);
        }
        if ((code < ' ' && code != '\t') || code == 0x7f) {
            return error_set(err, RC_INVALID,
                             "byte %zu is the control character 0x%02x: a "
                             "value is one line of text",
                             i + 1, code);
        }
        i += bytes;
    }
    return RC_OK;
}

const char *
value_form(uint32_t type)
{
    switch (type) {
    case PEG_OPTION_INT:
        return "a whole number";
    case PEG_OPTION_BOOL:
        return "yes or no";
    case PEG_OPTION_DURATION:
        return "a duration like 250ms, 30s, 5m, 4h or 35d";
    case PEG_OPTION_SIZE:
        return "a size like 4096, 64K, 1M or 1G";
    default:
        return "text";
    }
}
