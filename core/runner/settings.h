/* core/runner/settings.h: the values of the plugin's options.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include <pegboard/plugin.h>
#include <stddef.h>
#include <stdint.h>

struct manifest; /* plugin/manifest.h */
struct setting;

/** Zero it to start. Read by the plugin, from the main thread. */
struct settings {
    struct setting *list;
    size_t count;
};

/**
 * Set an option that has no value yet.
 *
 * @param type   PEG_OPTION_*
 * @param value  its text, as in the INI file
 * @return RC_OK, RC_BUSY (it has one: kept), RC_INVALID (the value does not
 *         have the type's form) or RC_NOMEM
 */
int settings_put(struct settings *settings, const char *name, uint32_t type,
                 const char *value);

/** Give the declared default to each option without a value.
 * @return RC_OK or RC_NOMEM */
int settings_put_defaults(struct settings *settings,
                          const struct manifest *manifest);

/** Whether the option has a value. */
int settings_has(const struct settings *settings, const char *name);

/* The getters of struct peg_host: PEG_OK, PEG_ABSENT or PEG_TYPE. */
int32_t settings_str(const struct settings *settings, const char *name,
                     peg_str *out);
int32_t settings_i64(const struct settings *settings, const char *name,
                     int64_t *out);
int32_t settings_item(const struct settings *settings, const char *name,
                      uint32_t index, peg_str *out);

void settings_fini(struct settings *settings);

#endif
