/* mirror/change.h: what one event says about one object.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_CHANGE_H
#define MIRROR_CHANGE_H

#include <pegboard/plugin.h>

/** Columns of stripe_object_events. The first four are the object's key. */
enum column {
    COLUMN_ACCOUNT,  /* "" is the own one */
    COLUMN_LIVEMODE, /* this, and all booleans: "1" or "0" */
    COLUMN_OBJECT,   /* its kind: "customer" */
    COLUMN_ID,       /* or the customer's, or "" */
    COLUMN_THIN,
    COLUMN_CREATED, /* of the event: seconds since 1970 UTC */
    COLUMN_EVENT_ID,
    COLUMN_EVENT_TYPE,
    COLUMN_API_VERSION,    /* may be NULL */
    COLUMN_SNAPSHOT_EVENT, /* of a thin event: its twin's id, or "" */
    COLUMN_DELETED,
    COLUMN_STAGE,  /* how far along its status is; "-1": unknown */
    COLUMN_BEFORE, /* digests; NULL: unknown */
    COLUMN_AFTER,
    COLUMN_DATA, /* the object; NULL for a thin event */
    COLUMNS,
};

/** Text lives as long as the event. None holds a NUL. */
struct change {
    const char *column[COLUMNS];
    char created[24], stage[12], before[24], after[24]; /* columns point here */
};

/** @return PEG_DONE when `c` is filled; else the verdict, its reason told */
int32_t change_read(struct change *c, const peg_event *ev);

#endif
