/* core/config/compare.c: what differs between two configurations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/compare.h"

#include "config/config.h"
#include "config/forms.h"

#include <stdio.h>
#include <string.h>

/* What a plugin declares has no row in the table: all of it reaches runners. */
static const struct option declared = {
    .section = OPTION_PLUGIN,
    .key = "options.NAME",
    .type = OPTION_CUSTOM,
    .apply = OPTION_BY_ROLL,
    .help = "what the plugin declares",
};

static const char env_key[] = "env.NAME"; /* a row that stands for many keys */

struct compare {
    const struct config *was, *is;
    compare_fn *fn;
    void *arg;
};

/* ---- Keys ----------------------------------------------------------- */

static void
compare_key(const struct compare *compare, const struct option *option,
            const char *name, const void *was, const void *is)
{
    const struct holder a = {compare->was, was}, b = {compare->is, is};
    if (form_same(option, &a, &b)) {
        return;
    }
    char rooms[2][FORM_MAX];
    const struct compare_item item = {
        .kind = COMPARE_CHANGED,
        .option = option,
        .name = name,
        .key = option->key,
        .was = form_show(option, &a, rooms[0]),
        .is = form_show(option, &b, rooms[1]),
    };
    compare->fn(compare->arg, &item);
}

/* A pin says nothing of what stands in the file. */
static int
is_compared(const struct option *option, const void *was, const void *is)
{
    if (strcmp(option->key, env_key) == 0) {
        return 0; /* compare_pairs() does */
    }
    if (option->section == OPTION_PLUGIN && strcmp(option->key, "path") == 0) {
        const struct config_plugin *a = was, *b = is;
        return !a->pinned && !b->pinned;
    }
    return 1;
}

static void
compare_keys(const struct compare *compare, enum option_section section,
             const char *name, const void *was, const void *is)
{
    size_t count;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (options[i].section == section &&
            is_compared(&options[i], was, is)) {
            compare_key(compare, &options[i], name, was, is);
        }
    }
}

/* ---- Keys of any name ----------------------------------------------- */

struct pairs {
    const struct config_pair *list;
    size_t count;
};

static const struct config_pair *
find_pair(const struct pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->list[i].key, key) == 0) {
            return &pairs->list[i];
        }
    }
    return NULL;
}

/* Neither value is shown: any may be a secret. */
static void
tell_pair(const struct compare *compare, const struct option *option,
          const char *name, const char *pair_key)
{
    char key[128];
    snprintf(key, sizeof(key), "%.*s%s", (int)strcspn(option->key, "N"),
             option->key, pair_key);
    const struct compare_item item = {
        .kind = COMPARE_CHANGED, .option = option, .name = name, .key = key};
    compare->fn(compare->arg, &item);
}

static void
compare_pairs(const struct compare *compare, const struct option *option,
              const char *name, struct pairs was, struct pairs is)
{
    for (size_t i = 0; i < was.count; i++) {
        const char *key = was.list[i].key;
        const struct config_pair *other = find_pair(&is, key);
        if (other == NULL || strcmp(other->value, was.list[i].value) != 0) {
            tell_pair(compare, option, name, key);
        }
    }
    for (size_t i = 0; i < is.count; i++) {
        if (find_pair(&was, is.list[i].key) == NULL) {
            tell_pair(compare, option, name, is.list[i].key);
        }
    }
}

/* ---- Sections ------------------------------------------------------- */

static void
tell_section(const struct compare *compare, enum compare_kind kind,
             enum option_section section, const char *name)
{
    const struct compare_item item = {
        .kind = kind, .option = options_find(section, "path"), .name = name};
    compare->fn(compare->arg, &item);
}

static void
compare_endpoints(const struct compare *compare)
{
    const struct config *was = compare->was, *is = compare->is;
    for (size_t i = 0; i < was->endpoint_count; i++) {
        const struct config_endpoint *one = &was->endpoints[i];
        const struct config_endpoint *other = config_endpoint(is, one->name);
        if (other != NULL) {
            compare_keys(compare, OPTION_ENDPOINT, one->name, one, other);
        } else {
            tell_section(compare, COMPARE_REMOVED, OPTION_ENDPOINT, one->name);
        }
    }
    for (size_t i = 0; i < is->endpoint_count; i++) {
        const char *name = is->endpoints[i].name;
        if (config_endpoint(was, name) == NULL) {
            tell_section(compare, COMPARE_ADDED, OPTION_ENDPOINT, name);
        }
    }
}

/* NULL for one that does not run. */
static const struct config_plugin *
find_plugin(const struct config *config, const char *name)
{
    const struct config_plugin *plugin = config_plugin(config, name);
    return plugin != NULL && plugin->enabled && !plugin->refused ? plugin
                                                                 : NULL;
}

static void
compare_plugin(const struct compare *compare, const struct config_plugin *was,
               const struct config_plugin *is)
{
    compare_keys(compare, OPTION_PLUGIN, was->name, was, is);
    compare_pairs(compare, options_find(OPTION_PLUGIN, env_key), was->name,
                  (struct pairs){was->env, was->env_count},
                  (struct pairs){is->env, is->env_count});
    compare_pairs(compare, &declared, was->name,
                  (struct pairs){was->options, was->option_count},
                  (struct pairs){is->options, is->option_count});
}

static void
compare_plugins(const struct compare *compare)
{
    const struct config *was = compare->was, *is = compare->is;
    for (size_t i = 0; i < was->plugin_count; i++) {
        const char *name = was->plugins[i].name;
        const struct config_plugin *one = find_plugin(was, name);
        const struct config_plugin *other = find_plugin(is, name);
        if (one != NULL && other != NULL) {
            compare_plugin(compare, one, other);
        } else if (one != NULL) {
            tell_section(compare, COMPARE_REMOVED, OPTION_PLUGIN, name);
        }
    }
    for (size_t i = 0; i < is->plugin_count; i++) {
        const char *name = is->plugins[i].name;
        if (find_plugin(is, name) != NULL && find_plugin(was, name) == NULL) {
            tell_section(compare, COMPARE_ADDED, OPTION_PLUGIN, name);
        }
    }
}

void
config_compare(const struct config *was, const struct config *is,
               compare_fn *fn, void *arg)
{
    const struct compare compare = {was, is, fn, arg};
    for (int section = OPTION_SERVER; section < OPTION_ENDPOINT; section++) {
        compare_keys(&compare, (enum option_section)section, NULL, was, is);
    }
    compare_endpoints(&compare);
    compare_plugins(&compare);
}
