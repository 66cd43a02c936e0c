/* core/stripe/event.c: the envelope of an event, in one pass over its bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/event.h"

#include "error.h"
#include "json/json.h"

#include <string.h>

/* An escape turns at most six bytes of JSON into one byte of text, so a longer
 * string than this cannot fit any of our limits. */
#define TEXT_RAW_MAX (6 * EVENT_ID_MAX + 2)

#define CREATED_MAX_S 253402300799 /* the end of the year 9999 */

/* ---- Collecting ----------------------------------------------------- */

/* The values we look for, in the order that lets a place be forgotten as a
 * range of slots. */
enum slot {
    SLOT_NONE = 0, /* takes what nobody wants */
    SLOT_ID,
    SLOT_FAMILY,
    SLOT_TYPE,
    SLOT_LIVEMODE,
    SLOT_CREATED,
    SLOT_ACCOUNT,
    SLOT_CONTEXT,
    SLOT_API_VERSION,
    SLOT_SNAPSHOT_EVENT,
    SLOT_RELATED_ID,
    SLOT_RELATED_TYPE,
    SLOT_OBJECT_ID,
    SLOT_OBJECT_TYPE,
    SLOT_CUSTOMER,
    SLOT_COUNT,
};

/* The objects of an event that we look into. */
enum place {
    PLACE_NONE = 0,
    PLACE_EVENT,
    PLACE_RELATED,  /* related_object */
    PLACE_DATA,     /* data */
    PLACE_OBJECT,   /* data.object */
    PLACE_CUSTOMER, /* data.object.customer, when expanded */
};

/* What each place forgets when its member is repeated, and where it stands. */
static const struct {
    enum place parent;
    enum slot first, last;
} places[] = {
    [PLACE_EVENT] = {PLACE_NONE, SLOT_NONE, SLOT_NONE},
    [PLACE_RELATED] = {PLACE_EVENT, SLOT_RELATED_ID, SLOT_RELATED_TYPE},
    [PLACE_DATA] = {PLACE_EVENT, SLOT_OBJECT_ID, SLOT_CUSTOMER},
    [PLACE_OBJECT] = {PLACE_DATA, SLOT_OBJECT_ID, SLOT_CUSTOMER},
    [PLACE_CUSTOMER] = {PLACE_OBJECT, SLOT_CUSTOMER, SLOT_CUSTOMER},
};

/* What a member of a place means: a value for a slot, a place to look into, or
 * one of both. Any other member is checked and passed over. */
static const struct rule {
    enum place place;
    const char *key;
    enum slot slot;
    enum place inner;
} rules[] = {
    {PLACE_EVENT, "id", SLOT_ID, PLACE_NONE},
    {PLACE_EVENT, "object", SLOT_FAMILY, PLACE_NONE},
    {PLACE_EVENT, "type", SLOT_TYPE, PLACE_NONE},
    {PLACE_EVENT, "livemode", SLOT_LIVEMODE, PLACE_NONE},
    {PLACE_EVENT, "created", SLOT_CREATED, PLACE_NONE},
    {PLACE_EVENT, "account", SLOT_ACCOUNT, PLACE_NONE},
    {PLACE_EVENT, "context", SLOT_CONTEXT, PLACE_NONE},
    {PLACE_EVENT, "api_version", SLOT_API_VERSION, PLACE_NONE},
    {PLACE_EVENT, "snapshot_event", SLOT_SNAPSHOT_EVENT, PLACE_NONE},
    {PLACE_EVENT, "related_object", SLOT_NONE, PLACE_RELATED},
    {PLACE_EVENT, "data", SLOT_NONE, PLACE_DATA},
    {PLACE_RELATED, "id", SLOT_RELATED_ID, PLACE_NONE},
    {PLACE_RELATED, "type", SLOT_RELATED_TYPE, PLACE_NONE},
    {PLACE_DATA, "object", SLOT_NONE, PLACE_OBJECT},
    {PLACE_OBJECT, "id", SLOT_OBJECT_ID, PLACE_NONE},
    {PLACE_OBJECT, "object", SLOT_OBJECT_TYPE, PLACE_NONE},
    {PLACE_OBJECT, "customer", SLOT_CUSTOMER, PLACE_CUSTOMER},
    {PLACE_CUSTOMER, "id", SLOT_CUSTOMER, PLACE_NONE},
};

