/* core/config/lists.c: comma separated values, and the lists among the options:
 * event types, endpoints, and the two ends of retry.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "error.h"
#include "stripe/catalog.h"
#include "stripe/event.h"
#include "suggest.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

void
list_open(struct list *list, const struct value *value)
{
    memset(list, 0, sizeof(*list));
    if (value->text[0] != '\0') {
        list->copy = build_check(value->build, strdup(value->text));
    }
    if (list->copy != NULL) {
        list->rest = list->copy;
        list->len = strlen(list->copy);
    }
}

const char *
list_next(struct list *list)
{
    char *item = strsep(&list->rest, ",");
    if (item == NULL) {
        return NULL;
    }
    item += strspn(item, " \t");
    size_t len = strlen(item);
    while (len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t')) {
        item[--len] = '\0';
    }
    return item;
}

void
list_close(struct list *list)
{
    if (list->copy != NULL) {
        explicit_bzero(list->copy, list->len);
    }
    free(list->copy);
    memset(list, 0, sizeof(*list));
}

/* Put a copy of `text` at the end of an array of texts. */
static void
texts_push(struct build *build, char ***texts, size_t *count, const char *text)
{
    char **grown =
        build_check(build, realloc(*texts, (*count + 1) * sizeof(*grown)));
    if (grown == NULL) {
        return;
    }
    *texts = grown;
    grown[*count] = build_check(build, strdup(text));
    *count += grown[*count] != NULL;
}

void
pairs_push(struct build *build, struct config_pair **pairs, size_t *count,
           const char *key, const char *text, int line)
{
    struct config_pair *grown =
        build_check(build, realloc(*pairs, (*count + 1) * sizeof(*grown)));
    if (grown == NULL) {
        return;
    }
    *pairs = grown;
    struct config_pair *pair = &grown[(*count)++];
    pair->key = build_check(build, strdup(key));
    pair->value = build_check(build, strdup(text));
    pair->line = line;
}

static int
event_acceptable(const struct value *value, const char *pattern)
{
    if (!event_pattern_valid(pattern)) {
        value_error(value,
                    "\"%.128s\" is no event type; write a type as "
                    "charge.refunded, a prefix as charge.*, or *",
                    pattern);
        return 0;
    }
    if (!catalog_pattern_known(pattern)) {
        char room[128];
        const char *nearest = catalog_nearest(pattern, room, sizeof(room));
        value_warning(
            value, "Stripe's catalogue has no event type \"%.128s\"%s%s%s",
            pattern, nearest != NULL ? "; did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
    return 1;
}

void
read_events(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    if (value->text[0] == '\0') {
        value_error(value, "has no value; for all that the plugin declares "
                           "take the line out");
        return;
    }
    struct list list;
    list_open(&list, value);
    const char *pattern;
    while ((pattern = list_next(&list)) != NULL) {
        if (event_acceptable(value, pattern)) {
            texts_push(value->build, &plugin->events, &plugin->event_count,
                       pattern);
        }
    }
    list_close(&list);
}

static int
endpoint_known(const struct value *value, const char *name)
{
    const struct config *config = value->build->config;
    if (config_endpoint(config, name) != NULL) {
        return 1;
    }
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < config->endpoint_count; i++) {
        suggest_offer(&suggest, config->endpoints[i].name);
    }
    if (suggest.best != NULL) {
        value_error(value, "there is no [endpoint %.64s]; did you mean \"%s\"?",
                    name, suggest.best);
    } else {
        value_error(value,
                    "there is no [endpoint %.64s]; add that section or take "
                    "the name out",
                    name);
    }
    return 0;
}

void
read_endpoints(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    if (value->text[0] == '\0') {
        value_error(value, "has no value; for all endpoints take the line out");
        return;
    }
    struct list list;
    list_open(&list, value);
    const char *name;
    while ((name = list_next(&list)) != NULL) {
        if (name[0] == '\0') {
            value_error(value, "there is nothing between two commas");
        } else if (endpoint_known(value, name)) {
            texts_push(value->build, &plugin->endpoints,
                       &plugin->endpoint_count, name);
        }
    }
    list_close(&list);
}

void
read_retry(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    char first[64];
    const char *dots = strstr(value->text, "..");
    int64_t first_ms;
    int64_t max_ms;
    if (dots == NULL || dots - value->text >= (ptrdiff_t)sizeof(first)) {
        dots = value->text; /* the first duration is "", which is none */
    }
    snprintf(first, sizeof(first), "%.*s", (int)(dots - value->text),
             value->text);
    if (value_parse_duration(first, &first_ms) != RC_OK ||
        value_parse_duration(dots + 2, &max_ms) != RC_OK) {
        value_error(value,
                    "\"%.64s\" is not the first and the largest delay; write "
                    "them as 5s..4h",
                    value->text);
        return;
    }
    const struct option *option = value->option;
    if (first_ms < option->min || max_ms > option->max) {
        char bounds[OPTION_BOUNDS_MAX];
        value_error(value, "%.64s is out of bounds; delays are %s", value->text,
                    option_bounds(option, bounds, sizeof(bounds)));
    } else if (first_ms > max_ms) {
        value_error(value, "the first delay is larger than the largest one; "
                           "swap them");
    } else {
        plugin->retry_first_ms = first_ms;
        plugin->retry_max_ms = max_ms;
    }
}
