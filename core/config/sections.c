/* core/config/sections.c: what each section of a file is, and filling the
 * configuration from them in an order in which all that a key refers to is
 * there before it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/inifile.h"
#include "config/report.h"
#include "suggest.h"

#include <string.h>

enum header_kind {
    HEADER_BAD = 0,
    HEADER_PLAIN = 1, /* [server], [inbox], [admin], [log], [plugins] */
    HEADER_ENDPOINT = 2,
    HEADER_PLUGIN = 3,
    HEADER_OPTIONS = 4, /* [plugin NAME options] */
};

#define HEADER_ROOM 64 /* inifile lets 49 bytes pass */
#define WORDS_MAX   4

/** A section's header, taken apart. */
struct header {
    enum header_kind kind;
    char text[HEADER_ROOM]; /* cut into words */
    const char *words[WORDS_MAX];
    size_t count;
    const char *name; /* of the endpoint or plugin, perhaps not a valid one */
};

static const enum option_section plain[] = {
    OPTION_SERVER, OPTION_INBOX, OPTION_ADMIN, OPTION_LOG, OPTION_PLUGINS};

#define PLAIN_COUNT (sizeof(plain) / sizeof(plain[0]))

static int
is_plain(const char *word)
{
    for (size_t i = 0; i < PLAIN_COUNT; i++) {
        if (strcmp(word, option_section_name(plain[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

static enum header_kind
judge_words(const char *const *words, size_t count)
{
    if (is_plain(words[0])) {
        return count == 1 ? HEADER_PLAIN : HEADER_BAD;
    }
    if (strcmp(words[0], "endpoint") == 0) {
        return count == 2 ? HEADER_ENDPOINT : HEADER_BAD;
    }
    if (strcmp(words[0], "plugin") == 0) {
        if (count == 3 && strcmp(words[2], "options") == 0) {
            return HEADER_OPTIONS;
        }
        return count == 2 ? HEADER_PLUGIN : HEADER_BAD;
    }
    return HEADER_BAD;
}

static void
header_parse(struct header *header, const char *text)
{
    memset(header, 0, sizeof(*header));
    snprintf(header->text, sizeof(header->text), "%s", text);
    char *save = NULL;
    for (char *word = strtok_r(header->text, " ", &save);
         word != NULL && header->count < WORDS_MAX;
         word = strtok_r(NULL, " ", &save)) {
        header->words[header->count++] = word;
    }
    header->kind = judge_words(header->words, header->count);
    header->name = header->words[1];
}

/* ---- Bad headers ---------------------------------------------------- */

static void
report_unknown(const struct build *build, const struct inifile_section *section,
               const char *word)
{
    static const char *const known[] = {"server",  "inbox",    "admin", "log",
                                        "plugins", "endpoint", "plugin"};
    struct suggest suggest;
    suggest_init(&suggest, word);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        suggest_offer(&suggest, known[i]);
    }
    if (suggest.best != NULL) {
        report_error(build->report, build->config->file, section->line,
                     "unknown section [%s]; did you mean \"%s\"?",
                     section->name, suggest.best);
    } else {
        report_error(build->report, build->config->file, section->line,
                     "unknown section [%s]; there are server, inbox, admin, "
                     "log, plugins, endpoint NAME, plugin NAME and plugin NAME "
                     "options",
                     section->name);
    }
}

static void
check_header(const struct build *build, const struct inifile_section *section)
{
    struct header header;
    header_parse(&header, section->name);
    const char *file = build->config->file;
    const char *kind = header.words[0];

    if (header.kind == HEADER_PLAIN) {
        return;
    }
    if (header.kind != HEADER_BAD) {
        if (!name_valid(header.name)) {
            report_error(
                build->report, file, section->line,
                "\"%s\" is no name for %s; names are " NAME_RULE, header.name,
                header.kind == HEADER_ENDPOINT ? "an endpoint" : "a plugin");
        }
    } else if (is_plain(kind)) {
        report_error(build->report, file, section->line,
                     "[%s] has a name too many; write [%s]", section->name,
                     kind);
    } else if (strcmp(kind, "endpoint") == 0) {
        report_error(build->report, file, section->line,
                     "[%s] is not [endpoint NAME]; a NAME is " NAME_RULE,
                     section->name);
    } else if (strcmp(kind, "plugin") == 0) {
        report_error(build->report, file, section->line,
                     "[%s] is neither [plugin NAME] nor [plugin NAME options]; "
                     "a NAME is " NAME_RULE,
                     section->name);
    } else {
        report_unknown(build, section, kind);
    }
}

/* ---- In order ------------------------------------------------------- */

typedef void section_builder(struct build *build, const char *name,
                             const struct inifile_section *section);

/* Returns how many sections of that kind there are. */
static size_t
build_each(struct build *build, const struct inifile *ini,
           enum header_kind kind, section_builder *build_one)
{
    size_t found = 0;
    for (size_t i = 0; i < ini->count; i++) {
        struct header header;
        header_parse(&header, ini->sections[i].name);
        if (header.kind == kind) {
            build_one(build, header.name, &ini->sections[i]);
            found++;
        }
    }
    return found;
}

static void
build_endpoint(struct build *build, const char *name,
               const struct inifile_section *section)
{
    struct config *config = build->config;
    if (config->endpoint_count == CONFIG_ENDPOINTS_MAX) {
        report_error(build->report, config->file, section->line,
                     "endpoint %s is one too many: at most %d", name,
                     CONFIG_ENDPOINTS_MAX);
        return;
    }
    /* Counted when filled: an endpoint is not compared with itself. */
    struct config_endpoint *endpoint =
        &config->endpoints[config->endpoint_count];
    snprintf(endpoint->name, sizeof(endpoint->name), "%s", name);
    endpoint->line = section->line;
    section_fill(build, OPTION_ENDPOINT, section, endpoint);
    config->endpoint_count++;
}

static void
build_plugin(struct build *build, const char *name,
             const struct inifile_section *section)
{
    if (pin_is_missing(build, name)) {
        return;
    }
    struct config_plugin *plugin = plugin_add(build, name, section->line);
    if (plugin == NULL) {
        return;
    }
    section_fill(build, OPTION_PLUGIN, section, plugin);
    if (name_valid(name)) {
        const struct inifile_entry *path = inifile_entry(section, "path");
        plugin_locate(build, plugin, path != NULL ? path->line : section->line);
    }
}

/* Any key will do here: what it means is declared by the plugin. */
static void
build_options(struct build *build, const char *name,
              const struct inifile_section *section)
{
    if (pin_is_missing(build, name)) {
        return;
    }
    struct config *config = build->config;
    struct config_plugin *plugin = NULL;
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < config->plugin_count; i++) {
        if (strcmp(config->plugins[i].name, name) == 0) {
            plugin = &config->plugins[i];
        }
        suggest_offer(&suggest, config->plugins[i].name);
    }
    if (plugin == NULL) {
        if (name_valid(name)) {
            report_error(build->report, config->file, section->line,
                         "there is no [plugin %s] for these options%s%s%s",
                         name, suggest.best != NULL ? "; did you mean \"" : "",
                         suggest.best != NULL ? suggest.best : "",
                         suggest.best != NULL ? "\"?" : "; add that section");
        }
        return;
    }
    for (size_t i = 0; i < section->count; i++) {
        const struct inifile_entry *entry = &section->entries[i];
        pairs_push(build, &plugin->options, &plugin->option_count, entry->key,
                   entry->value, entry->line);
    }
}

void
sections_build(struct build *build, const struct inifile *ini)
{
    for (size_t i = 0; i < ini->count; i++) {
        check_header(build, &ini->sections[i]);
    }
    for (size_t i = 0; i < PLAIN_COUNT; i++) {
        const char *name = option_section_name(plain[i]);
        section_fill(build, plain[i], inifile_section(ini, name),
                     build->config);
    }
    if (build_each(build, ini, HEADER_ENDPOINT, build_endpoint) == 0) {
        report_error(build->report, build->config->file, 0,
                     "there is no [endpoint NAME]; add one with its path and "
                     "secrets");
    }
    (void)build_each(build, ini, HEADER_PLUGIN, build_plugin);
    autoload_plugins(build);
    (void)build_each(build, ini, HEADER_OPTIONS, build_options);
}