/* The first letter settles most of it; an escape may stand for any letter. */
static int
rule_fits(const struct rule *rule, const struct json_value *key)
{
    return (key->ptr[1] == rule->key[0] || key->ptr[1] == '\\') &&
           json_equals(key, rule->key);
}

static const struct rule *
rule_find(enum place place, const struct json_value *key)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].place == place && rule_fits(&rules[i], key)) {
            return &rules[i];
        }
    }
    return NULL;
}

/* A value whose `ptr` is NULL was not there. */
struct envelope {
    struct json_value slots[SLOT_COUNT];
};

/* Take the value of a place's own member: step into an object, keep a scalar
 * if there is a slot for it. An earlier one of that name is forgotten first. */
static int
take_place(struct json_reader *reader, struct envelope *envelope,
           const struct rule *rule, enum place *place)
{
    const enum slot last = places[rule->inner].last;
    for (unsigned i = places[rule->inner].first; i <= last; i++) {
        envelope->slots[i] = (struct json_value){0};
    }
    enum json_token token = json_next(reader);
    if (token == JSON_TOKEN_FAULT) {
        return RC_INVALID;
    }
    if (token == JSON_TOKEN_VALUE) {
        envelope->slots[rule->slot] = reader->value;
        return RC_OK;
    }
    if (reader->value.kind == JSON_ARRAY) {
        struct json_value skipped;
        return json_rest(reader, &skipped);
    }
    *place = rule->inner;
    return RC_OK;
}

/* Read the event's object, which is open, to its end. The last of repeated
 * members counts at every level, as in Stripe's own libraries. */
static int
read_members(struct json_reader *reader, struct envelope *envelope)
{
    enum place place = PLACE_EVENT;
    while (place != PLACE_NONE) {
        enum json_token token = json_next(reader);
        if (token == JSON_TOKEN_FAULT) {
            return RC_INVALID;
        }
        if (token == JSON_TOKEN_CLOSE) {
            place = places[place].parent;
            continue;
        }
        const struct rule *rule = rule_find(place, &reader->value);
        int rc;
        if (rule != NULL && rule->inner != PLACE_NONE) {
            rc = take_place(reader, envelope, rule, &place);
        } else {
            enum slot slot = rule == NULL ? SLOT_NONE : rule->slot;
            rc = json_take(reader, &envelope->slots[slot]);
        }
        if (rc != RC_OK) {
            return rc;
        }
    }
    return json_next(reader) == JSON_TOKEN_END ? RC_OK : RC_INVALID;
}

static int
read_body(struct envelope *envelope, const char *body, size_t len,
          struct error *err)
{
    struct json_reader reader;
    json_reader_init(&reader, body, len);
    enum json_token token = json_next(&reader);
    if (token != JSON_TOKEN_FAULT &&
        (token != JSON_TOKEN_OPEN || reader.value.kind != JSON_OBJECT)) {
        return error_set(err, RC_INVALID, "body is JSON, but not an object");
    }
    if (token == JSON_TOKEN_FAULT || read_members(&reader, envelope) != RC_OK) {
        return error_set(err, RC_INVALID, "body is not JSON: %s at byte %zu",
                         reader.fault.reason, reader.fault.offset);
    }
    return RC_OK;
}

/* ---- Judging and copying -------------------------------------------- */

/* Copy a string of at most `max` bytes to `out`, NUL-terminated. Returns NULL,
 * or what is wrong with it; `out` is "" then. Control characters are refused
 * for log lines' sake, and NUL because it would hide what follows it. */
