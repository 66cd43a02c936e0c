/* core/admin/cursor.h: where a list goes on. Opaque to clients, and bound to
 * the filter and the order of its list.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CURSOR_H
#define CORE_CURSOR_H

#include "inbox/view.h"

#include <stdint.h>

struct problem;

#define CURSOR_MAX 40 /* with its NUL */

/** Write one. Returns `out`, CURSOR_MAX bytes. */
const char *cursor_write(char *out, const struct view_filter *filter,
                         int oldest_first, int64_t seq);

/** Read one. @return RC_OK, or RC_INVALID with a problem */
int cursor_read(const char *text, const struct view_filter *filter,
                int oldest_first, int64_t *seq, struct problem *problem);

#endif
