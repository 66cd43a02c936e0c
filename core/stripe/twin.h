/* core/stripe/twin.h: when two events tell of one change.
 *
 * Stripe at times makes two Event objects, with ids of their own, for one
 * change. Its advice is to compare `type` and `data.object.id`; but an object
 * changes more than once (invoice.updated, a payment that fails again), and
 * those must not be mistaken for one. So the whole of `data` must be the same
 * too, byte for byte: the object as it was then, and what it was before. And
 * what was changed and changed back can be changed in the same way again: the
 * inbox takes for twins only what was created at about the same time.
 * Source: Stripe documentation, "Receive Stripe events in your webhook
 * endpoint", section "Handle duplicate events".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TWIN_H
#define CORE_TWIN_H

#include <stddef.h>

struct event;

#define TWIN_BYTES 16

/**
 * The key that twins share: of type, account, mode, object and data.
 *
 * @return 1, or 0 when the event cannot have a twin of that kind: it has no
 *         object id or no data (a thin event names its snapshot twin instead),
 *         or OpenSSL fails
 */
int twin_key(const struct event *event, const char *body, size_t len,
             unsigned char out[TWIN_BYTES]);

#endif
