/* core/plugin/delta.c: what a new generation changes, for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/delta.h"

#include "config/compare.h"
#include "config/config.h"
#include "error.h"
#include "plain.h"
#include "plugin/generation.h"

#include <pegboard/plugin.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_SHOWN 8  /* letters, enough to tell two files apart */
#define VALUE_SHOWN  40 /* bytes of a value, with its NUL */
#define CUT          "..."

/* What is being compared, for the helpers. */
struct diff {
    struct delta *delta;
    const struct generation *was, *is;
};

/* ---- Items ---------------------------------------------------------- */

static struct delta_item *
add(struct delta *delta, enum delta_kind kind)
{
    struct delta_item *grown =
        realloc(delta->items, (delta->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        delta->out_of_memory = 1;
        return NULL;
    }
    delta->items = grown;
    delta->refused += kind == DELTA_REFUSED;
    struct delta_item *item = &grown[delta->count++];
    memset(item, 0, sizeof(*item));
    item->kind = kind;
    return item;
}

static void
add_named(struct delta *delta, enum delta_kind kind, const char *section,
          const char *name)
{
    struct delta_item *item = add(delta, kind);
    if (item != NULL) {
        snprintf(item->what, sizeof(item->what), "%s %s", section, name);
    }
}

/* A value as it can be shown: safe for terminals, and not too long. */
static const char *
shown(const char *value, char room[VALUE_SHOWN])
{
    plain(value, room, VALUE_SHOWN);
    if (strlen(value) >= VALUE_SHOWN) {
        plain(value, room, VALUE_SHOWN - strlen(CUT));
        strcat(room, CUT);
    }
    return room;
}

/* "WAS -> IS", or "" when that is not to be shown. */
static void
put_change(char *room, size_t size, const char *was, const char *is)
{
    char a[VALUE_SHOWN], b[VALUE_SHOWN];
    room[0] = '\0';
    if (was != NULL && is != NULL) {
        snprintf(room, size, "%s -> %s", shown(was, a), shown(is, b));
    }
}

/* One reason more in an item's detail; what has no room is told to exist. */
static void __attribute__((format(printf, 2, 3)))
add_reason(struct delta_item *item, const char *fmt, ...)
{
    char reason[sizeof(item->detail)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    reason[strcspn(reason, "\n")] = '\0';

    const char *gap = item->detail[0] != '\0' ? "; " : "";
    const char *more = "; " CUT;
    size_t len = strlen(item->detail);
    size_t need = strlen(gap) + strlen(reason);
    if (len + need + strlen(more) < sizeof(item->detail)) {
        snprintf(item->detail + len, sizeof(item->detail) - len, "%s%s", gap,
                 reason);
    } else if (len < strlen(more) ||
               strcmp(item->detail + len - strlen(more), more) != 0) {
        snprintf(item->detail + len, sizeof(item->detail) - len, "%s", more);
    }
}

/* ---- Plugins -------------------------------------------------------- */

static void
compare_code(struct delta_item *item, const struct plugin *was,
             const struct plugin *is)
{
    char a[VALUE_SHOWN], b[VALUE_SHOWN];
    if (strcmp(was->snapshot.digest, is->snapshot.digest) == 0) {
        return;
    }
    shown(was->manifest.version, a);
    shown(is->manifest.version, b);
    int same = strcmp(a, b) == 0;
    add_reason(item, "code %.*s -> %.*s (%s%s%s)", DIGEST_SHOWN,
               was->snapshot.digest, DIGEST_SHOWN, is->snapshot.digest,
               same ? "still " : a, same ? "" : " -> ", b);
}

static const char *
value_of(const struct plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->option_count; i++) {
        if (strcmp(plugin->options[i].name, name) == 0) {
            return plugin->options[i].value;
        }
    }
    return NULL;
}

static int
is_secret(const struct plugin *plugin, const char *name)
{
    const struct manifest_option *option =
        manifest_option_find(&plugin->manifest, name);
    return option != NULL && (option->flags & PEG_OPTION_SECRET) != 0;
}

static void
compare_option(struct delta_item *item, const char *name,
               const struct plugin *was, const struct plugin *is)
{
    const char *a = value_of(was, name), *b = value_of(is, name);
    char change[2 * VALUE_SHOWN + 8];
    if ((a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0)) {
        return;
    }
    if (is_secret(was, name) || is_secret(is, name)) {
        add_reason(item, "option %s", name);
        return;
    }
    put_change(change, sizeof(change), a != NULL ? a : "(none)",
               b != NULL ? b : "(none)");
    add_reason(item, "option %s %s", name, change);
}

static void
compare_options(struct delta_item *item, const struct plugin *was,
                const struct plugin *is)
{
    for (size_t i = 0; i < is->option_count; i++) {
        compare_option(item, is->options[i].name, was, is);
    }
    for (size_t i = 0; i < was->option_count; i++) {
        if (value_of(is, was->options[i].name) == NULL) {
            compare_option(item, was->options[i].name, was, is);
        }
    }
}

/* That come, go, or get new runners. */
static void
compare_plugins(struct diff *diff)
{
    for (size_t i = 0; i < diff->is->plugin_count; i++) {
        const struct plugin *is = &diff->is->plugins[i];
        const char *name = is->config->name;
        const struct plugin *was =
            diff->was != NULL ? generation_find(diff->was, name) : NULL;
        if (was == NULL) {
            add_named(diff->delta, DELTA_ADDED, "plugin", name);
        } else if (!plugin_is_same(was, is)) {
            add_named(diff->delta, DELTA_ROLLED, "plugin", name);
            if (!diff->delta->out_of_memory) {
                struct delta_item *item =
                    &diff->delta->items[diff->delta->count - 1];
                compare_code(item, was, is);
                compare_options(item, was, is);
            }
        }
    }
    for (size_t i = 0; diff->was != NULL && i < diff->was->plugin_count; i++) {
        const char *name = diff->was->plugins[i].config->name;
        if (generation_find(diff->is, name) == NULL) {
            add_named(diff->delta, DELTA_REMOVED, "plugin", name);
        }
    }
}

/* The item of a plugin that gets new runners, or NULL. */
static struct delta_item *
find_rolled(struct delta *delta, const char *name)
{
    char what[sizeof(delta->items->what)];
    snprintf(what, sizeof(what), "plugin %s", name);
    for (size_t i = 0; i < delta->count; i++) {
        struct delta_item *item = &delta->items[i];
        if (item->kind == DELTA_ROLLED && strcmp(item->what, what) == 0) {
            return item;
        }
    }
    return NULL;
}

/* ---- Keys ----------------------------------------------------------- */

static void
put_key(struct delta_item *item, const struct compare_item *key)
{
    char name[sizeof(item->what) / 2];
    plain(key->key, name, sizeof(name));
    switch (key->option->section) {
    case OPTION_ENDPOINT:
        snprintf(item->what, sizeof(item->what), "endpoint %s: %s", key->name,
                 name);
        break;
    case OPTION_PLUGIN:
        snprintf(item->what, sizeof(item->what), "plugin %s: %s", key->name,
                 name);
        break;
    case OPTION_SERVER:
    case OPTION_INBOX:
    case OPTION_ADMIN:
    case OPTION_LOG:
    case OPTION_PLUGINS:
        snprintf(item->what, sizeof(item->what), "%s.%s",
                 option_section_name(key->option->section), name);
        break;
    }
    put_change(item->detail, sizeof(item->detail), key->was, key->is);
}

static void
take_plugin_key(struct diff *diff, const struct compare_item *key)
{
    struct delta_item *rolled = find_rolled(diff->delta, key->name);
    if (rolled != NULL && key->option->apply == OPTION_BY_ROLL) {
        char name[VALUE_SHOWN], change[2 * VALUE_SHOWN + 8];
        put_change(change, sizeof(change), key->was, key->is);
        add_reason(rolled, "%s%s%s", shown(key->key, name),
                   change[0] != '\0' ? " " : "", change);
        return;
    }
    struct delta_item *item = add(diff->delta, DELTA_SET);
    if (item != NULL) {
        put_key(item, key);
    }
}

static void
take_section(struct diff *diff, const struct compare_item *section)
{
    if (section->option->section == OPTION_ENDPOINT) {
        add_named(diff->delta,
                  section->kind == COMPARE_ADDED ? DELTA_ADDED : DELTA_REMOVED,
                  "endpoint", section->name);
    }
}

/* What the two files differ in. Plugins that come and go, and their options,
 * which only they can tell the meaning of, are compared by compare_plugins().
 */
static void
take(void *arg, const struct compare_item *found)
{
    struct diff *diff = arg;
    if (found->kind != COMPARE_CHANGED) {
        take_section(diff, found);
    } else if (found->option->apply == OPTION_AT_RESTART) {
        struct delta_item *item = add(diff->delta, DELTA_REFUSED);
        if (item != NULL) {
            put_key(item, found);
        }
    } else if (found->option->section == OPTION_PLUGIN) {
        if (strncmp(found->key, "options.", strlen("options.")) != 0) {
            take_plugin_key(diff, found);
        }
    } else {
        struct delta_item *item = add(diff->delta, DELTA_SET);
        if (item != NULL) {
            put_key(item, found);
        }
    }
}

/* ---- All of it ------------------------------------------------------ */

/* What stops the reload first, then what comes, goes, restarts; the order
 * within each stays. */
static void
sort(struct delta *delta)
{
    static const enum delta_kind order[] = {
        DELTA_REFUSED, DELTA_ADDED, DELTA_REMOVED, DELTA_ROLLED, DELTA_SET};
    struct delta_item *sorted = calloc(delta->count + 1, sizeof(*sorted));
    if (sorted == NULL) {
        delta->out_of_memory = 1;
        return;
    }
    size_t at = 0;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        for (size_t j = 0; j < delta->count; j++) {
            if (delta->items[j].kind == order[i]) {
                sorted[at++] = delta->items[j];
            }
        }
    }
    free(delta->items);
    delta->items = sorted;
}

