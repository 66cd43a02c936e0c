/* core/template/override.h: "path=value" changes to a test event.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_OVERRIDE_H
#define CORE_OVERRIDE_H

struct cJSON;
struct error;

/**
 * Change one member of an event.
 *
 * "data.object.amount=2000" names it from the event's root. A path that does
 * not begin with a member of the envelope starts at data.object: "amount=2000".
 * So does one with the object's name in front, as Stripe's own CLI has it:
 * "payment_intent:amount=2000". The value is JSON, or else text.
 *
 * @param thin  whether the event is a thin one, which holds no object
 * @return RC_OK, RC_INVALID (the text names the path), RC_NOMEM
 */
int override_apply(struct cJSON *event, int thin, const char *text,
                   struct error *err);

#endif
