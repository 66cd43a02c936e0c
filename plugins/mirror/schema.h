/* mirror/schema.h: the tables. README.md tells what their columns mean.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_SCHEMA_H
#define MIRROR_SCHEMA_H

#include "sql.h"

/** Make the tables if they are missing, in a transaction of its own.
 *
 * @return enum sql_result; SQL_DOWN also for tables of another version */
int schema_set_up(struct sql *db);

#endif
