/* core/admin/filter.c: which events are meant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/filter.h"

#include "admin/problem.h"
#include "admin/query.h"
#include "admin/stamp.h"
#include "error.h"
#include "stripe/event.h"
#include "suggest.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES                                                                 \
    "queued running retrying held orphaned pending done skipped dead "         \
    "discarded unrouted"

enum kind { TEXTS, TYPES, TEXT, MODE, STATE, TIME_MS, TIME_S };

/* The members, in the order in which filter_json() writes them. */
static const struct member {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct view_filter */
} members[] = {
    {"id", TEXTS, offsetof(struct view_filter, ids)},
    {"type", TYPES, offsetof(struct view_filter, types)},
    {"object_id", TEXT, offsetof(struct view_filter, object_id)},
    {"customer", TEXT, offsetof(struct view_filter, customer)},
    {"account", TEXT, offsetof(struct view_filter, account)},
    {"livemode", MODE, offsetof(struct view_filter, livemode)},
    {"state", STATE, offsetof(struct view_filter, state)},
    {"plugin", TEXT, offsetof(struct view_filter, plugin)},
    {"received_after", TIME_MS,
     offsetof(struct view_filter, received_after_ms)},
    {"received_before", TIME_MS,
     offsetof(struct view_filter, received_before_ms)},
    {"created_after", TIME_S, offsetof(struct view_filter, created_after_s)},
    {"created_before", TIME_S, offsetof(struct view_filter, created_before_s)},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static const struct member *
find_member(const char *name)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static int
is_list(const struct member *member)
{
    return member->kind == TEXTS || member->kind == TYPES;
}

/* ---- From a query --------------------------------------------------- */

static int
unknown(const char *name, const char *base, struct problem *problem)
{
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < MEMBERS; i++) {
        suggest_offer(&suggest, members[i].name);
    }
    problem_set(problem, base == NULL ? PROBLEM_PARAMETER : PROBLEM_BODY,
                "there is no \"%.64s\" here", name);
    problem_blame(problem, base, name, NULL);
    if (suggest.best != NULL) {
        problem_hint(problem, "did you mean \"%s\"?", suggest.best);
    }
    return RC_INVALID;
}

static int
add_pair(cJSON *object, const struct member *member,
         const struct query_pair *pair, struct problem *problem)
{
    cJSON *there = cJSON_GetObjectItemCaseSensitive(object, member->name);
    cJSON *value = cJSON_CreateString(pair->value);
    if (!is_list(member)) {
        if (there != NULL) {
            cJSON_Delete(value);
            problem_set(problem, PROBLEM_PARAMETER, "\"%s\" is there twice",
                        member->name);
            problem_blame(problem, NULL, member->name, NULL);
            return RC_INVALID;
        }
        there = object;
        if (!cJSON_AddItemToObject(object, member->name, value)) {
            cJSON_Delete(value);
            return RC_NOMEM;
        }
        return RC_OK;
    }
    if (there == NULL) {
        there = cJSON_AddArrayToObject(object, member->name);
    }
    if (!cJSON_AddItemToArray(there, value)) {
        cJSON_Delete(value);
        return RC_NOMEM;
    }
    return RC_OK;
}

int
filter_from_query(cJSON **object, const struct query *query, const char *others,
                  struct problem *problem)
{
    cJSON *made = cJSON_CreateObject();
    int rc = made != NULL ? RC_OK : RC_NOMEM;
    for (size_t i = 0; i < query->count && rc == RC_OK; i++) {
        const struct query_pair *pair = &query->pairs[i];
        const struct member *member = find_member(pair->name);
        if (member != NULL) {
            rc = add_pair(made, member, pair, problem);
        } else if (!query_word_in(others, pair->name)) {
            rc = unknown(pair->name, NULL, problem);
        }
    }
    if (rc != RC_OK) {
        cJSON_Delete(made);
        return rc;
    }
    *object = made;
    return RC_OK;
}

/* ---- Reading -------------------------------------------------------- */

/* What a reader is at. */
struct reading {
    struct view_filter *filter;
    const struct member *member;
    const char *base;
    struct problem *problem;
};

