/* core/stripe/catalog.c: the event types that Stripe documents.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stripe/catalog.h"

#include "stripe/event.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Short, so that most rows fit on a line. */
#define SNAP CATALOG_SNAPSHOT
#define THIN CATALOG_THIN

static const struct catalog_type types[] = {
#include "stripe/catalog_types.inc"
};

#undef SNAP
#undef THIN

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

const struct catalog_type *
catalog_all(size_t *count)
{
    *count = TYPE_COUNT;
    return types;
}

static int
compare_name(const void *name, const void *entry)
{
    return strcmp(name, ((const struct catalog_type *)entry)->name);
}

const struct catalog_type *
catalog_find(const char *name)
{
    return bsearch(name, types, TYPE_COUNT, sizeof(types[0]), compare_name);
}

static const char *
nearest_name(const char *name)
{
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        suggest_offer(&suggest, types[i].name);
    }
    return suggest.best;
}

/* Offer each prefix of a type's name that ends before a dot. One that becomes
 * the best is moved to `best`, for `prefix` is used again. Brackets hold
 * settings rather than a level, so prefixes end in front of them. */
static void
offer_prefixes(struct suggest *suggest, const char *type, char *best)
{
    char prefix[EVENT_TYPE_MAX + 1];
    for (size_t len = 0; type[len] != '\0' && type[len] != '['; len++) {
        prefix[len] = type[len];
        if (type[len + 1] == '.') {
            prefix[len + 1] = '\0';
            suggest_offer(suggest, prefix);
            if (suggest->best == prefix) {
                suggest->best = strcpy(best, prefix);
            }
        }
    }
}

static const char *
nearest_pattern(const char *pattern, char *room, size_t room_size)
{
    char word[EVENT_TYPE_MAX + 1];
    char best[EVENT_TYPE_MAX + 1];
    snprintf(word, sizeof(word), "%.*s", (int)(strlen(pattern) - 2), pattern);

    struct suggest suggest;
    suggest_init(&suggest, word);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        offer_prefixes(&suggest, types[i].name, best);
    }
    if (suggest.best == NULL) {
        return NULL;
    }
    int len = snprintf(room, room_size, "%s.*", suggest.best);
    return len >= 0 && (size_t)len < room_size ? room : NULL;
}

const char *
catalog_nearest(const char *name, char *room, size_t room_size)
{
    size_t len = strnlen(name, EVENT_TYPE_MAX + 1);
    if (len > EVENT_TYPE_MAX) {
        return NULL;
    }
    if (len > 2 && strcmp(name + len - 2, ".*") == 0) {
        return nearest_pattern(name, room, room_size);
    }
    return nearest_name(name);
}

int
catalog_pattern_known(const char *pattern)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (event_type_matches(pattern, types[i].name)) {
            return 1;
        }
    }
    return 0;
}
