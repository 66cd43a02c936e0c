/* core/admin/show.c: rows of the inbox as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/show.h"

#include "admin/filter.h"
#include "admin/stamp.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Parts ---------------------------------------------------------- */

void
show_time(cJSON *object, const char *name, int64_t ms)
{
    char text[STAMP_MAX];
    if (ms == 0) {
        cJSON_AddNullToObject(object, name);
    } else {
        cJSON_AddStringToObject(object, name, stamp_format(text, ms));
    }
}

/* Bytes that are not UTF-8 would make the whole answer no JSON: what plugins
 * log may hold any. Length of the good character at `at`, or 0. */
static size_t
good_character(const unsigned char *at)
{
    size_t len = *at < 0x80   ? 1
                 : *at < 0xc2 ? 0
                 : *at < 0xe0 ? 2
                 : *at < 0xf0 ? 3
                 : *at < 0xf5 ? 4
                              : 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
        (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return len;
}

static int
is_good(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t len = good_character(at);
        if (len == 0) {
            return 0;
        }
        at += len;
    }
    return 1;
}

/* A copy with '?' for each byte that is wrong; NULL when out of memory. */
static char *
make_good(const char *text)
{
    char *copy = cJSON_malloc(strlen(text) + 1);
    char *to = copy;
    const unsigned char *at = (const unsigned char *)text;
    while (copy != NULL && *at != '\0') {
        size_t len = good_character(at);
        if (len == 0) {
            *to++ = '?';
            at++;
            continue;
        }
        memcpy(to, at, len);
        to += len;
        at += len;
    }
    if (copy != NULL) {
        *to = '\0';
    }
    return copy;
}

void
show_text(cJSON *object, const char *name, const char *text)
{
    if (text == NULL || *text == '\0') {
        cJSON_AddNullToObject(object, name);
    } else if (is_good(text)) {
        cJSON_AddStringToObject(object, name, text);
    } else {
        char *copy = make_good(text);
        cJSON_AddStringToObject(object, name, copy != NULL ? copy : "");
        cJSON_free(copy);
    }
}

void
show_number(cJSON *object, const char *name, int64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}

void
show_seconds(cJSON *object, const char *name, int64_t us)
{
    cJSON_AddNumberToObject(object, name, (double)us / 1e6);
}

void
show_names(cJSON *object, const char *name, char *const *names, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (size_t i = 0; list != NULL && i < count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
    }
}

/* ---- Lists ---------------------------------------------------------- */

cJSON *
show_list(void)
{
    cJSON *list = cJSON_CreateObject();
    cJSON_AddStringToObject(list, "object", "list");
    if (cJSON_AddArrayToObject(list, "data") == NULL) {
        cJSON_Delete(list);
        return NULL;
    }
    cJSON_AddBoolToObject(list, "has_more", 0);
    return list;
}

int
show_push(cJSON *list, cJSON *row)
{
    cJSON *data = cJSON_GetObjectItemCaseSensitive(list, "data");
    if (row == NULL || !cJSON_AddItemToArray(data, row)) {
        cJSON_Delete(row);
        return 1;
    }
    return 0;
}

static cJSON *
start_object(const char *kind)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "object", kind);
    return object;
}

/* ---- Rows ----------------------------------------------------------- */

cJSON *
show_event(const struct view_event *row)
{
    cJSON *object = start_object("event");
    show_text(object, "id", row->id);
    show_text(object, "type", row->type);
    show_text(object, "state", view_state_name(row->state));
    cJSON_AddBoolToObject(object, "livemode", row->livemode);
    cJSON_AddBoolToObject(object, "thin", row->thin);
    show_text(object, "account", row->account);
    show_text(object, "api_version", row->api_version);
    show_text(object, "object_id", row->object_id);
    show_text(object, "customer", row->customer);
    show_text(object, "snapshot_event", row->snapshot_event);
    show_text(object, "endpoint", row->endpoint);
    show_text(object, "secret", row->secret);
    cJSON_AddBoolToObject(object, "routed", row->routed);
    show_time(object, "created_at", row->created_s * 1000);
    show_time(object, "received_at", row->received_ms);
    show_number(object, "body_bytes", row->body_bytes);
    show_number(object, "repeats", row->repeats);
    show_number(object, "conflicts", row->conflicts);
    return object;
}

cJSON *
show_delivery(const struct view_delivery *row)
{
    cJSON *object = start_object("delivery");
    show_text(object, "event_id", row->event_id);
    show_text(object, "type", row->type);
    show_text(object, "plugin", row->plugin);
    show_text(object, "state", view_state_name(row->state));
    show_number(object, "attempts", row->attempts);
    show_number(object, "spared", row->spared);
    show_number(object, "crashes", row->crashes);
    show_time(object, "next_attempt_at", row->due_ms);
    show_time(object, "died_at", row->died_ms);
    show_text(object, "last_outcome",
              row->last_outcome < 0
                  ? ""
                  : inbox_outcome_name((enum inbox_outcome)row->last_outcome));
    show_text(object, "last_message", row->note);
    show_text(object, "cause", row->cause);
    return object;
}

cJSON *
show_attempt(const struct view_attempt *row)
{
    cJSON *object = start_object("attempt");
    show_text(object, "plugin", row->plugin);
    show_number(object, "number", row->n);
    show_text(object, "outcome", inbox_outcome_name(row->outcome));
    show_time(object, "started_at", row->started_ms);
    show_seconds(object, "duration_seconds", row->duration_us);
    show_text(object, "message", row->note);
    show_text(object, "signal",
              row->signal != 0 ? sigabbrev_np(row->signal) : "");
    show_text(object, "log", row->evidence);
    show_text(object, "digest", row->digest);
    if (row->generation != 0) {
        show_number(object, "generation", row->generation);
    } else {
        cJSON_AddNullToObject(object, "generation");
    }
    return object;
}

cJSON *
show_receipt(const struct view_receipt *row)
{
    cJSON *object = start_object("receipt");
    show_time(object, "received_at", row->received_ms);
    show_time(object, "signed_at", row->signed_s * 1000);
    show_text(object, "endpoint", row->endpoint);
    show_text(object, "secret", row->secret);
    cJSON_AddBoolToObject(object, "conflict", row->conflict);
    show_number(object, "conflict_bytes", row->conflict_bytes);
    return object;
}

/* The same for all that are alike, also tomorrow and on another host. */
static void
write_fingerprint(char *out, size_t size, const struct view_dead *row)
{
    uint64_t hash = filter_hash_text(FILTER_HASH_START, row->plugin);
    hash = filter_hash_text(hash, row->type);
    hash = filter_hash_text(hash, inbox_outcome_name(row->outcome));
    hash = filter_hash_text(hash, row->cause);
    snprintf(out, size, "%012" PRIx64, hash >> 16);
}

cJSON *
show_dead(const struct view_dead *row)
{
    char fingerprint[24];
    cJSON *object = start_object("dead_letters");
    write_fingerprint(fingerprint, sizeof(fingerprint), row);
    show_text(object, "fingerprint", fingerprint);
    show_text(object, "plugin", row->plugin);
    show_text(object, "type", row->type);
    show_text(object, "outcome", inbox_outcome_name(row->outcome));
    show_text(object, "cause", row->cause);
    show_number(object, "count", row->count);
    show_time(object, "first_at", row->first_ms);
    show_time(object, "last_at", row->last_ms);
    show_text(object, "sample_event_id", row->sample_id);
    show_text(object, "sample_message", row->sample_note);
    return object;
}
