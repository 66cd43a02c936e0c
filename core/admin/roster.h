/* core/admin/roster.h: every plugin the inbox knows, and what waits for it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ROSTER_H
#define CORE_ROSTER_H

#include "inbox/view.h"

#include <stddef.h>
#include <stdint.h>

struct error;
struct problem;

struct roster_entry {
    struct inbox_plugin state;
    char name[40];
    int64_t pending, dead, oldest_ms;
};

/** End with roster_fini(). */
struct roster {
    struct roster_entry *entries;
    size_t count;
};

/** @return RC_OK or as view_plugins() */
int roster_read(struct roster *roster, struct view *view, struct error *err);
void roster_fini(struct roster *roster);

/** The plugin of that name, or NULL with a problem that suggests another. */
const struct roster_entry *roster_find(const struct roster *roster,
                                       const char *name,
                                       struct problem *problem);

/** The plugin of that number, or NULL. */
const struct roster_entry *roster_get(const struct roster *roster, uint32_t id);

#endif
