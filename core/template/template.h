/* core/template/template.h: test events, made without Stripe.
 *
 * A test event has fresh ids, the present time, and the members that handlers
 * look at. Both families are made: snapshot events around an object (sample.h),
 * and thin ones that only refer to it.
 * Source: Stripe API reference, "The Event object" (v1 and v2).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

struct error;

/** The version that snapshot events say they were rendered in. */
#define TEMPLATE_API_VERSION "2026-10-28.endive"

/** What is wanted. Zero it, then set what differs. All text is borrowed. */
struct template_request {
    const char *type; /* "invoice.paid", "v1.invoice.paid"; may be NULL when
                         `data` is a whole event */
    const char *data; /* JSON: a whole event, or its data.object; or NULL */
    size_t data_len;
    const char *account; /* of Connect: `account`, in thin events `context` */
    int livemode;
    int thin;                     /* the thin twin of a snapshot type */
    const char *const *overrides; /* "path=value", "object:path=value" */
    size_t override_count;
    int64_t now_ms; /* time of the event; 0: now */
};

/**
 * Make the body of one event.
 *
 * Types outside the catalogue are refused, with a suggestion, unless `data` is
 * given. A whole event in `data` is passed on byte by byte unless `overrides`,
 * `account` or `livemode` change it. A path of an override is relative to
 * data.object unless it begins with a member of the envelope; its value is
 * JSON, or else text.
 *
 * @param body  set on success only; NUL-terminated; the caller frees it
 * @return RC_OK, RC_INVALID or RC_NOT_FOUND (the text says what to change),
 *         RC_NOMEM, RC_IO
 */
int template_build(const struct template_request *req, char **body, size_t *len,
                   struct error *err);

/** Whether events of `type`, of either family, hold a template of their own
 * rather than the generic object. */
int template_known(const char *type);

#endif
