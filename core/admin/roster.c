/* core/admin/roster.c: every plugin the inbox knows, and what waits for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/roster.h"

#include "admin/problem.h"
#include "error.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct filling {
    struct roster *roster;
    size_t room;
    int rc;
};

static int
make_room(struct filling *filling)
{
    if (filling->roster->count < filling->room) {
        return RC_OK;
    }
    size_t room = filling->room * 2 + 16;
    struct roster_entry *more =
        realloc(filling->roster->entries, room * sizeof(*more));
    if (more == NULL) {
        return RC_NOMEM;
    }
    filling->roster->entries = more;
    filling->room = room;
    return RC_OK;
}

static int
on_plugin(void *arg, const struct view_plugin *row)
{
    struct filling *filling = arg;
    filling->rc = make_room(filling);
    if (filling->rc != RC_OK) {
        return 1;
    }
    struct roster_entry *entry =
        &filling->roster->entries[filling->roster->count++];
    memset(entry, 0, sizeof(*entry));
    entry->state = row->state;
    entry->pending = row->pending;
    entry->dead = row->dead;
    entry->oldest_ms = row->oldest_ms;
    snprintf(entry->name, sizeof(entry->name), "%s", row->name);
    return 0;
}

int
roster_read(struct roster *roster, struct view *view, struct error *err)
{
    struct filling filling = {.roster = roster};
    memset(roster, 0, sizeof(*roster));
    int rc = view_plugins(view, on_plugin, &filling, err);
    if (rc == RC_OK && filling.rc != RC_OK) {
        rc = error_set(err, filling.rc, "admin: out of memory");
    }
    if (rc != RC_OK) {
        roster_fini(roster);
    }
    return rc;
}

void
roster_fini(struct roster *roster)
{
    free(roster->entries);
    roster->entries = NULL;
    roster->count = 0;
}

const struct roster_entry *
roster_find(const struct roster *roster, const char *name,
            struct problem *problem)
{
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < roster->count; i++) {
        if (strcmp(roster->entries[i].name, name) == 0) {
            return &roster->entries[i];
        }
        suggest_offer(&suggest, roster->entries[i].name);
    }
    problem_set(problem, PROBLEM_NO_PLUGIN, "there is no plugin \"%.64s\"",
                name);
    if (suggest.best != NULL) {
        problem_hint(problem, "did you mean \"%s\"?", suggest.best);
    }
    return NULL;
}

const struct roster_entry *
roster_get(const struct roster *roster, uint32_t id)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (roster->entries[i].state.id == id) {
            return &roster->entries[i];
        }
    }
    return NULL;
}
