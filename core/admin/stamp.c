/* core/admin/stamp.c: points in time as the API writes and reads them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/stamp.h"

#include "error.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS_DIGITS_MAX 12

const char *
stamp_format(char *out, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) {
        out[0] = '\0';
        return out;
    }
    size_t len = strftime(out, STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, STAMP_MAX - len, ".%03dZ", (int)(ms % 1000));
    return out;
}

static int
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Exactly `digits` of them; moves *at. Returns -1 for anything else. */
static int
take(const char **at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit((*at)[i])) {
            return -1;
        }
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += digits;
    return value;
}

/* "YYYY-MM-DD": bytes of `form` are themselves, but 4 and 2 stand for that many
 * digits, whose values go to `out`. */
static int
take_form(const char **at, const char *form, int *out)
{
    for (; *form != '\0'; form++) {
        if (*form == '4' || *form == '2') {
            *out = take(at, *form - '0');
            if (*out++ < 0) {
                return 0;
            }
        } else if (*(*at)++ != *form) {
            return 0;
        }
    }
    return 1;
}

/* Milliseconds of ".384" and the like; further digits are cut. */
static int
take_fraction(const char **at)
{
    int ms = 0, scale = 100;
    if (**at != '.') {
        return 0;
    }
    (*at)++;
    if (!is_digit(**at)) {
        return -1;
    }
    for (; is_digit(**at); (*at)++) {
        ms += (**at - '0') * scale;
        scale /= 10;
    }
    return ms;
}

/* Minutes to take off for "Z", "+01:00"; 0 is returned for anything else. */
static int
take_zone(const char **at, int *minutes)
{
    int parts[2];
    char sign = *(*at)++;
    *minutes = 0;
    if (sign == 'Z' || sign == 'z') {
        return 1;
    }
    if ((sign != '+' && sign != '-') || !take_form(at, "2:2", parts) ||
        parts[0] > 23 || parts[1] > 59) {
        return 0;
    }
    *minutes = (parts[0] * 60 + parts[1]) * (sign == '+' ? 1 : -1);
    return 1;
}

static int
parse_seconds(const char *text, int64_t *ms)
{
    int64_t seconds = 0;
    size_t digits = 0;
    for (; is_digit(text[digits]); digits++) {
        if (digits == SECONDS_DIGITS_MAX) {
            return RC_INVALID;
        }
        seconds = seconds * 10 + (text[digits] - '0');
    }
    if (digits == 0 || text[digits] != '\0' || seconds > STAMP_LAST_S) {
        return RC_INVALID;
    }
    *ms = seconds * 1000;
    return RC_OK;
}

/* The 30th of February would otherwise become a day in March. */
static int
is_real(const struct tm *asked)
{
    struct tm made = *asked;
    timegm(&made);
    return made.tm_mday == asked->tm_mday && made.tm_mon == asked->tm_mon &&
           made.tm_hour == asked->tm_hour && made.tm_min == asked->tm_min &&
           made.tm_sec == asked->tm_sec;
}

static int
parse_rfc3339(const char *text, int64_t *ms)
{
    int day[3], hour[3], minutes;
    const char *at = text;
    if (!take_form(&at, "4-2-2", day) || (*at != 'T' && *at != 't') ||
        (at++, !take_form(&at, "2:2:2", hour))) {
        return RC_INVALID;
    }
    int fraction = take_fraction(&at);
    if (fraction < 0 || !take_zone(&at, &minutes) || *at != '\0') {
        return RC_INVALID;
    }
    struct tm tm = {.tm_year = day[0] - 1900,
                    .tm_mon = day[1] - 1,
                    .tm_mday = day[2],
                    .tm_hour = hour[0],
                    .tm_min = hour[1],
                    .tm_sec = hour[2]};
    if (!is_real(&tm)) {
        return RC_INVALID;
    }
    *ms = ((int64_t)timegm(&tm) - (int64_t)minutes * 60) * 1000 + fraction;
    return RC_OK;
}

int
stamp_parse(const char *text, int64_t *ms)
{
    int64_t found = 0;
    if (parse_seconds(text, &found) != RC_OK &&
        parse_rfc3339(text, &found) != RC_OK) {
        return RC_INVALID;
    }
    if (found < 1000) {
        return RC_INVALID; /* 0 is "no bound" to those who use it */
    }
    *ms = found;
    return RC_OK;
}
