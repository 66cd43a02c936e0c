/* core/config/option_parse.c: the forms of values: yes/no, numbers, durations,
 * sizes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

int
option_parse_bool(const char *text, int64_t *out)
{
    static const struct {
        const char *word;
        int64_t value;
    } words[] = {{"yes", 1}, {"no", 0},  {"true", 1}, {"false", 0},
                 {"on", 1},  {"off", 0}, {"1", 1},    {"0", 0}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return RC_OK;
        }
    }
    return RC_INVALID;
}

/* strtoll() alone also takes blanks, a plus and a tail. */
int
option_parse_int(const char *text, int64_t *out)
{
    const char *digits = text + (text[0] == '-');
    size_t len = strspn(digits, "0123456789");
    if (len == 0 || digits[len] != '\0') {
        return RC_INVALID;
    }
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno != 0) {
        return RC_INVALID;
    }
    *out = value;
    return RC_OK;
}

/* A number that is not negative, and one of the units behind it. */
static int
parse_amount(const char *text, const struct unit *units, int64_t *out)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0) {
        return RC_INVALID;
    }
    const struct unit *unit = units;
    while (unit->name != NULL && strcmp(text + len, unit->name) != 0) {
        unit++;
    }
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (unit->name == NULL || errno != 0 || number > INT64_MAX / unit->factor) {
        return RC_INVALID;
    }
    *out = number * unit->factor;
    return RC_OK;
}

int
option_parse_duration(const char *text, int64_t *ms)
{
    static const struct unit units[] = {
        {"ms", 1},      {"s", 1000},     {"m", 60000},
        {"h", 3600000}, {"d", 86400000}, {NULL, 0},
    };
    return parse_amount(text, units, ms);
}

int
option_parse_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"K", INT64_C(1) << 10},
        {"M", INT64_C(1) << 20},
        {"G", INT64_C(1) << 30},
        {NULL, 0},
    };
    return parse_amount(text, units, bytes);
}