int
delta_make(struct delta *delta, const struct generation *was,
           const struct generation *is)
{
    struct diff diff = {delta, was, is};
    memset(delta, 0, sizeof(*delta));
    compare_plugins(&diff);
    if (was != NULL) {
        config_compare(was->config, is->config, take, &diff);
    } else {
        for (size_t i = 0; i < is->config->endpoint_count; i++) {
            add_named(delta, DELTA_ADDED, "endpoint",
                      is->config->endpoints[i].name);
        }
    }
    for (size_t i = 0; i < delta->count; i++) {
        struct delta_item *item = &delta->items[i];
        if (item->kind == DELTA_ROLLED && item->detail[0] == '\0') {
            add_reason(item, "the same in another order");
        }
    }
    sort(delta);
    return delta->out_of_memory ? RC_NOMEM : RC_OK;
}

void
delta_fini(struct delta *delta)
{
    free(delta->items);
    memset(delta, 0, sizeof(*delta));
}

const char *
delta_kind_name(enum delta_kind kind)
{
    switch (kind) {
    case DELTA_ADDED:
        return "added";
    case DELTA_REMOVED:
        return "removed";
    case DELTA_ROLLED:
        return "rolled";
    case DELTA_SET:
        return "set";
    case DELTA_REFUSED:
        return "refused";
    }
    return "?";
}
