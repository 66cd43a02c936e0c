/* core/cli/tryout.c: what `pegboard try` is asked for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tryout.h"

#include "command.h"
#include "config/config.h"
#include "config/inifile.h"
#include "config/report.h"
#include "error.h"
#include "stripe/catalog.h"
#include "suggest.h"
#include "template/template.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A name is at most CONFIG_NAME_MAX, the words around it are shorter. */
#define HEADER_ROOM (CONFIG_NAME_MAX + 32)

/* ---- The section ---------------------------------------------------- */

/* --section, else the name of the plugin's file without .so, as autoload. */
static void
choose_name(const struct args *args, char *out, size_t size)
{
    const char *given = args_value(args, "section");
    const char *path = args->operands[0];
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    if (given != NULL) {
        snprintf(out, size, "%s", given);
    } else {
        snprintf(out, size, "%.*s", (int)strcspn(base, "."), base);
    }
}

static int
no_section(const struct inifile *ini, const char *path, const char *name)
{
    static const char word[] = "plugin ";
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; i < ini->count; i++) {
        const char *header = ini->sections[i].name;
        if (strncmp(header, word, strlen(word)) == 0 &&
            strchr(header + strlen(word), ' ') == NULL) {
            suggest_offer(&suggest, header + strlen(word));
        }
    }
    if (suggest.best != NULL) {
        return command_error(EXIT_MISSING,
                             "%s has no [plugin %s], did you mean --section "
                             "%s?",
                             path, name, suggest.best);
    }
    return command_error(EXIT_MISSING,
                         "%s has no [plugin %s]: name its section with "
                         "--section NAME",
                         path, name);
}

/* Whether a line belongs to the plugin: what is wrong elsewhere in the file is
 * for `check` to say. */
static int
is_ours(const struct inifile *ini, const char *name, int line)
{
    char plain[HEADER_ROOM], options[HEADER_ROOM];
    const struct inifile_section *in = NULL;
    snprintf(plain, sizeof(plain), "plugin %s", name);
    snprintf(options, sizeof(options), "plugin %s options", name);
    for (size_t i = 0; i < ini->count; i++) {
        const struct inifile_section *section = &ini->sections[i];
        if (section->line <= line && (in == NULL || section->line > in->line)) {
            in = section;
        }
    }
    return in != NULL &&
           (strcmp(in->name, plain) == 0 || strcmp(in->name, options) == 0);
}

/* Print what is wrong with the plugin. Returns how many errors. */
static size_t
print_ours(const struct config_report *report, const struct inifile *ini,
           const char *name)
{
    size_t errors = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        if (is_ours(ini, name, finding->line)) {
            fprintf(stderr, "%s:%d: %s%s\n", finding->file, finding->line,
                    finding->is_warning ? "warning: " : "", finding->message);
            errors += !finding->is_warning;
        }
    }
    return errors;
}

/* The file's sections, of which the plugin's must be there. */
static int
read_sections(struct inifile *ini, const char *path, const char *name)
{
    char header[HEADER_ROOM];
    struct config_report report = {0};
    int rc = inifile_read(ini, path, &report);
    if (rc != RC_OK) {
        report_print(&report, stderr);
    }
    report_fini(&report);
    if (rc != RC_OK) {
        return EXIT_CONFIG;
    }
    snprintf(header, sizeof(header), "plugin %s", name);
    return inifile_section(ini, header) != NULL ? EXIT_OK
                                                : no_section(ini, path, name);
}

/* The configuration as the daemon would read it, of this one plugin. */
static int
read_config(struct tryout *tryout, const struct config_source *source,
            struct config_report *report)
{
    int rc = config_read_from(&tryout->config, source, report);
    if (rc == RC_NOMEM) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    for (size_t i = 0; i < tryout->config->plugin_count; i++) {
        struct config_plugin *plugin = &tryout->config->plugins[i];
        if (strcmp(plugin->name, source->pins[0].name) == 0) {
            tryout->plugin = plugin;
        }
    }
    return tryout->plugin != NULL
               ? EXIT_OK
               : command_error(EXIT_CONFIG,
                               "\"%s\" is no name of a plugin: add --section "
                               "NAME, of a-z 0-9 - _",
                               source->pins[0].name);
}

