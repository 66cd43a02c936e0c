/* mirror/apply.h: one event into the tables, in one transaction.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_APPLY_H
#define MIRROR_APPLY_H

#include "change.h"
#include "sql.h"

/**
 * Bring the tables to what they are with this event. An event that they have
 * already, or that is older than those they have, changes nothing.
 *
 * @return enum sql_result; but for SQL_OK nothing is changed (or, after
 *         SQL_DOWN, perhaps all): do it again
 */
int change_apply(const struct change *c, struct sql *db);

#endif
