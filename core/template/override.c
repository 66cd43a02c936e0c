/* core/template/override.c: "path=value" changes to a test event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "template/override.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template/document.h"
#include "error.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* Whether a path begins with a member of the envelope. */
static int
is_envelope_path(int thin, const char *path)
{
    static const char *const snapshot_names[] = {
        "id",      "object", "account",  "api_version",      "context",
        "created", "data",   "livemode", "pending_webhooks", "request",
        "type",    NULL};
    static const char *const thin_names[] = {"id",
                                             "object",
                                             "type",
                                             "livemode",
                                             "created",
                                             "context",
                                             "related_object",
                                             "reason",
                                             "snapshot_event",
                                             "changes",
                                             "data",
                                             NULL};
    size_t len = strcspn(path, ".");
    const char *const *name = thin ? thin_names : snapshot_names;
    while (*name != NULL &&
           (strlen(*name) != len || strncmp(*name, path, len) != 0)) {
        name++;
    }
    return *name != NULL;
}

/* What the event's object is, as Stripe's CLI names it: "checkout_session". */
static void
object_name(const cJSON *event, char *name, size_t room)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(event, "data");
    const char *object = document_text(
        cJSON_GetObjectItemCaseSensitive(data, "object"), "object");
    snprintf(name, room, "%s", object != NULL ? object : "");
    for (char *dot = name; *dot != '\0'; dot++) {
        *dot = *dot == '.' ? '_' : *dot;
    }
}

/* Pass over "payment_intent:" after checking that the event holds that. */
static int
skip_name(const cJSON *event, const char **path, int *named, struct error *err)
{
    size_t len = strspn(*path, NAME_CHARS);
    *named = len > 0 && (*path)[len] == ':';
    if (!*named) {
        return RC_OK;
    }
    char name[64];
    object_name(event, name, sizeof(name));
    if (strlen(name) != len || strncmp(name, *path, len) != 0) {
        return error_set(err, RC_INVALID,
                         "%.128s: this event holds %s, not %.*s", *path,
                         name[0] != '\0' ? name : "no object", (int)len, *path);
    }
    *path += len + 1;
    return RC_OK;
}

/* The path from the event's root; the caller frees it. */
static int
full_path(const cJSON *event, int thin, const char *path, char **full,
          struct error *err)
{
    int named;
    int rc = skip_name(event, &path, &named, err);
    if (rc != RC_OK) {
        return rc;
    }
    int relative = named || !is_envelope_path(thin, path);
    if (relative && thin) {
        return error_set(err, RC_INVALID,
                         "%.128s: a thin event holds no object; begin the path "
                         "with one of its own members, such as "
                         "related_object.id",
                         path);
    }
    if (asprintf(full, "%s%s", relative ? "data.object." : "", path) < 0) {
        return error_set(err, RC_NOMEM, "test event: out of memory");
    }
    return RC_OK;
}

static cJSON *
read_value(const char *text)
{
    cJSON *value;
    if (document_parse(&value, text, strlen(text), NULL) == RC_OK) {
        return value;
    }
    return cJSON_CreateString(text);
}

int
override_apply(cJSON *event, int thin, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return error_set(err, RC_INVALID,
                         "%.128s: an override is path=value, such as "
                         "amount=2000",
                         text);
    }
    char *path = strndup(text, (size_t)(equals - text));
    if (path == NULL) {
        return error_set(err, RC_NOMEM, "test event: out of memory");
    }
    char *full;
    int rc = full_path(event, thin, path, &full, err);
    free(path);
    if (rc == RC_OK) {
        rc = document_set(event, full, read_value(equals + 1), err);
        free(full);
    }
    return rc;
}
