/* core/config/keys.c: a section's keys, matched with the table of options.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/inifile.h"
#include "config/report.h"
#include "suggest.h"

#include <string.h>

static void
report_key(const struct build *build, enum option_section kind,
           const struct inifile_section *section,
           const struct inifile_entry *entry)
{
    size_t count;
    const struct option *options = options_all(&count);
    const struct option *elsewhere = NULL;
    struct suggest suggest;
    suggest_init(&suggest, entry->key);
    for (size_t i = 0; i < count; i++) {
        if (options[i].section == kind) {
            suggest_offer(&suggest, options[i].key);
        } else if (strcmp(options[i].key, entry->key) == 0) {
            elsewhere = &options[i];
        }
    }
    if (elsewhere != NULL) {
        report_error(build->report, build->config->file, entry->line,
                     "unknown key \"%s\" in [%s]; it belongs in [%s]",
                     entry->key, section->name,
                     option_section_name(elsewhere->section));
    } else if (suggest.best != NULL) {
        report_error(build->report, build->config->file, entry->line,
                     "unknown key \"%s\" in [%s]; did you mean \"%s\"?",
                     entry->key, section->name, suggest.best);
    } else {
        report_error(build->report, build->config->file, entry->line,
                     "unknown key \"%s\" in [%s]; see pegboard help config",
                     entry->key, section->name);
    }
}

static void
fill_option(struct value *value, const struct inifile_section *section)
{
    const struct option *option = value->option;
    const struct inifile_entry *entry =
        section != NULL ? inifile_entry(section, option->key) : NULL;
    value->key = option->key;
    if (entry != NULL) {
        value->text = entry->value;
        value->line = entry->line;
        value->is_default = 0;
        if (!entry->broken) {
            value_read(value);
        }
        return;
    }
    value->text = option->fallback;
    value->line = section != NULL ? section->line : 0;
    value->is_default = 1;
    if (option->fallback == NULL) {
        report_error(value->build->report, value->build->config->file,
                     value->line, "%s is missing in [%s]: %s", option->key,
                     section != NULL ? section->name : "?", option->help);
    } else if (option->fallback[0] != '\0') {
        value_read(value);
    }
}

/* Keys that are not in the table, or stand in it for many: env.NAME. */
static void
fill_entry(struct value *value, enum option_section kind,
           const struct inifile_section *section,
           const struct inifile_entry *entry)
{
    if (entry->broken) {
        return;
    }
    value->option = options_find(kind, entry->key);
    if (value->option == NULL) {
        report_key(value->build, kind, section, entry);
    } else if (strncmp(entry->key, "env.", 4) == 0) {
        value->key = entry->key;
        value->text = entry->value;
        value->line = entry->line;
        value->is_default = 0;
        value_read(value);
    }
}

void
section_fill(struct build *build, enum option_section kind,
             const struct inifile_section *section, void *target)
{
    size_t count;
    const struct option *options = options_all(&count);
    struct value value = {.build = build, .target = target};
    for (size_t i = 0; i < count; i++) {
        if (options[i].section == kind &&
            strncmp(options[i].key, "env.", 4) != 0) {
            value.option = &options[i];
            fill_option(&value, section);
        }
    }
    for (size_t i = 0; section != NULL && i < section->count; i++) {
        fill_entry(&value, kind, section, &section->entries[i]);
    }
}
