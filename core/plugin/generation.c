/* core/plugin/generation.c: one configuration with its plugins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/generation.h"

#include "config/config.h"
#include "config/report.h"
#include "error.h"
#include "inbox/inbox.h"
#include "plugin/agree.h"
#include "plugin/probe.h"
#include "stripe/digest.h"
#include "stripe/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
close_plugin(struct plugin *plugin)
{
    for (size_t i = 0; i < plugin->option_count; i++) {
        free(plugin->options[i].value);
    }
    free(plugin->options);
    manifest_fini(&plugin->manifest);
    snapshot_fini(&plugin->snapshot);
}

/* ---- Fingerprints --------------------------------------------------- */

/* Text that is hashed with its length, so that no two lists look alike. */
struct print {
    char *bytes;
    size_t len;
    int out_of_memory;
};

static void
print_text(struct print *print, const char *text)
{
    uint64_t len = strlen(text);
    char *grown = realloc(print->bytes, print->len + sizeof(len) + len);
    if (grown == NULL) {
        print->out_of_memory = 1;
        return;
    }
    memcpy(grown + print->len, &len, sizeof(len));
    memcpy(grown + print->len + sizeof(len), text, len);
    print->bytes = grown;
    print->len += sizeof(len) + len;
}

static void
print_number(struct print *print, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    print_text(print, text);
}

static void
print_confinement(struct print *print, const struct config_plugin *config)
{
    print_number(print, config->sandbox);
    print_number(print, config->sandbox_required);
    print_text(print, config->data_dir != NULL ? config->data_dir : "");
    print_number(print, (int64_t)config->tcp_port_count);
    for (size_t i = 0; i < config->tcp_port_count; i++) {
        print_number(print, config->tcp_ports[i]);
    }
    print_number(print, config->user != NULL ? (int64_t)config->uid : -1);
    print_number(print, config->user != NULL ? (int64_t)config->gid : -1);
    print_number(print, config->limit_files);
    print_number(print, config->limit_file_size);
    print_number(print, config->limit_memory);
    print_number(print, config->limit_processes);
    print_number(print, config->core_dumps);
    print_number(print, config->recycle_events);
    print_number(print, config->recycle_age_ms);
    print_number(print, config->recycle_memory);
}

static void
print_plugin(struct print *print, const struct plugin *plugin)
{
    const struct config_plugin *config = plugin->config;
    print_text(print, plugin->snapshot.digest);
    print_number(print, config->concurrency);
    print_number(print, config->timeout_ms);
    print_confinement(print, config);
    print_number(print, (int64_t)plugin->option_count);
    for (size_t i = 0; i < plugin->option_count; i++) {
        print_text(print, plugin->options[i].name);
        print_text(print, plugin->options[i].value);
    }
    for (size_t i = 0; i < config->env_count; i++) {
        print_text(print, config->env[i].key);
        print_text(print, config->env[i].value);
    }
}

static int
take_fingerprint(struct plugin *plugin)
{
    struct print print = {0};
    print_plugin(&print, plugin);
    int rc = print.out_of_memory ? RC_NOMEM
                                 : digest_sha256(print.bytes, print.len,
                                                 plugin->fingerprint, NULL);
    if (print.bytes != NULL) {
        explicit_bzero(print.bytes, print.len); /* options may be secrets */
    }
    free(print.bytes);
    return rc;
}

int
plugin_is_same(const struct plugin *a, const struct plugin *b)
{
    return memcmp(a->fingerprint, b->fingerprint, PLUGIN_FINGERPRINT_BYTES) ==
           0;
}

/* ---- Making and ending ---------------------------------------------- */

/* One plugin from its file to its checked options. Mistakes go to the report;
 * the return value only says whether memory ran out. */
static int
make_plugin(struct plugin *plugin, const struct config_plugin *config,
            const struct config *whole, const char *dir, int stop_fd,
            struct config_report *report)
{
    struct error err = {0};
    plugin->config = config;
    int rc = snapshot_make(&plugin->snapshot, config->path, dir, &err);
    if (rc == RC_OK) {
        rc = probe_load(config, plugin->snapshot.path, stop_fd,
                        &plugin->manifest, &err);
    }
    if (rc == RC_CLOSED) {
        return rc;
    }
    if (rc != RC_OK) {
        report_error(report, whole->file, config->line, "plugin \"%s\": %s",
                     config->name, err.text);
        return rc == RC_NOMEM || rc == RC_IO ? rc : RC_OK;
    }
    agree_events(plugin, whole, report);
    rc = agree_options(plugin, whole, report);
    return rc == RC_OK ? take_fingerprint(plugin) : rc;
}

int
generation_make(struct generation **out, struct config *config, const char *dir,
                int stop_fd, struct config_report *report)
{
    struct generation *made = calloc(1, sizeof(*made));
    struct plugin *plugins = calloc(config->plugin_count + 1, sizeof(*plugins));
    if (made == NULL || plugins == NULL) {
        free(made);
        free(plugins);
        return RC_NOMEM;
    }
    atomic_init(&made->holders, 1);
    made->plugins = plugins;

    int rc = RC_OK;
    for (size_t i = 0; i < config->plugin_count && rc == RC_OK; i++) {
        if (config->plugins[i].enabled && !config->plugins[i].refused) {
            rc = make_plugin(&plugins[made->plugin_count++],
                             &config->plugins[i], config, dir, stop_fd, report);
        }
    }
    if (rc == RC_OK && report->errors > 0) {
        rc = RC_INVALID;
    }
    if (rc != RC_OK) {
        generation_drop(made);
        return rc;
    }
    made->config = config;
    *out = made;
    return RC_OK;
}