static int
from_file(struct tryout *tryout, const char *path, const struct config_pin *pin)
{
    const struct config_source source = {
        .path = path, .pins = pin, .pin_count = 1};
    struct inifile ini = {0};
    struct config_report report = {0};
    int code = read_sections(&ini, path, pin->name);
    if (code == EXIT_OK) {
        code = read_config(tryout, &source, &report);
    }
    if (code == EXIT_OK && print_ours(&report, &ini, pin->name) > 0) {
        code = EXIT_CONFIG;
    }
    report_fini(&report);
    inifile_fini(&ini);
    return code;
}

/* Without a file all is default; only the plugin's own file can be wrong. */
static int
from_defaults(struct tryout *tryout, const struct config_pin *pin)
{
    const struct config_source source = {.path = "command line",
                                         .text_path = "/dev/null",
                                         .pins = pin,
                                         .pin_count = 1};
    struct config_report report = {0};
    int code = read_config(tryout, &source, &report);
    for (size_t i = 0; code == EXIT_OK && i < report.count; i++) {
        if (strncmp(report.findings[i].message, "plugin file", 11) == 0) {
            code = command_error(EXIT_CONFIG, "%s", report.findings[i].message);
        }
    }
    report_fini(&report);
    return code;
}

/* What the command line says comes before what the file says. */
static int
take_pair(struct config_pair **pairs, size_t *count, const char *flag,
          const char *pair)
{
    size_t len = strcspn(pair, "=");
    size_t at = 0;
    if (pair[len] == '\0' || len == 0) {
        return command_error(EXIT_CONFIG, "--%s %s: write key=value", flag,
                             pair);
    }
    while (at < *count && (strlen((*pairs)[at].key) != len ||
                           strncmp((*pairs)[at].key, pair, len) != 0)) {
        at++;
    }
    struct config_pair *grown = realloc(*pairs, (*count + 1) * sizeof(*grown));
    char *key = strndup(pair, len), *value = strdup(pair + len + 1);
    *pairs = grown != NULL ? grown : *pairs;
    if (grown == NULL || key == NULL || value == NULL) {
        free(key);
        free(value);
        return command_error(EXIT_FAILED, "out of memory");
    }
    if (at == *count) {
        ++*count;
    } else {
        free(grown[at].key);
        free(grown[at].value);
    }
    grown[at] = (struct config_pair){.key = key, .value = value};
    return EXIT_OK;
}

static int
take_option(struct config_plugin *plugin, const char *pair)
{
    return take_pair(&plugin->options, &plugin->option_count, "option", pair);
}

/* Without a section the runner has our environment. */
static int
take_variable(struct config_plugin *plugin, const char *pair)
{
    if (plugin != NULL) {
        return take_pair(&plugin->env, &plugin->env_count, "env", pair);
    }
    size_t len = strcspn(pair, "=");
    char *key = strndup(pair, len);
    int code = EXIT_OK;
    if (key == NULL || len == 0 || pair[len] == '\0' ||
        setenv(key, pair + len + 1, 1) != 0) {
        code = command_error(EXIT_CONFIG, "--env %s: write KEY=VALUE", pair);
    }
    free(key);
    return code;
}

static int
take_variables(const struct tryout *tryout, const struct args *args)
{
    int code = EXIT_OK;
    for (int i = 0; code == EXIT_OK && i < args_count(args, "env"); i++) {
        code = take_variable(tryout->plugin, args_value_at(args, "env", i));
    }
    return code;
}

static int
take_options(struct tryout *tryout, const struct args *args)
{
    struct error err;
    int code = EXIT_OK;
    if (tryout->script.option_command != NULL) {
        code = take_option(tryout->plugin, tryout->script.option_command);
    }
    if (code == EXIT_OK && tryout->script.option_dir != NULL) {
        code = take_option(tryout->plugin, tryout->script.option_dir);
    }
    for (int i = 0; code == EXIT_OK && i < args_count(args, "option"); i++) {
        const char *pair = args_value_at(args, "option", i);
        code = value_check_text(pair, &err) == RC_OK
                   ? take_option(tryout->plugin, pair)
                   : command_error(EXIT_CONFIG, "--option %.*s: %s",
                                   (int)strcspn(pair, "="), pair, err.text);
    }
    return code;
}

