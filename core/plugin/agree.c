/* core/plugin/agree.c: do the INI file and what a plugin declares agree?
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/paths.h"
#include "plugin/agree.h"

#include "config/config.h"
#include "config/report.h"
#include "config/secret.h"
#include "error.h"
#include "plugin/generation.h"
#include "value.h"
#include "stripe/catalog.h"
#include "stripe/event.h"
#include "suggest.h"

#include <pegboard/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Events --------------------------------------------------------- */

/* Whether everything that `inner` matches is matched by `outer` too. */
static int
covers(const char *outer, const char *inner)
{
    size_t len = strlen(inner);
    if (strcmp(outer, "*") == 0) {
        return 1;
    }
    if (len >= 2 && strcmp(inner + len - 2, ".*") == 0) {
        size_t outer_len = strlen(outer);
        return outer_len >= 2 && strcmp(outer + outer_len - 2, ".*") == 0 &&
               outer_len <= len && strncmp(outer, inner, outer_len - 1) == 0;
    }
    return strcmp(inner, "*") != 0 && event_type_matches(outer, inner);
}

/* The catalogue grows every month: an unknown type is suspicious, not wrong. */
static void
warn_unknown_types(const struct plugin *plugin, const struct config *config,
                   struct config_report *report)
{
    for (size_t i = 0; i < plugin->manifest.event_count; i++) {
        const char *type = plugin->manifest.events[i];
        char room[128];
        if (catalog_pattern_known(type)) {
            continue;
        }
        const char *nearest = catalog_nearest(type, room, sizeof(room));
        report_warning(report, config->file, plugin->config->line,
                       "plugin \"%s\" declares the event type \"%s\", which "
                       "Stripe's catalogue does not have%s%s%s",
                       plugin->config->name, type,
                       nearest != NULL ? ", did you mean \"" : "",
                       nearest != NULL ? nearest : "",
                       nearest != NULL ? "\"?" : "");
    }
}

void
agree_events(struct plugin *plugin, const struct config *config,
             struct config_report *report)
{
    const struct config_plugin *section = plugin->config;
    const struct manifest *manifest = &plugin->manifest;
    plugin->events = manifest->events;
    plugin->event_count = manifest->event_count;
    warn_unknown_types(plugin, config, report);
    if (section->event_count == 0) {
        return;
    }
    plugin->events = section->events;
    plugin->event_count = section->event_count;
    for (size_t i = 0; i < section->event_count; i++) {
        int covered = 0;
        for (size_t j = 0; j < manifest->event_count && !covered; j++) {
            covered = covers(manifest->events[j], section->events[i]);
        }
        if (!covered) {
            report_error(report, config->file, section->line,
                         "plugin \"%s\" does not declare \"%s\": `events` may "
                         "only narrow what the plugin handles (see pegboard "
                         "plugins inspect)",
                         section->name, section->events[i]);
        }
    }
}

/* ---- Options -------------------------------------------------------- */

/* What is being agreed upon, for the helpers. */
struct talk {
    struct plugin *plugin;
    const struct config *config;
    struct config_report *report;
};

static void
unknown_option(const struct talk *talk, const struct config_pair *pair)
{
    const struct manifest *manifest = &talk->plugin->manifest;
    struct suggest suggest;
    suggest_init(&suggest, pair->key);
    for (size_t i = 0; i < manifest->option_count; i++) {
        suggest_offer(&suggest, manifest->options[i].name);
    }
    if (suggest.best != NULL) {
        report_error(talk->report, talk->config->file, pair->line,
                     "plugin \"%s\" has no option \"%s\", did you mean "
                     "\"%s\"?",
                     talk->plugin->config->name, pair->key, suggest.best);
    } else {
        report_error(talk->report, talk->config->file, pair->line,
                     "plugin \"%s\" has no option \"%s\" (see pegboard plugins "
                     "inspect)",
                     talk->plugin->config->name, pair->key);
    }
}

/* The value as the runner gets it. NULL with *rc RC_NOMEM, or RC_INVALID when
 * the report has been told. */
static char *
resolve(const struct talk *talk, const struct manifest_option *option,
        const char *value, int line, int *rc)
{
    char *out = NULL;
    *rc = RC_NOMEM;
    if (option->type == PEG_OPTION_PATH) {
        return path_below(talk->config->dir, value);
    }
    if ((option->flags & PEG_OPTION_SECRET) == 0 ||
        (strncmp(value, "file:", 5) != 0 && strncmp(value, "env:", 4) != 0)) {
        return strdup(value);
    }
    struct secret secret;
    struct error err;
    *rc = secret_read_line(&secret, value, talk->config->dir, &err);
    if (*rc != RC_OK) {
        report_error(talk->report, talk->config->file, line, "%s: %s",
                     option->name, err.text);
        *rc = RC_INVALID;
        return NULL;
    }
    out = strdup(secret.text);
    secret_fini(&secret);
    *rc = RC_NOMEM;
    return out;
}

static int
take_option(const struct talk *talk, const struct manifest_option *option)
{
    const struct config_plugin *section = talk->plugin->config;
    const char *value = option->fallback;
    int line = section->line;
    for (size_t i = 0; i < section->option_count; i++) {
        if (strcmp(section->options[i].key, option->name) == 0) {
            value = section->options[i].value;
            line = section->options[i].line;
        }
    }
    if (value == NULL) {
        if ((option->flags & PEG_OPTION_REQUIRED) != 0) {
            report_error(talk->report, talk->config->file, line,
                         "plugin \"%s\" needs the option \"%s\" (%s): set it "
                         "in [plugin %s options]",
                         section->name, option->name, option->help,
                         section->name);
        }
        return RC_OK;
    }
    int64_t number;
    if (value_parse(option->type, value, &number) != RC_OK) {
        report_error(talk->report, talk->config->file, line,
                     "plugin \"%s\": option \"%s\" must be %s", section->name,
                     option->name, value_form(option->type));
        return RC_OK;
    }
    int rc;
    char *resolved = resolve(talk, option, value, line, &rc);
    if (resolved == NULL) {
        return rc == RC_NOMEM ? rc : RC_OK;
    }
    struct plugin_option *to =
        &talk->plugin->options[talk->plugin->option_count++];
    to->name = option->name;
    to->type = option->type;
    to->value = resolved;
    return RC_OK;
}

int
agree_options(struct plugin *plugin, const struct config *config,
              struct config_report *report)
{
    const struct talk talk = {plugin, config, report};
    const struct manifest *manifest = &plugin->manifest;
    const struct config_plugin *section = plugin->config;

    for (size_t i = 0; i < section->option_count; i++) {
        if (manifest_option_find(manifest, section->options[i].key) == NULL) {
            unknown_option(&talk, &section->options[i]);
        }
    }
    plugin->options =
        calloc(manifest->option_count + 1, sizeof(*plugin->options));
    int rc = plugin->options == NULL ? RC_NOMEM : RC_OK;
    for (size_t i = 0; i < manifest->option_count && rc == RC_OK; i++) {
        rc = take_option(&talk, &manifest->options[i]);
    }
    return rc;
}
