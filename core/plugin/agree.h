/* core/plugin/agree.h: do the INI file and what a plugin declares agree?
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_AGREE_H
#define CORE_AGREE_H

struct config;
struct config_report;
struct plugin;

/** Choose what the plugin gets: what it declares, or the narrower patterns of
 * its section. A pattern that would widen it goes to the report. */
void agree_events(struct plugin *plugin, const struct config *config,
                  struct config_report *report);

/**
 * Check [plugin NAME options] against the declared options: unknown ones,
 * missing ones, values of the wrong form. Fills plugin->options with a value
 * for each option that has one; secrets are read, paths made absolute.
 *
 * @return RC_OK (mistakes are in the report) or RC_NOMEM
 */
int agree_options(struct plugin *plugin, const struct config *config,
                  struct config_report *report);

#endif