static const char *
copy_text(const struct json_value *value, char *out, size_t max)
{
    char text[TEXT_RAW_MAX];
    out[0] = '\0';
    if (value->ptr == NULL || value->kind != JSON_STRING) {
        return "is not a string";
    }
    size_t len =
        value->len > sizeof(text) ? value->len : json_unescape(value, text);
    if (len > max) {
        return "is too long";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return "holds a control character";
        }
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return NULL;
}

/* As copy_text(), for what an event cannot be without. */
static int
require_text(const struct json_value *value, const char *key, char *out,
             size_t max, struct error *err)
{
    if (value->ptr == NULL || value->kind != JSON_STRING) {
        return error_set(err, RC_INVALID, "body has no string `%s`", key);
    }
    const char *fault = copy_text(value, out, max);
    if (fault == NULL && out[0] == '\0') {
        fault = "is empty";
    }
    if (fault != NULL) {
        return error_set(err, RC_INVALID, "body's `%s` %s", key, fault);
    }
    return RC_OK;
}

/* ---- Time ----------------------------------------------------------- */

static int
is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Leap years from year 1 to the end of `year`. */
static int64_t
leaps_until(int64_t year)
{
    return year / 4 - year / 100 + year / 400;
}

/* Days from 1970-01-01 to a date, or -1 if there is no such day. */
static int64_t
days_since_1970(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
    if (year < 1970 || month < 1 || month > 12 || day < 1) {
        return -1;
    }
    int64_t days = (year - 1970) * INT64_C(365) + leaps_until(year - 1) -
                   leaps_until(1969);
    for (int i = 0; i < month - 1; i++) {
        days += lengths[i] + (i == 1 && is_leap(year));
    }
    int length = lengths[month - 1] + (month == 2 && is_leap(year));
    return day > length ? -1 : days + day - 1;
}

/* Read digits as `shape` has them ('d' a digit, else that character) into
 * `numbers`, one for each run of digits. Returns the rest, or NULL. */
static const char *
read_shape(const char *text, const char *shape, int *numbers)
{
    numbers[0] = 0;
    for (; *shape != '\0'; shape++, text++) {
        if (*shape == 'd' && *text >= '0' && *text <= '9') {
            *numbers = *numbers * 10 + (*text - '0');
        } else if (*shape != 'd' && *text == *shape) {
            *++numbers = 0;
        } else {
            return NULL;
        }
    }
    return text;
}

/* Seconds that local time is ahead of UTC: "Z" or "+hh:mm". */
static int
read_offset(const char *text, int64_t *out)
{
    if (strcmp(text, "Z") == 0) {
        *out = 0;
        return RC_OK;
    }
    int clock[2];
    const char *rest =
        text[0] == '\0' ? NULL : read_shape(text + 1, "dd:dd", clock);
    if (rest == NULL || *rest != '\0' || (text[0] != '+' && text[0] != '-') ||
        clock[0] > 23 || clock[1] > 59) {
        return RC_INVALID;
    }
    int64_t ahead = clock[0] * INT64_C(3600) + clock[1] * INT64_C(60);
    *out = text[0] == '+' ? ahead : -ahead;
    return RC_OK;
}

/* "2026-10-28T09:16:42.337Z" as seconds since 1970 UTC; 0 if it is anything
 * else. Fractions are cut, a leap second counts as the one after it. */
static int64_t
read_iso_time(const char *text)
{
    int n[6]; /* year, month, day, hour, minute, second */
    const char *rest = read_shape(text, "dddd-dd-ddTdd:dd:dd", n);
    if (rest == NULL || n[3] > 23 || n[4] > 59 || n[5] > 60) {
        return 0;
    }
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits < 1 || digits > 9) {
            return 0;
        }
        rest += 1 + digits;
    }
    int64_t days = days_since_1970(n[0], n[1], n[2]);
    int64_t ahead;
    if (days < 0 || read_offset(rest, &ahead) != RC_OK) {
        return 0;
    }
    return days * 86400 + n[3] * INT64_C(3600) + n[4] * INT64_C(60) + n[5] -
           ahead;
}

