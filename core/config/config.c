/* core/config/config.c: one configuration, read from an INI file and checked
 * whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "config/build.h"
#include "error.h"
#include "config/inifile.h"
#include "config/paths.h"
#include "config/report.h"
#include "stripe/signature.h"

#include <stdlib.h>
#include <string.h>

static void
free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    free(texts);
}

/* A value may be a secret that stands in the file itself. */
static void
free_secret(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
}

static void
free_pairs(struct config_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].key);
        free_secret(pairs[i].value);
    }
    free(pairs);
}

static void
plugin_fini(struct config_plugin *plugin)
{
    free(plugin->path);
    free(plugin->data_dir);
    free(plugin->user);
    free_texts(plugin->events, plugin->event_count);
    free_texts(plugin->endpoints, plugin->endpoint_count);
    free_pairs(plugin->options, plugin->option_count);
    free_pairs(plugin->env, plugin->env_count);
}

static void
endpoint_fini(struct config_endpoint *endpoint)
{
    free(endpoint->path);
    signature_keys_close(endpoint->keys);
    free_secret(endpoint->first_secret_ref);
}

void
config_close(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->endpoint_count; i++) {
        endpoint_fini(&config->endpoints[i]);
    }
    for (size_t i = 0; i < config->plugin_count; i++) {
        plugin_fini(&config->plugins[i]);
    }
    free(config->endpoints);
    free(config->plugins);
    free(config->file);
    if (config->text != NULL) {
        explicit_bzero(config->text, config->text_len);
    }
    free(config->text);
    free(config->dir);
    free(config->trusted_proxies);
    free(config->state_dir);
    free(config->inbox_path);
    free(config->log_file);
    free(config->plugins_dir);
    free(config);
}

/* With room for the most endpoints and plugins, so that none ever moves. */
static struct config *
config_new(const char *path)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return NULL;
    }
    config->file = strdup(path);
    config->dir = path_folder(path);
    config->endpoints =
        calloc(CONFIG_ENDPOINTS_MAX, sizeof(*config->endpoints));
    config->plugins = calloc(CONFIG_PLUGINS_MAX, sizeof(*config->plugins));
    if (config->file == NULL || config->dir == NULL ||
        config->endpoints == NULL || config->plugins == NULL) {
        config_close(config);
        return NULL;
    }
    return config;
}

/* From the text to the fields. */
static int
build_text(struct config *config, const struct config_source *source,
           struct config_report *report)
{
    struct inifile ini = {0};
    int rc = inifile_parse(&ini, source->path, config->text, config->text_len,
                           report);
    if (rc == RC_OK) {
        struct build build = {.config = config,
                              .report = report,
                              .pins = source->pins,
                              .pin_count = source->pin_count};
        sections_build(&build, &ini);
    }
    inifile_fini(&ini);
    return rc;
}

int
config_read_from(struct config **out, const struct config_source *source,
                 struct config_report *report)
{
    struct config *config = config_new(source->path);
    if (config == NULL) {
        report->out_of_memory = 1;
        return RC_NOMEM;
    }
    const char *path =
        source->text_path != NULL ? source->text_path : source->path;
    int rc = inifile_load(&config->text, &config->text_len, path, report);
    if (rc == RC_OK) {
        rc = build_text(config, source, report);
    }
    if (report->out_of_memory || rc == RC_NOMEM) {
        config_close(config);
        return RC_NOMEM;
    }
    *out = config;
    return report->errors > 0 ? RC_INVALID : rc;
}

int
config_read(struct config **out, const char *path, struct config_report *report)
{
    const struct config_source source = {.path = path};
    return config_read_from(out, &source, report);
}

int
config_load(struct config **out, const char *path, struct config_report *report)
{
    struct config *config = NULL;
    int rc = config_read(&config, path, report);
    if (rc != RC_OK) {
        config_close(config);
        return rc;
    }
    *out = config;
    return RC_OK;
}

const struct config_endpoint *
config_endpoint(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->endpoint_count; i++) {
        if (strcmp(config->endpoints[i].name, name) == 0) {
            return &config->endpoints[i];
        }
    }
    return NULL;
}

const struct config_plugin *
config_plugin(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->plugin_count; i++) {
        if (strcmp(config->plugins[i].name, name) == 0) {
            return &config->plugins[i];
        }
    }
    return NULL;
}
