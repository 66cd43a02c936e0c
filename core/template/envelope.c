/* core/template/envelope.c: what stands around the object of a test event.
 * SPDX-License-Identifier: Apache-2.0 */
#include "template/envelope.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "template/document.h"
#include "error.h"
#include "template/ids.h"
#include "template/sample.h"
#include "template/template.h"

static int
no_memory(struct error *err)
{
    return error_set(err, RC_NOMEM, "test event: out of memory");
}

/* Put a string, or null for NULL. */
static int
put_text(cJSON *object, const char *key, const char *text)
{
    return document_put(object, key,
                        text != NULL ? cJSON_CreateString(text)
                                     : cJSON_CreateNull());
}

static int
put_bool(cJSON *object, const char *key, int value)
{
    return document_put(object, key, cJSON_CreateBool(value));
}

/* {"id": ..., "idempotency_key": ...}: the API call that caused the event. */
static int
put_request(cJSON *parent, const struct envelope *envelope, struct error *err)
{
    char id[IDS_MAX];
    char uuid[IDS_MAX];
    int rc = ids_make(id, "req", 0, envelope->names->now_ms, err);
    if (rc == RC_OK) {
        rc = ids_uuid(uuid, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    int automatic = envelope->sample->automatic;
    cJSON *request = cJSON_CreateObject();
    if (document_put(parent, "request", request) != RC_OK ||
        put_text(request, "id", automatic ? NULL : id) != RC_OK ||
        put_text(request, "idempotency_key", automatic ? NULL : uuid) !=
            RC_OK) {
        return no_memory(err);
    }
    return RC_OK;
}

/* ---- Snapshot events ------------------------------------------------ */

static int
put_data(cJSON *event, struct sample *sample, struct error *err)
{
    cJSON *data = cJSON_CreateObject();
    if (document_put(event, "data", data) != RC_OK) {
        return no_memory(err);
    }
    cJSON *object = sample->object;
    cJSON *previous = sample->previous;
    sample->object = NULL;
    sample->previous = NULL;
    int rc = document_put(data, "object", object);
    if (previous != NULL) {
        int put = document_put(data, "previous_attributes", previous);
        rc = rc == RC_OK ? put : rc;
    }
    return rc == RC_OK ? rc : no_memory(err);
}

static int
fill_snapshot(cJSON *event, const struct envelope *envelope, struct error *err)
{
    int64_t now_ms = envelope->names->now_ms;
    char id[IDS_MAX];
    int rc = ids_make(id, "evt", envelope->names->live, now_ms, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (put_text(event, "id", id) != RC_OK ||
        put_text(event, "object", "event") != RC_OK ||
        (envelope->account != NULL &&
         put_text(event, "account", envelope->account) != RC_OK) ||
        put_text(event, "api_version", TEMPLATE_API_VERSION) != RC_OK ||
        document_put(event, "created", document_integer(now_ms / 1000)) !=
            RC_OK) {
        return no_memory(err);
    }
    rc = put_data(event, envelope->sample, err);
    if (rc != RC_OK) {
        return rc;
    }
    if (put_bool(event, "livemode", envelope->names->live) != RC_OK ||
        document_put(event, "pending_webhooks", document_integer(1)) != RC_OK) {
        return no_memory(err);
    }
    rc = put_request(event, envelope, err);
    if (rc == RC_OK && put_text(event, "type", envelope->type) != RC_OK) {
        rc = no_memory(err);
    }
    return rc;
}

/* ---- Thin events ---------------------------------------------------- */

/* Objects of which an account or a customer has only one: thin events name
 * their path and no id. */
static const struct {
    const char *object, *url;
} singletons[] = {
    {"balance", "/v1/balance"},
    {"balance_settings", "/v1/balance_settings"},
    {"cash_balance", "/v1/customers/{cus}/cash_balance"},
    {"discount", "/v1/customers/{cus}/discount"},
    {"tax.settings", "/v1/tax/settings"},
};

static const char *
singleton_url(const char *object)
{
    for (size_t i = 0; i < sizeof(singletons) / sizeof(singletons[0]); i++) {
        if (strcmp(singletons[i].object, object) == 0) {
            return singletons[i].url;
        }
    }
    return NULL;
}

/* The path of all others: "issuing.card" is under /v1/issuing/cards. */
static int
make_url(char **url, const char *object, const char *id, struct error *err)
{
    char path[128];
    snprintf(path, sizeof(path), "%s", object);
    for (char *at = path; *at != '\0'; at++) {
        *at = *at == '.' ? '/' : *at;
    }
    size_t len = strlen(path);
    int ends_in_y = len > 0 && path[len - 1] == 'y';
    if (asprintf(url, "%s%.*s%s/%s",
                 strncmp(object, "v2.", 3) == 0 ? "/" : "/v1/",
                 (int)(ends_in_y ? len - 1 : len), path,
                 ends_in_y ? "ies" : "s", id) < 0) {
        return no_memory(err);
    }
    return RC_OK;
}

static int
put_related(cJSON *event, const struct envelope *envelope, struct error *err)
{
    const cJSON *object = envelope->sample->object;
    if (object == NULL) {
        return RC_OK;
    }
    const char *type = document_text(object, "object");
    const char *id = document_text(object, "id");
    const char *single = type != NULL ? singleton_url(type) : NULL;
    if (type == NULL || (id == NULL && single == NULL)) {
        return error_set(err, RC_INVALID,
                         "a thin event refers to an object by \"object\" and "
                         "\"id\": the data lacks one of them");
    }
    char *url;
    int rc = single != NULL ? sample_expand(&url, single, envelope->names, err)
                            : make_url(&url, type, id, err);
    if (rc != RC_OK) {
        return rc;
    }
    cJSON *related = cJSON_CreateObject();
    if (document_put(event, "related_object", related) != RC_OK ||
        (single == NULL && put_text(related, "id", id) != RC_OK) ||
        put_text(related, "type", type) != RC_OK ||
        put_text(related, "url", url) != RC_OK) {
        rc = no_memory(err);
    }
    free(url);
    return rc;
}

/* The id of the snapshot event that tells the same, if there is such a type. */
static int
put_twin(cJSON *event, const struct envelope *envelope, struct error *err)
{
    if (envelope->twin == NULL) {
        return RC_OK;
    }
    char id[IDS_MAX];
    int rc = ids_make(id, "evt", envelope->names->live, envelope->names->now_ms,
                      err);
    if (rc == RC_OK && put_text(event, "snapshot_event", id) != RC_OK) {
        rc = no_memory(err);
    }
    return rc;
}

static int
put_reason(cJSON *event, const struct envelope *envelope, struct error *err)
{
    if (envelope->sample->automatic) {
        int rc = put_text(event, "reason", NULL);
        return rc == RC_OK ? rc : no_memory(err);
    }
    cJSON *reason = cJSON_CreateObject();
    if (document_put(event, "reason", reason) != RC_OK ||
        put_text(reason, "type", "request") != RC_OK) {
        return no_memory(err);
    }
    return put_request(reason, envelope, err);
}

/* "2026-11-23T09:41:02.317Z" */
static void
format_iso(char *out, size_t room, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char text[32];
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, room, "%s.%03dZ", text, (int)(now_ms % 1000));
}

static int
fill_thin(cJSON *event, const struct envelope *envelope, struct error *err)
{
    int64_t now_ms = envelope->names->now_ms;
    char id[IDS_MAX];
    int rc = ids_make_thin(id, envelope->names->live, now_ms, err);
    if (rc != RC_OK) {
        return rc;
    }
    char created[48];
    format_iso(created, sizeof(created), now_ms);
    if (put_text(event, "id", id) != RC_OK ||
        put_text(event, "object", "v2.core.event") != RC_OK ||
        put_text(event, "type", envelope->type) != RC_OK ||
        put_bool(event, "livemode", envelope->names->live) != RC_OK ||
        put_text(event, "created", created) != RC_OK ||
        put_text(event, "context", envelope->account) != RC_OK) {
        return no_memory(err);
    }
    rc = put_related(event, envelope, err);
    if (rc == RC_OK) {
        rc = put_twin(event, envelope, err);
    }
    return rc == RC_OK ? put_reason(event, envelope, err) : rc;
}

/* ---- Both ----------------------------------------------------------- */

typedef int fill_fn(cJSON *event, const struct envelope *envelope,
                    struct error *err);

static int
make(cJSON **event, fill_fn *fill, const struct envelope *envelope,
     struct error *err)
{
    cJSON *made = cJSON_CreateObject();
    int rc = made == NULL ? no_memory(err) : fill(made, envelope, err);
    if (rc != RC_OK) {
        cJSON_Delete(made);
        return rc;
    }
    *event = made;
    return RC_OK;
}

int
envelope_snapshot(cJSON **event, const struct envelope *envelope,
                  struct error *err)
{
    return make(event, fill_snapshot, envelope, err);
}

int
envelope_thin(cJSON **event, const struct envelope *envelope, struct error *err)
{
    return make(event, fill_thin, envelope, err);
}
