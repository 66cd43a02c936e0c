/* tests/unit/event_fixture.h: helpers that the tests of events share. To be
 * included after <cmocka.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EVENT_FIXTURE_H
#define TESTS_EVENT_FIXTURE_H

#include "stripe/event.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID   "\"id\":\"evt_1\""
#define TYPE "\"type\":\"charge.succeeded\""
#define THIN "\"object\":\"v2.core.event\""

/* Read a body that must be accepted. */
static inline struct event
read_good(const char *body)
{
    struct event event;
    struct error err = {0};
    if (event_read(&event, body, strlen(body), &err) != RC_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    return event;
}

/* A body must be refused with exactly this text. */
static inline void
refused(const char *body, const char *text)
{
    struct event event;
    memset(&event, 'x', sizeof(event));
    struct event untouched = event;
    struct error err = {0};
    assert_int_equal(event_read(&event, body, strlen(body), &err), RC_INVALID);
    assert_int_equal(err.rc, RC_INVALID);
    assert_string_equal(err.text, text);
    assert_memory_equal(&event, &untouched, sizeof(event));
    assert_int_equal(event_read(&event, body, strlen(body), NULL), RC_INVALID);
}

#endif