static int
open_config(struct tryout *tryout, const struct args *args, int need_config)
{
    char name[HEADER_ROOM];
    choose_name(args, name, sizeof(name));
    const struct config_pin pin = {.name = name, .path = tryout->path};
    if (args_value(args, "config") == NULL &&
        args_value(args, "section") == NULL) {
        return need_config ? from_defaults(tryout, &pin) : EXIT_OK;
    }
    const char *path = args_config_path(args);
    return path != NULL ? from_file(tryout, path, &pin) : EXIT_CONFIG;
}

/* ---- The event ------------------------------------------------------ */

/* An event in memory, which the runner opens by a path. */
static int
keep_event(struct tryout *tryout, const char *body, size_t len)
{
    int fd = memfd_create("event", 0); /* it stays open for the runner */
    size_t sent = 0;
    while (fd >= 0 && sent < len) {
        ssize_t n = write(fd, body + sent, len - sent);
        if (n < 0 && errno != EINTR) {
            close(fd);
            fd = -1;
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0) {
        return command_error(EXIT_FAILED, "cannot keep the event: %s",
                             strerror(errno));
    }
    snprintf(tryout->event, sizeof(tryout->event), "/proc/self/fd/%d", fd);
    return EXIT_OK;
}

static int
no_event(const char *given)
{
    char room[128];
    const char *nearest = catalog_nearest(given, room, sizeof(room));
    return command_error(EXIT_MISSING,
                         "there is no file %s, and no event type of that "
                         "name%s%s%s (pegboard trigger --list shows them)",
                         given, nearest != NULL ? ", did you mean \"" : "",
                         nearest != NULL ? nearest : "",
                         nearest != NULL ? "\"?" : "");
}

/* What is no file may be the name of a type. */
static int
make_event(struct tryout *tryout, const char *type)
{
    const struct template_request request = {.type = type};
    char *body;
    size_t len;
    struct error err;
    if (catalog_find(type) == NULL) {
        return no_event(type);
    }
    if (template_build(&request, &body, &len, &err) != RC_OK) {
        return command_error(EXIT_FAILED, "%s", err.text);
    }
    int code = keep_event(tryout, body, len);
    free(body);
    return code;
}

static int
is_file_name(const char *text)
{
    size_t len = strlen(text);
    return strcmp(text, "-") == 0 || strchr(text, '/') != NULL ||
           (len > 5 && strcmp(text + len - 5, ".json") == 0) ||
           access(text, F_OK) == 0;
}

static int
open_event(struct tryout *tryout, const char *given)
{
    if (!is_file_name(given)) {
        return make_event(tryout, given);
    }
    if (strlen(given) >= sizeof(tryout->event)) {
        return command_error(EXIT_MISSING, "%s: %s", given,
                             strerror(ENAMETOOLONG));
    }
    snprintf(tryout->event, sizeof(tryout->event), "%s", given);
    return EXIT_OK;
}

/* ---- All of it ------------------------------------------------------ */

static int
choose_plugin(struct tryout *tryout, const struct args *args)
{
    const char *given = args->operands[0];
    char name[HEADER_ROOM];
    tryout->path = given;
    if (!script_is(given)) {
        return EXIT_OK;
    }
    choose_name(args, name, sizeof(name));
    int code = script_open(&tryout->script, given, args, name, NULL);
    tryout->path = tryout->script.plugin;
    return code;
}

int
tryout_open(struct tryout *tryout, const struct args *args, int need_config)
{
    *tryout = (struct tryout){.config = NULL};
    int code = choose_plugin(tryout, args);
    if (code == EXIT_OK) {
        code = open_config(tryout, args, need_config);
    }
    if (code == EXIT_OK) {
        code = take_variables(tryout, args);
    }
    if (code == EXIT_OK && need_config) {
        code = take_options(tryout, args);
    }
    return code == EXIT_OK ? open_event(tryout, args->operands[1]) : code;
}

void
tryout_fini(struct tryout *tryout)
{
    config_close(tryout->config);
    script_fini(&tryout->script);
    *tryout = (struct tryout){.config = NULL};
}
