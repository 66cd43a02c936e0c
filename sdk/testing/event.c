/* sdk/testing/event.c: the event at hand and its facts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* @param rc  of reading `sample`, which becomes the host's */
static int
take(pegt_host *host, struct sample *sample, int rc)
{
    if (rc != RC_OK) {
        return PEGT_REFUSED;
    }
    sample_fini(&host->sample);
    for (size_t i = 0; i < KIT_FACTS_MAX; i++) {
        free(host->facts[i]);
        host->facts[i] = NULL;
    }
    host->sample = *sample;
    host->sample.facts.attempt = 1;
    return PEGT_OK;
}

static int
refused(pegt_host *host)
{
    if (host->state == KIT_REFUSED) {
        return 1;
    }
    host->err.text[0] = '\0';
    return 0;
}

int
pegt_set_event(pegt_host *host, const char *json)
{
    struct sample sample;
    if (refused(host)) {
        return PEGT_REFUSED;
    }
    return take(host, &sample,
                sample_take(&sample, json, host->manifest.name, &host->err));
}

int
pegt_set_event_file(pegt_host *host, const char *path)
{
    struct sample sample;
    if (refused(host)) {
        return PEGT_REFUSED;
    }
    return take(host, &sample,
                sample_read(&sample, path, host->manifest.name, &host->err));
}

/* ---- Facts ---------------------------------------------------------- */

/* Where the text of a fact hangs, or NULL. */
static const char **
text_of(struct wire_event *facts, int32_t field)
{
    switch (field) {
    case PEG_META_ID:
        return &facts->event_id;
    case PEG_META_TYPE:
        return &facts->type;
    case PEG_META_ACCOUNT:
        return &facts->account;
    case PEG_META_API_VERSION:
        return &facts->api_version;
    case PEG_META_KEY:
        return &facts->key;
    case PEG_META_OBJECT_ID:
        return &facts->object_id;
    case PEG_META_SIGNATURE:
        return &facts->signature;
    case PEG_META_SNAPSHOT_EVENT:
        return &facts->snapshot_event;
    default:
        return NULL;
    }
}

static int
no_event(pegt_host *host)
{
    if (refused(host)) {
        return 1;
    }
    if (host->sample.body == NULL) {
        kit_refuse(host, "no event yet: call pegt_set_event() first");
        return 1;
    }
    return 0;
}

int
pegt_set_meta_str(pegt_host *host, int32_t field, const char *value)
{
    if (no_event(host)) {
        return PEGT_REFUSED;
    }
    const char **text = text_of(&host->sample.facts, field);
    if (text == NULL) {
        return kit_refuse(host,
                          "field %d is no PEG_META_* that is a text and "
                          "can be set",
                          field);
    }
    free(host->facts[field]);
    host->facts[field] = kit_need(strdup(value == NULL ? "" : value));
    *text = host->facts[field];
    return PEGT_OK;
}

int
pegt_set_meta_i64(pegt_host *host, int32_t field, int64_t value)
{
    if (no_event(host)) {
        return PEGT_REFUSED;
    }
    struct wire_event *facts = &host->sample.facts;
    int small = value >= 0 && value <= UINT32_MAX;
    if (field == PEG_META_CREATED) {
        facts->created_s = value;
    } else if (field == PEG_META_RECEIVED) {
        facts->received_ms = value;
    } else if (field == PEG_META_LIVEMODE && small) {
        facts->livemode = value != 0;
    } else if (field == PEG_META_THIN && small) {
        facts->thin = value != 0;
    } else if (field == PEG_META_REPLAY && small) {
        facts->replay = value != 0;
    } else if (field == PEG_META_ATTEMPT && small && value > 0) {
        facts->attempt = (uint32_t)value;
    } else {
        return kit_refuse(host,
                          "field %d is no PEG_META_* that is a number and can "
                          "be that",
                          field);
    }
    return PEGT_OK;
}
