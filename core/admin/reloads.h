/* core/admin/reloads.h: reloads as the API shows them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RELOADS_H
#define CORE_RELOADS_H

#include "reload/reload.h"

struct api;

/** Calls that wait for a reload at the same time: the admin port has more
 * threads than this. */
#define RELOADS_WAITING_MAX 4

/** As reload_last(), also where there are no reloads. */
void reloads_last(struct api *api, struct reload_last *out);

/** Whether somebody should look at it: the files say what is not served. */
int reloads_is_bad(const struct reload_last *last);

/** "apply", "try", "rollback". */
const char *reloads_kind_name(enum reload_kind kind);

#endif
