/* core/runner/facts.c: the facts of an event that a plugin may ask for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/facts.h"

#include "plugin/wire.h"
#include "runner/scratch.h"

#include <string.h>

/* "type:object id". */
static const char *
change_of(const struct wire_event *facts, struct scratch *scratch)
{
    if (facts->object_id[0] == '\0') {
        return "";
    }
    size_t type_len = strlen(facts->type);
    size_t object_len = strlen(facts->object_id);
    char *text = scratch_need(scratch, type_len + 1 + object_len + 1);
    memcpy(text, facts->type, type_len);
    text[type_len] = ':';
    memcpy(text + type_len + 1, facts->object_id, object_len + 1);
    return text;
}

int32_t
facts_str(const struct wire_event *facts, int32_t field,
          struct scratch *scratch, peg_str *out)
{
    const char *text = NULL;
    switch (field) {
    case PEG_META_ID:
        text = facts->event_id;
        break;
    case PEG_META_TYPE:
        text = facts->type;
        break;
    case PEG_META_ACCOUNT:
        text = facts->account;
        break;
    case PEG_META_API_VERSION:
        text = facts->api_version;
        break;
    case PEG_META_KEY:
        text = facts->key;
        break;
    case PEG_META_OBJECT_ID:
        text = facts->object_id;
        break;
    case PEG_META_SIGNATURE:
        text = facts->signature;
        break;
    case PEG_META_CHANGE:
        text = change_of(facts, scratch);
        break;
    case PEG_META_SNAPSHOT_EVENT:
        text = facts->snapshot_event;
        break;
    case PEG_META_LIVEMODE:
    case PEG_META_CREATED:
    case PEG_META_RECEIVED:
    case PEG_META_ATTEMPT:
    case PEG_META_THIN:
    case PEG_META_REPLAY:
        return PEG_TYPE;
    default:
        return PEG_ABSENT;
    }
    if (text[0] == '\0') {
        return PEG_ABSENT;
    }
    *out = (peg_str){text, strlen(text)};
    return PEG_OK;
}

int32_t
facts_i64(const struct wire_event *facts, int32_t field, int64_t *out)
{
    switch (field) {
    case PEG_META_LIVEMODE:
        *out = facts->livemode;
        return PEG_OK;
    case PEG_META_CREATED:
        if (facts->created_s == 0) {
            return PEG_ABSENT; /* Stripe did not exist in 1970 */
        }
        *out = facts->created_s;
        return PEG_OK;
    case PEG_META_RECEIVED:
        *out = facts->received_ms;
        return PEG_OK;
    case PEG_META_ATTEMPT:
        *out = facts->attempt;
        return PEG_OK;
    case PEG_META_THIN:
        *out = facts->thin;
        return PEG_OK;
    case PEG_META_REPLAY:
        *out = facts->replay != 0;
        return PEG_OK;
    case PEG_META_ID:
    case PEG_META_TYPE:
    case PEG_META_ACCOUNT:
    case PEG_META_API_VERSION:
    case PEG_META_KEY:
    case PEG_META_OBJECT_ID:
    case PEG_META_SIGNATURE:
    case PEG_META_CHANGE:
    case PEG_META_SNAPSHOT_EVENT:
        return PEG_TYPE;
    default:
        return PEG_ABSENT;
    }
}
