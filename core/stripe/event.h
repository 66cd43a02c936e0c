/* core/stripe/event.h: the envelope of an event, read from its exact bytes.
 *
 * Both families are understood: snapshot (object "event") and thin (object
 * "v2.core.event"). Only `id` and `type` are required; the envelope is read
 * leniently because old accounts really send other shapes.
 * Source: Stripe API reference, "The Event object" (v1 and v2).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stddef.h>
#include <stdint.h>

struct error;

#define EVENT_ID_MAX     255 /* Stripe: "up to 255 characters" */
#define EVENT_TYPE_MAX   255
#define EVENT_OBJECT_MAX 255 /* object, customer, account ids */

enum event_family { EVENT_SNAPSHOT = 0, EVENT_THIN = 1 };

/** What pegboard needs to know of an event; text is copied, NUL-terminated,
 * "" when absent. */
struct event {
    enum event_family family;
    int livemode;      /* 1 or 0; absent counts as 0 */
    int64_t created_s; /* seconds since 1970 UTC; 0 when absent or odd */
    char id[EVENT_ID_MAX + 1];
    char type[EVENT_TYPE_MAX + 1];
    char account[EVENT_OBJECT_MAX + 1]; /* thin: `context` */
    char api_version[64];
    char object_id[EVENT_OBJECT_MAX + 1]; /* data.object.id, related_object.id*/
    char object_type[64];                 /* data.object.object, ... .type */
    char customer[EVENT_OBJECT_MAX + 1];  /* data.object.customer (or its id) */
    char snapshot_event[EVENT_ID_MAX + 1]; /* thin: id of its snapshot twin */
};

/**
 * Read the envelope. The whole body is checked as JSON on the way.
 *
 * Refused with RC_INVALID: not JSON, not an object, `id` or `type` missing,
 * not a string, empty, too long, or holding control characters. Other members
 * of an unexpected kind or length count as absent. Never recursive, about 4 KB
 * of stack.
 *
 * @param event  written on success only
 */
int event_read(struct event *event, const char *body, size_t len,
               struct error *err);

/**
 * Whether `type` is what `pattern` subscribes to: an exact name, "prefix.*"
 * (any depth below prefix), or "*". '[' and ']' are plain characters.
 */
int event_type_matches(const char *pattern, const char *type);

/** Whether `pattern` is one of the three forms. */
int event_pattern_valid(const char *pattern);

#endif