static int64_t
read_created(const struct json_value *value, enum event_family family)
{
    int64_t seconds = 0;
    if (value->ptr == NULL) {
        return 0;
    }
    if (family == EVENT_THIN) {
        char text[64];
        (void)copy_text(value, text, sizeof(text) - 1); /* "" is odd, too */
        seconds = read_iso_time(text);
    } else if (json_i64(value, &seconds) != RC_OK) {
        return 0;
    }
    return seconds < 0 || seconds > CREATED_MAX_S ? 0 : seconds;
}

/* ---- The event ------------------------------------------------------ */

/* Fill what may be absent: text that is not usable is left out. */
static void
fill_optional(struct event *event, const struct envelope *envelope)
{
    const struct json_value *slots = envelope->slots;
    const struct json_value *family = &slots[SLOT_FAMILY];
    int thin = family->ptr != NULL && family->kind == JSON_STRING &&
               json_equals(family, "v2.core.event");
    const struct {
        enum slot slot;
        char *out;
        size_t room;
    } texts[] = {
        {thin ? SLOT_CONTEXT : SLOT_ACCOUNT, event->account,
         sizeof(event->account)},
        {SLOT_API_VERSION, event->api_version, sizeof(event->api_version)},
        {thin ? SLOT_RELATED_ID : SLOT_OBJECT_ID, event->object_id,
         sizeof(event->object_id)},
        {thin ? SLOT_RELATED_TYPE : SLOT_OBJECT_TYPE, event->object_type,
         sizeof(event->object_type)},
        {SLOT_CUSTOMER, event->customer, sizeof(event->customer)},
        {SLOT_SNAPSHOT_EVENT, event->snapshot_event,
         sizeof(event->snapshot_event)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        (void)copy_text(&slots[texts[i].slot], texts[i].out, texts[i].room - 1);
    }
    event->family = thin ? EVENT_THIN : EVENT_SNAPSHOT;
    event->livemode = slots[SLOT_LIVEMODE].ptr != NULL &&
                      slots[SLOT_LIVEMODE].kind == JSON_TRUE;
    event->created_s = read_created(&slots[SLOT_CREATED], event->family);
}

int
event_read(struct event *event, const char *body, size_t len, struct error *err)
{
    struct envelope envelope = {0};
    int rc = read_body(&envelope, body, len, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct event read = {0};
    rc = require_text(&envelope.slots[SLOT_ID], "id", read.id, EVENT_ID_MAX,
                      err);
    if (rc != RC_OK) {
        return rc;
    }
    rc = require_text(&envelope.slots[SLOT_TYPE], "type", read.type,
                      EVENT_TYPE_MAX, err);
    if (rc != RC_OK) {
        return rc;
    }
    fill_optional(&read, &envelope);
    *event = read;
    return RC_OK;
}

/* ---- Patterns ------------------------------------------------------- */

/* The length of "prefix." in "prefix.*", or 0 if the pattern is not one. */
static size_t
prefix_len(const char *pattern)
{
    size_t len = strlen(pattern);
    return len > 2 && strcmp(pattern + len - 2, ".*") == 0 ? len - 1 : 0;
}

int
event_type_matches(const char *pattern, const char *type)
{
    size_t len = prefix_len(pattern);
    if (len > 0) {
        return strncmp(pattern, type, len) == 0 && type[len] != '\0';
    }
    return strcmp(pattern, "*") == 0 || strcmp(pattern, type) == 0;
}

/* One name without the comma, blanks and wildcards that lists and patterns
 * use; each of its parts between dots has a letter at least. */
static int
name_valid(const char *name, size_t len)
{
    if (len == 0 || len > EVENT_TYPE_MAX || name[len - 1] == '.') {
        return 0;
    }
    char before = '.';
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte <= ' ' || byte == 0x7f || byte == ',' || byte == '*' ||
            (byte == '.' && before == '.')) {
            return 0;
        }
        before = name[i];
    }
    return 1;
}

int
event_pattern_valid(const char *pattern)
{
    size_t len = prefix_len(pattern);
    return strcmp(pattern, "*") == 0 ||
           name_valid(pattern, len > 0 ? len - 1 : strlen(pattern));
}
