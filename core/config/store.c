/* core/config/store.c: [inbox] store: which engine keeps the events, and where.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/paths.h"

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
