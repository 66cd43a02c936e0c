/* core/stripe/twin.c: when two events tell of one change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/twin.h"

#include "error.h"
#include "json/json.h"
#include "stripe/digest.h"
#include "stripe/event.h"

#include <stdio.h>
#include <string.h>

/* Three texts with their lengths, a mode, and the digest of the data. */
#define KEY_TEXT_MAX (3 * (256 + 4) + 8 + DIGEST_BYTES)

int
twin_key(const struct event *event, const char *body, size_t len,
         unsigned char out[TWIN_BYTES])
{
    char text[KEY_TEXT_MAX];
    unsigned char data_digest[DIGEST_BYTES], digest[DIGEST_BYTES];
    struct json_value data;
    if (event->object_id[0] == '\0' || event->family == EVENT_THIN ||
        json_find(body, len, "data", &data) != RC_OK ||
        digest_sha256(data.ptr, data.len, data_digest, NULL) != RC_OK) {
        return 0;
    }
    /* With lengths, so that no text can run into the next. */
    int at = snprintf(text, sizeof(text), "%zu:%s%zu:%s%zu:%s%d",
                      strlen(event->type), event->type, strlen(event->account),
                      event->account, strlen(event->object_id),
                      event->object_id, event->livemode);
    memcpy(text + at, data_digest, DIGEST_BYTES);
    if (digest_sha256(text, (size_t)at + DIGEST_BYTES, digest, NULL) != RC_OK) {
        return 0;
    }
    memcpy(out, digest, TWIN_BYTES);
    return 1;
}
