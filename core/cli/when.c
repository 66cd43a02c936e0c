/* core/cli/when.c: points in time, as people write them and as they read them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "when.h"

#include "error.h"
#include "value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Take exactly `count` digits. @return where to go on, or NULL */
static const char *
take_number(const char *at, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, at++) {
        if (!isdigit((unsigned char)*at)) {
            return NULL;
        }
        *out = *out * 10 + (*at - '0');
    }
    return at;
}

static const char *
take_mark(const char *at, const char *marks)
{
    return at != NULL && *at != '\0' && strchr(marks, *at) != NULL ? at + 1
                                                                   : NULL;
}

static const char *
take_date(const char *at, struct tm *tm)
{
    at = take_number(at, 4, &tm->tm_year);
    at = take_mark(at, "-");
    at = at == NULL ? NULL : take_number(at, 2, &tm->tm_mon);
    at = take_mark(at, "-");
    at = at == NULL ? NULL : take_number(at, 2, &tm->tm_mday);
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (at == NULL || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 ||
        tm->tm_mday > days[tm->tm_mon - 1]) {
        return NULL;
    }
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return at;
}

/* A fraction of any length; what is below a millisecond is cut. */
static const char *
take_fraction(const char *at, int64_t *ms)
{
    if (*at != '.') {
        return at;
    }
    at++;
    if (!isdigit((unsigned char)*at)) {
        return NULL;
    }
    for (int64_t unit = 100; isdigit((unsigned char)*at); at++, unit /= 10) {
        *ms += unit * (*at - '0');
    }
    return at;
}

/* "09:41", "09:41:02", "09:41:02.384" */
static const char *
take_clock(const char *at, struct tm *tm, int64_t *ms)
{
    at = take_number(at, 2, &tm->tm_hour);
    at = take_mark(at, ":");
    at = at == NULL ? NULL : take_number(at, 2, &tm->tm_min);
    if (at != NULL && *at == ':') {
        at = take_number(at + 1, 2, &tm->tm_sec);
        at = at == NULL ? NULL : take_fraction(at, ms);
    }
    if (at == NULL || tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60) {
        return NULL;
    }
    return at;
}

/* "Z" or "+01:00": minutes east of UTC. */
static const char *
take_zone(const char *at, int *minutes)
{
    *minutes = 0;
    if (*at == 'Z' || *at == 'z') {
        return at + 1;
    }
    int sign = *at == '-' ? -1 : 1;
    int hours = 0;
    int rest = 0;
    at = take_mark(at, "+-");
    at = at == NULL ? NULL : take_number(at, 2, &hours);
    at = take_mark(at, ":");
    at = at == NULL ? NULL : take_number(at, 2, &rest);
    if (at == NULL || hours > 23 || rest > 59) {
        return NULL;
    }
    *minutes = sign * (hours * 60 + rest);
    return at;
}

static int
parse_stamp(const char *text, int64_t *out)
{
    struct tm tm = {.tm_isdst = -1};
    int64_t ms = 0;
    const char *at = take_date(text, &tm);
    if (at != NULL && *at != '\0') {
        at = take_mark(at, "Tt ");
        at = at == NULL ? NULL : take_clock(at, &tm, &ms);
    }
    if (at == NULL) {
        return RC_INVALID;
    }
    int minutes = 0;
    int is_local = *at == '\0';
    if (!is_local) {
        at = take_zone(at, &minutes);
    }
    if (at == NULL || *at != '\0') {
        return RC_INVALID;
    }
    int day = tm.tm_mday; /* the 30th of February would become a day in March */
    int64_t s = is_local ? (int64_t)mktime(&tm) : (int64_t)timegm(&tm);
    if (tm.tm_mday != day) {
        return RC_INVALID;
    }
    *out = (s - minutes * 60) * 1000 + ms;
    return RC_OK;
}

int
when_parse(const char *text, enum when_from from, int64_t now_ms, int64_t *ms)
{
    int64_t span;
    if (value_parse_duration(text, &span) == RC_OK) {
        if (span < 0 || span > now_ms) {
            return RC_INVALID; /* before 1970 */
        }
        *ms = now_ms + span * (int64_t)from;
        return RC_OK;
    }
    return parse_stamp(text, ms);
}

const char *
when_utc(int64_t ms, char *room)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char stamp[24];
    gmtime_r(&s, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(room, WHEN_MAX, "%s.%03dZ", stamp, (int)(ms % 1000));
    return room;
}

const char *
when_local(const char *utc, char *room)
{
    int64_t ms;
    if (parse_stamp(utc, &ms) != RC_OK) {
        snprintf(room, WHEN_MAX, "-");
        return room;
    }
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    localtime_r(&s, &tm);
    strftime(room, WHEN_MAX, "%Y-%m-%d %H:%M:%S", &tm);
    return room;
}

const char *
when_span(int64_t ms, char *room)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms >= 2 * units[i].ms) {
            snprintf(room, WHEN_MAX, "%lld %s", (long long)(ms / units[i].ms),
                     units[i].unit);
            return room;
        }
    }
    snprintf(room, WHEN_MAX, "%lld s", (long long)((ms + 999) / 1000));
    return room;
}
