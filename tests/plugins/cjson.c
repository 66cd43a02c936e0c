/* tests/plugins/cjson.c: reads the event with a cJSON of its own, through
 * pegboard/cjson.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/cjson.h>

#include <string.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    peg_str id;
    cJSON *event = peg_event_cjson(ev);
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, "id"));
    int same = text != NULL && peg_meta_str(ev, PEG_META_ID, &id) == PEG_OK &&
               strcmp(text, id.ptr) == 0;
    cJSON_Delete(event);
    return same ? PEG_DONE : PEG_FAIL;
}

PEG_PLUGIN(.name = "cjson", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
