/* core/config/store.c: [inbox]: which engine keeps the events, where, and for
 * how long.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/paths.h"
#include "error.h"
#include "value.h"

#include <string.h>

void
read_store(const struct value *value)
{
    static const char sqlite[] = "sqlite:";
    struct config *config = value->target;
    const char *text = value->text;
    if (strncmp(text, "postgres", strlen("postgres")) == 0) {
        /* Not the text: it may hold a password. */
        value_error(value, "PostgreSQL is not supported by this version; write "
                           "sqlite:PATH");
        return;
    }
    if (strncmp(text, sqlite, strlen(sqlite)) != 0 ||
        text[strlen(sqlite)] == '\0') {
        value_error(value, "is not of the form sqlite:PATH, as "
                           "sqlite:inbox.db");
        return;
    }
    if (config->state_dir == NULL) {
        return; /* that is reported already */
    }
    config->inbox_path = build_check(
        value->build, path_join(config->state_dir, text + strlen(sqlite)));
}

/* Stripe sends an event again for three days, and longer by hand. */
#define RETENTION_SOUND_MS (INT64_C(4) * 24 * 3600 * 1000)

void
read_retention(const struct value *value)
{
    struct config *config = value->target;
    const struct option *option = value->option;
    int64_t ms;
    if (value_parse_duration(value->text, &ms) != RC_OK) {
        value_error(value, "\"%.64s\" is not a duration; write one as 35d",
                    value->text);
    } else if (ms < option->min || ms > option->max) {
        char bounds[OPTION_BOUNDS_MAX];
        value_error(value, "%.64s is out of bounds; write %s", value->text,
                    option_bounds(option, bounds, sizeof(bounds)));
    } else {
        config->retention_ms = ms;
        if (ms < RETENTION_SOUND_MS) {
            value_warning(value,
                          "%.64s is short: Stripe repeats an event for "
                          "three days, and a repeat of one that is "
                          "forgotten is handled again; take 4d or more",
                          value->text);
        }
    }
}