static struct inbox_policy
policy_of(const struct plugin *plugin)
{
    return (struct inbox_policy){
        .name = plugin->config->name,
        .order = (enum inbox_order)plugin->config->order,
        .collapse_twins = plugin->config->collapse_twins,
        .digest = plugin->snapshot.digest,
    };
}

/* @param stored  out: room for all its plugins */
static int
enrol(const struct generation *generation, struct inbox *inbox,
      struct inbox_plugin *stored, struct inbox_generation *record,
      struct error *err)
{
    size_t count = generation->plugin_count;
    struct inbox_policy *policies = calloc(count + 1, sizeof(*policies));
    if (policies == NULL) {
        return error_set(err, RC_NOMEM, "plugin: out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        policies[i] = policy_of(&generation->plugins[i]);
    }
    struct inbox_enrolment enrolment = {.policies = policies,
                                        .count = count,
                                        .plugins = stored,
                                        .generation = record};
    int rc = inbox_enrol(inbox, &enrolment, err);
    free(policies);
    return rc;
}

int
generation_enrol(struct generation *generation, struct inbox *inbox,
                 struct inbox_generation *record, struct error *err)
{
    size_t count = generation->plugin_count;
    struct inbox_plugin *stored = calloc(count + 1, sizeof(*stored));
    int rc = stored != NULL ? enrol(generation, inbox, stored, record, err)
                            : error_set(err, RC_NOMEM, "plugin: out of memory");
    for (size_t i = 0; i < count && rc == RC_OK; i++) {
        generation->plugins[i].stored = stored[i];
        generation->plugins[i].id = stored[i].id;
    }
    if (rc == RC_OK) {
        generation->number = (unsigned)record->number;
    }
    free(stored);
    return rc;
}

int
generation_restore(const struct generation *generation, struct inbox *inbox,
                   struct inbox_generation *record, struct error *err)
{
    struct inbox_plugin *stored =
        calloc(generation->plugin_count + 1, sizeof(*stored));
    int rc = stored != NULL ? enrol(generation, inbox, stored, record, err)
                            : error_set(err, RC_NOMEM, "plugin: out of memory");
    free(stored); /* as they were */
    return rc;
}

struct generation *
generation_hold(struct generation *generation)
{
    atomic_fetch_add(&generation->holders, 1);
    return generation;
}

void
generation_drop(struct generation *generation)
{
    if (generation == NULL || atomic_fetch_sub(&generation->holders, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < generation->plugin_count; i++) {
        close_plugin(&generation->plugins[i]);
    }
    free(generation->plugins);
    config_close(generation->config);
    free(generation);
}

/* ---- Who gets what -------------------------------------------------- */

static int
mode_passes(enum config_mode mode, int livemode)
{
    switch (mode) {
    case CONFIG_ANY:
        return 1;
    case CONFIG_LIVE:
        return livemode;
    case CONFIG_TEST:
        return !livemode;
    }
    return 0;
}

int
generation_mode_passes(const struct config_endpoint *endpoint, int livemode)
{
    return mode_passes(endpoint->livemode, livemode);
}

static int
endpoint_passes(const struct config_plugin *config, const char *endpoint)
{
    for (size_t i = 0; i < config->endpoint_count; i++) {
        if (strcmp(config->endpoints[i], endpoint) == 0) {
            return 1;
        }
    }
    return config->endpoint_count == 0;
}

static int
type_passes(const struct plugin *plugin, const char *type)
{
    for (size_t i = 0; i < plugin->event_count; i++) {
        if (event_type_matches(plugin->events[i], type)) {
            return 1;
        }
    }
    return 0;
}

int
generation_passes(const struct plugin *plugin, const char *endpoint,
                  const char *type, int livemode)
{
    return mode_passes(plugin->config->livemode, livemode) &&
           endpoint_passes(plugin->config, endpoint) &&
           type_passes(plugin, type);
}

size_t
generation_route(const struct generation *generation,
                 const struct config_endpoint *endpoint, const char *type,
                 int livemode, uint32_t *ids)
{
    size_t count = 0;
    if (!mode_passes(endpoint->livemode, livemode)) {
        return 0;
    }
    for (size_t i = 0; i < generation->plugin_count; i++) {
        const struct plugin *plugin = &generation->plugins[i];
        if (generation_passes(plugin, endpoint->name, type, livemode)) {
            ids[count++] = plugin->id;
        }
    }
    return count;
}

const struct plugin *
generation_plugin(const struct generation *generation, uint32_t id)
{
    for (size_t i = 0; i < generation->plugin_count; i++) {
        if (generation->plugins[i].id == id) {
            return &generation->plugins[i];
        }
    }
    return NULL;
}

const struct plugin *
generation_find(const struct generation *generation, const char *name)
{
    for (size_t i = 0; i < generation->plugin_count; i++) {
        if (strcmp(generation->plugins[i].config->name, name) == 0) {
            return &generation->plugins[i];
        }
    }
    return NULL;
}
