/* pegboard/cjson.h: the event as a cJSON tree, for plugins that link cJSON
 * themselves. Optional, and no part of the ABI. C11 and C++17.
 *
 * For amounts prefer peg_get_i64(): cJSON keeps numbers as double, so integers
 * beyond 2^53 change, and its valueint stops at 2147483647.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PEGBOARD_CJSON_H
#define PEGBOARD_CJSON_H

#include <pegboard/plugin.h>

#include <cjson/cJSON.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Parse the whole event.
 *
 * @return a tree of the plugin's own, to be freed with cJSON_Delete(); NULL
 *         when memory is out
 */
static inline cJSON *
peg_event_cjson(const peg_event *ev)
{
    peg_str raw;
    if (peg_get_raw(ev, "", &raw) != PEG_OK) {
        return NULL;
    }
    /* The length counts the NUL behind the event, so that the parser can see
     * that nothing else follows. */
    return cJSON_ParseWithLengthOpts(raw.ptr, raw.len + 1, NULL, 1);
}

#ifdef __cplusplus
}
#endif

#endif