static int
wrong(const struct reading *reading, const char *should, const char *got,
      const char *allowed)
{
    problem_set(reading->problem,
                reading->base == NULL ? PROBLEM_PARAMETER : PROBLEM_BODY,
                "\"%s\" must be %s%s%.100s%s", reading->member->name, should,
                got != NULL ? ", not \"" : "", got != NULL ? got : "",
                got != NULL ? "\"" : "");
    problem_blame(reading->problem, reading->base, reading->member->name,
                  allowed);
    return RC_INVALID;
}

static void *
place(const struct reading *reading)
{
    return (char *)reading->filter + reading->member->offset;
}

/* Text that may be an id or a name: not empty, and no longer than any. */
static int
read_text(const struct reading *reading, const cJSON *value, const char **out)
{
    if (!cJSON_IsString(value) || value->valuestring[0] == '\0' ||
        strlen(value->valuestring) > EVENT_ID_MAX) {
        return wrong(reading, "text of 1 to 255 bytes", NULL, NULL);
    }
    *out = value->valuestring;
    return RC_OK;
}

static int
read_list(const struct reading *reading, const cJSON *value)
{
    int is_types = reading->member->kind == TYPES;
    struct view_filter *filter = reading->filter;
    const char **list = is_types ? filter->types : filter->ids;
    size_t *count = is_types ? &filter->type_count : &filter->id_count;
    size_t max = is_types ? VIEW_TYPES_MAX : VIEW_IDS_MAX;
    const cJSON *item = cJSON_IsArray(value) ? value->child : value;
    if (item == NULL) {
        return wrong(reading, "one text, or a list of at least one", NULL,
                     NULL);
    }
    for (; item != NULL; item = cJSON_IsArray(value) ? item->next : NULL) {
        if (*count == max) {
            return wrong(reading, is_types ? "at most 16" : "at most 100", NULL,
                         NULL);
        }
        const char *text;
        int rc = read_text(reading, item, &text);
        if (rc != RC_OK) {
            return rc;
        }
        if (is_types && !event_pattern_valid(text)) {
            return wrong(reading, "a type, \"prefix.*\" or \"*\"", text, NULL);
        }
        list[(*count)++] = text;
    }
    return RC_OK;
}

static int
read_mode(const struct reading *reading, const cJSON *value)
{
    int *out = place(reading);
    const char *text = cJSON_GetStringValue(value);
    if (cJSON_IsBool(value)) {
        *out = cJSON_IsTrue(value);
        return RC_OK;
    }
    *out = text != NULL && strcmp(text, "true") == 0;
    if (*out || (text != NULL && strcmp(text, "false") == 0)) {
        return RC_OK;
    }
    return wrong(reading, "true or false", text, "true false");
}

static int
read_state(const struct reading *reading, const cJSON *value)
{
    int *out = place(reading);
    const char *text = cJSON_GetStringValue(value);
    *out = text != NULL ? view_state_parse(text) : -1;
    if (*out >= 0) {
        return RC_OK;
    }
    struct suggest suggest;
    suggest_init(&suggest, text != NULL ? text : "");
    suggest_offer(&suggest, "pending");
    for (int i = 0; i < VIEW_STATE_COUNT; i++) {
        suggest_offer(&suggest, view_state_name((enum view_state)i));
    }
    wrong(reading, "one of the states", text, STATES);
    if (suggest.best != NULL) {
        problem_hint(reading->problem, "did you mean \"%s\"?", suggest.best);
    }
    return RC_INVALID;
}

static int
read_time(const struct reading *reading, const cJSON *value)
{
    int64_t *out = place(reading), ms = 0;
    const char *text = cJSON_GetStringValue(value);
    int good = text != NULL && stamp_parse(text, &ms) == RC_OK;
    if (cJSON_IsNumber(value)) {
        double seconds = value->valuedouble;
        good = seconds >= 1 && seconds <= (double)STAMP_LAST_S &&
               (double)(int64_t)seconds >= seconds;
        ms = good ? (int64_t)seconds * 1000 : 0;
    }
    if (!good) {
        return wrong(reading,
                     "a time like 2026-11-23T09:41:02Z, or whole seconds since "
                     "1970",
                     text, NULL);
    }
    /* `created` is in whole seconds: >= 9.5 is >= 10, and < 9.5 is < 10. */
    *out = reading->member->kind == TIME_S ? (ms + 999) / 1000 : ms;
    return RC_OK;
}

