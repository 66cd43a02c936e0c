/* core/template/template.c: test events, made without Stripe.
 * SPDX-License-Identifier: Apache-2.0 */
#include "template/template.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stripe/catalog.h"
#include "clock.h"
#include "template/document.h"
#include "template/envelope.h"
#include "error.h"
#include "json/json.h"
#include "template/override.h"
#include "template/sample.h"

#define TYPE_ROOM 256

/* One event in the making. */
struct maker {
    const struct template_request *req;
    char type[TYPE_ROOM]; /* with "v1." when thin */
    int thin;
    struct sample_names names;
    struct sample sample; /* object NULL: a thin event refers to none */
    cJSON *event;
    struct error *err;
};

static int
no_memory(struct maker *maker)
{
    return error_set(maker->err, RC_NOMEM, "test event: out of memory");
}

static int
is_thin_name(const char *type)
{
    return strncmp(type, "v1.", 3) == 0 || strncmp(type, "v2.", 3) == 0;
}

/* The snapshot type that a thin one mirrors, or NULL. */
static const char *
twin_of(const char *type)
{
    const struct catalog_type *entry =
        strncmp(type, "v1.", 3) == 0 ? catalog_find(type + 3) : NULL;
    return entry != NULL ? entry->name : NULL;
}

int
template_known(const char *type)
{
    const char *twin = twin_of(type);
    return sample_known(twin != NULL ? twin : type);
}

/* ---- Type ----------------------------------------------------------- */

