/* core/config/fields.h: where an option's value is kept; options.c says what it
 * may be. Private to the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FIELDS_H
#define CORE_FIELDS_H

#include "config/build.h"

/** In struct config, config_endpoint or config_plugin, as the section says. */
struct field {
    enum option_section section;
    const char *key;
    size_t offset;        /* unless its type is OPTION_CUSTOM */
    value_reader *reader; /* NULL: by the option's type */
    int64_t unit_ms;      /* of a duration: what it is counted in */
};

/** Every option has one. */
const struct field *field_find(const struct option *option);

#endif