static int
read_member(const struct reading *reading, const cJSON *value)
{
    switch (reading->member->kind) {
    case TEXTS:
    case TYPES:
        return read_list(reading, value);
    case TEXT:
        return read_text(reading, value, place(reading));
    case MODE:
        return read_mode(reading, value);
    case STATE:
        return read_state(reading, value);
    case TIME_MS:
    case TIME_S:
        return read_time(reading, value);
    }
    return RC_INVALID;
}

int
filter_read(struct view_filter *filter, const cJSON *object, const char *base,
            struct problem *problem)
{
    view_filter_init(filter);
    unsigned seen = 0;
    for (const cJSON *item = object != NULL ? object->child : NULL;
         item != NULL; item = item->next) {
        const struct member *member = find_member(item->string);
        if (member == NULL) {
            return unknown(item->string, base, problem);
        }
        struct reading reading = {filter, member, base, problem};
        unsigned bit = 1U << (member - members);
        if ((seen & bit) != 0) {
            return wrong(&reading, "there once", NULL, NULL);
        }
        seen |= bit;
        int rc = read_member(&reading, item);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return RC_OK;
}

/* ---- Writing -------------------------------------------------------- */

static cJSON *
write_list(const char *const *list, size_t count)
{
    return count > 0 ? cJSON_CreateStringArray(list, (int)count) : NULL;
}

static cJSON *
write_time(int64_t ms)
{
    char text[STAMP_MAX];
    return ms != 0 ? cJSON_CreateString(stamp_format(text, ms)) : NULL;
}

static cJSON *
write_member(const struct view_filter *filter, const struct member *member)
{
    const void *at = (const char *)filter + member->offset;
    const char *text;
    int number;
    int64_t wide;
    switch (member->kind) {
    case TEXTS:
        return write_list(filter->ids, filter->id_count);
    case TYPES:
        return write_list(filter->types, filter->type_count);
    case TEXT:
        memcpy(&text, at, sizeof(text));
        return text != NULL ? cJSON_CreateString(text) : NULL;
    case MODE:
        memcpy(&number, at, sizeof(number));
        return number >= 0 ? cJSON_CreateBool(number) : NULL;
    case STATE:
        memcpy(&number, at, sizeof(number));
        return number < 0 ? NULL
                          : cJSON_CreateString(
                                number == VIEW_STATE_COUNT
                                    ? "pending"
                                    : view_state_name((enum view_state)number));
    case TIME_MS:
    case TIME_S:
        memcpy(&wide, at, sizeof(wide));
        return write_time(member->kind == TIME_S ? wide * 1000 : wide);
    }
    return NULL;
}

cJSON *
filter_json(const struct view_filter *filter)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; object != NULL && i < MEMBERS; i++) {
        cJSON *value = write_member(filter, &members[i]);
        if (value != NULL) {
            cJSON_AddItemToObject(object, members[i].name, value);
        }
    }
    return object;
}

/* ---- Comparing ------------------------------------------------------ */

int
filter_narrows(const struct view_filter *filter)
{
    int types = filter->type_count > 0;
    for (size_t i = 0; i < filter->type_count; i++) {
        types &= strcmp(filter->types[i], "*") != 0;
    }
    return types || filter->id_count > 0 || filter->plugin != NULL ||
           filter->object_id != NULL || filter->customer != NULL ||
           filter->account != NULL || filter->state >= 0 ||
           filter->livemode >= 0 || filter->received_after_ms != 0 ||
           filter->received_before_ms != 0 || filter->created_after_s != 0 ||
           filter->created_before_s != 0;
}

uint64_t
filter_hash_text(uint64_t hash, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    do {
        hash = (hash ^ *at) * 1099511628211ULL;
    } while (*at++ != '\0');
    return hash;
}

uint64_t
filter_hash(const struct view_filter *filter)
{
    cJSON *object = filter_json(filter);
    char *text = cJSON_PrintUnformatted(object);
    uint64_t hash =
        filter_hash_text(FILTER_HASH_START, text != NULL ? text : "");
    cJSON_free(text);
    cJSON_Delete(object);
    return hash;
}