static int
unknown_type(const struct maker *maker, const char *type)
{
    char room[TYPE_ROOM];
    const char *near = catalog_nearest(type, room, sizeof(room));
    return error_set(maker->err, RC_NOT_FOUND,
                     "unknown event type \"%.128s\"%s%s%s; --list shows the "
                     "known ones, --data FILE sends any type",
                     type, near != NULL ? ", did you mean \"" : "",
                     near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* Settle the type and the family. */
static int
choose_type(struct maker *maker)
{
    const struct template_request *req = maker->req;
    if (req->type == NULL) {
        return error_set(maker->err, RC_INVALID,
                         "the data is not a whole event (no \"object\": "
                         "\"event\"): name the event's type as well");
    }
    int named_thin = is_thin_name(req->type);
    maker->thin = req->thin || named_thin;
    int len = snprintf(maker->type, sizeof(maker->type), "%s%s",
                       req->thin && !named_thin ? "v1." : "", req->type);
    if (len >= (int)sizeof(maker->type)) {
        return error_set(maker->err, RC_INVALID,
                         "an event type has at most %d bytes", TYPE_ROOM - 1);
    }
    if (catalog_find(maker->type) != NULL || req->data != NULL) {
        return RC_OK;
    }
    if (req->thin && !named_thin && catalog_find(req->type) != NULL) {
        return error_set(maker->err, RC_NOT_FOUND,
                         "%s has no thin form: there is no type %s", req->type,
                         maker->type);
    }
    return unknown_type(maker, req->type);
}

/* ---- Object --------------------------------------------------------- */

/* The object: from the request's data, or a sample. */
static int
choose_object(struct maker *maker, cJSON **data)
{
    if (*data != NULL) {
        maker->sample.object = *data;
        *data = NULL;
        if (maker->req->livemode) {
            sample_set_livemode(maker->sample.object, 1);
        }
        return RC_OK;
    }
    const struct catalog_type *entry = catalog_find(maker->type);
    const char *twin = twin_of(maker->type);
    int rc = sample_make(&maker->sample, twin != NULL ? twin : maker->type,
                         entry->object, &maker->names, maker->err);
    if (rc == RC_OK && maker->thin && entry->object[0] == '\0') {
        cJSON_Delete(maker->sample.object); /* it refers to none */
        maker->sample.object = NULL;
    }
    return rc;
}

/* ---- Whole events --------------------------------------------------- */

static int
is_whole_event(const cJSON *data)
{
    const char *object = document_text(data, "object");
    return object != NULL && (strcmp(object, "event") == 0 ||
                              strcmp(object, "v2.core.event") == 0);
}

/* Take an event as it is, with the changes asked for. */
static int
adopt_event(struct maker *maker, cJSON **data)
{
    const struct template_request *req = maker->req;
    maker->event = *data;
    *data = NULL;
    const char *type = document_text(maker->event, "type");
    maker->thin =
        strcmp(document_text(maker->event, "object"), "v2.core.event") == 0;
    if (req->thin && !maker->thin) {
        return error_set(maker->err, RC_INVALID,
                         "the data is a snapshot event already; --thin builds "
                         "its event itself");
    }
    if (req->type != NULL && (type == NULL || strcmp(type, req->type) != 0)) {
        return error_set(maker->err, RC_INVALID,
                         "the data is a whole event of type \"%.128s\", not "
                         "\"%.128s\": leave the type out, or give "
                         "--override type=%.128s",
                         type != NULL ? type : "", req->type, req->type);
    }
    int rc = RC_OK;
    if (req->account != NULL) {
        rc = document_put(maker->event, maker->thin ? "context" : "account",
                          cJSON_CreateString(req->account));
    }
    if (rc == RC_OK && req->livemode) {
        rc = document_put(maker->event, "livemode", cJSON_CreateTrue());
        sample_set_livemode(maker->event, 1);
    }
    return rc == RC_OK ? rc : no_memory(maker);
}

static int
is_unchanged(const struct template_request *req)
{
    return req->override_count == 0 && req->account == NULL && !req->livemode;
}

/* ---- Together ------------------------------------------------------- */

static int
make_event(struct maker *maker, cJSON **data)
{
    int rc = choose_type(maker);
    if (rc == RC_OK) {
        rc = choose_object(maker, data);
    }
    if (rc != RC_OK) {
        return rc;
    }
    const struct envelope envelope = {
        .type = maker->type,
        .twin = twin_of(maker->type),
        .account = maker->req->account,
        .names = &maker->names,
        .sample = &maker->sample,
    };
    return maker->thin
               ? envelope_thin(&maker->event, &envelope, maker->err)
               : envelope_snapshot(&maker->event, &envelope, maker->err);
}

/* Print the event. Text from a command line may hold any bytes: what is not
 * JSON any more is refused here rather than by the receiver. */
static int
print_event(struct maker *maker, char **body, size_t *len)
{
    char *text;
    size_t text_len;
    if (document_print(maker->event, &text, &text_len) != RC_OK) {
        return no_memory(maker);
    }
    struct json_fault fault;
    if (json_check(text, text_len, &fault) != RC_OK) {
        free(text);
        return error_set(maker->err, RC_INVALID,
                         "the event is not JSON any more (%s): is an override "
                         "not UTF-8?",
                         fault.reason);
    }
    *body = text;
    *len = text_len;
    return RC_OK;
}

static int
build(struct maker *maker, cJSON **data, char **body, size_t *len)
{
    const struct template_request *req = maker->req;
    int whole = is_whole_event(*data);
    int rc = whole ? adopt_event(maker, data) : make_event(maker, data);
    if (rc != RC_OK) {
        return rc;
    }
    if (whole && is_unchanged(req)) {
        char *copy = malloc(req->data_len + 1);
        if (copy == NULL) {
            return no_memory(maker);
        }
        memcpy(copy, req->data, req->data_len);
        copy[req->data_len] = '\0';
        *body = copy;
        *len = req->data_len;
        return RC_OK;
    }
    for (size_t i = 0; i < req->override_count && rc == RC_OK; i++) {
        rc = override_apply(maker->event, maker->thin, req->overrides[i],
                            maker->err);
    }
    return rc == RC_OK ? print_event(maker, body, len) : rc;
}

int
template_build(const struct template_request *req, char **body, size_t *len,
               struct error *err)
{
    struct maker maker = {.req = req, .err = err};
    maker.names.now_ms = req->now_ms != 0 ? req->now_ms : clock_wall_ms();
    maker.names.live = req->livemode;
    maker.names.account = req->account;

    cJSON *data = NULL;
    int rc = RC_OK;
    if (req->data != NULL) {
        rc = document_parse(&data, req->data, req->data_len, err);
        if (rc == RC_OK && !cJSON_IsObject(data)) {
            rc = error_set(err, RC_INVALID, "the data is not a JSON object");
        }
    }
    if (rc == RC_OK) {
        rc = build(&maker, &data, body, len);
    }
    cJSON_Delete(data);
    cJSON_Delete(maker.event);
    cJSON_Delete(maker.sample.object);
    cJSON_Delete(maker.sample.previous);
    return rc;
}
