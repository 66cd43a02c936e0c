/* sdk/testing/options.c: the options of the plugin under test, checked as the
 * daemon checks its INI file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include "suggest.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
refuse_unknown(pegt_host *host, const char *name)
{
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < host->manifest.option_count; i++) {
        suggest_offer(&suggest, host->manifest.options[i].name);
    }
    if (suggest.best != NULL) {
        return kit_refuse(host, "%s has no option \"%s\", did you mean \"%s\"?",
                          host->manifest.name, name, suggest.best);
    }
    return kit_refuse(host,
                      "%s has no option \"%s\": declare it with PEG_OPTIONS()",
                      host->manifest.name, name);
}

/* For the plugin a path is absolute. */
static int
put(pegt_host *host, const struct manifest_option *option, const char *value)
{
    struct settings *settings = &host->host.settings;
    if (option->type != PEG_OPTION_PATH || value[0] == '/') {
        return settings_put(settings, option->name, option->type, value);
    }
    char *here = kit_need(getcwd(NULL, 0));
    char *path = NULL;
    if (asprintf(&path, "%s/%s", here, value) < 0) {
        path = NULL;
    }
    int rc = settings_put(settings, option->name, option->type, kit_need(path));
    free(path);
    free(here);
    return rc;
}

int
pegt_set_option(pegt_host *host, const char *name, const char *value)
{
    if (kit_expect(host, KIT_OPEN) != PEGT_OK) {
        return PEGT_REFUSED;
    }
    const struct manifest_option *option =
        manifest_option_find(&host->manifest, name);
    if (option == NULL) {
        return refuse_unknown(host, name);
    }
    switch (put(host, option, value)) {
    case RC_OK:
        return PEGT_OK;
    case RC_BUSY:
        return kit_refuse(host, "option \"%s\" is given twice", name);
    case RC_NOMEM:
        kit_need(NULL);
        break;
    default:
        break;
    }
    return kit_refuse(host, "option \"%s\" must be %s", name,
                      value_form(option->type));
}

int
kit_complete_options(pegt_host *host)
{
    for (size_t i = 0; i < host->manifest.option_count; i++) {
        const struct manifest_option *option = &host->manifest.options[i];
        if (settings_has(&host->host.settings, option->name)) {
            continue;
        }
        if (option->fallback != NULL) {
            if (put(host, option, option->fallback) != RC_OK) {
                kit_need(NULL); /* the descriptor's judge saw its form */
            }
        } else if (option->flags & PEG_OPTION_REQUIRED) {
            return kit_refuse(host,
                              "%s needs the option \"%s\" (%s): call "
                              "pegt_set_option() before pegt_init()",
                              host->manifest.name, option->name, option->help);
        }
    }
    return PEGT_OK;
}
