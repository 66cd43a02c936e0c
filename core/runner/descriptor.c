/* core/runner/descriptor.c: the rules for a plugin's descriptor.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/descriptor.h"

#include "error.h"
#include "value.h"
#include "plugin/wire.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_MAX 255 /* Stripe's longest type name */

/* The sizes that ABI 1.0 had: no descriptor or option may be smaller. */
#define SIZE_MIN (offsetof(struct peg_plugin, handle) + sizeof(peg_handle_fn *))

#define STRIDE_MIN (offsetof(peg_option, help) + sizeof(const char *))

static int
judge_size(uint32_t size, size_t symbol_bytes, struct error *err)
{
    if (size < SIZE_MIN) {
        return error_set(err, RC_INVALID,
                         "descriptor: .size is %u, at least %zu are needed: "
                         "define it with PEG_PLUGIN(...), which fills it in",
                         size, SIZE_MIN);
    }
    if (symbol_bytes != 0 && size > symbol_bytes) {
        return error_set(err, RC_INVALID,
                         "descriptor: .size is %u, but pegboard_plugin_v1 has "
                         "%zu bytes: define it with PEG_PLUGIN(...)",
                         size, symbol_bytes);
    }
    return RC_OK;
}

static int
judge_abi(const struct peg_plugin *plugin, struct error *err)
{
    if (plugin->abi_major != PEG_ABI_MAJOR) {
        return error_set(err, RC_INVALID,
                         "descriptor: .abi_major is %u, this is %d: build the "
                         "plugin with the pegboard/plugin.h of this version",
                         plugin->abi_major, PEG_ABI_MAJOR);
    }
    if (plugin->needs_minor > PEG_ABI_MINOR) {
        return error_set(err, RC_INVALID,
                         "plugin needs pegboard ABI %d.%u, this is %d.%d: "
                         "update pegboard, or build the plugin with "
                         "PEG_TARGET_MINOR %d",
                         PEG_ABI_MAJOR, plugin->needs_minor, PEG_ABI_MAJOR,
                         PEG_ABI_MINOR, PEG_ABI_MINOR);
    }
    return RC_OK;
}

static int
judge_head(const struct peg_plugin *plugin, struct error *err)
{
    if (plugin->name == NULL) {
        return error_set(err, RC_INVALID,
                         "descriptor: .name is missing: add .name = \"...\" "
                         "to PEG_PLUGIN()");
    }
    if (!manifest_name_valid(plugin->name, MANIFEST_NAME_MAX)) {
        return error_set(err, RC_INVALID,
                         "descriptor: .name \"%.40s\" must be 1 to %d of "
                         "a-z 0-9 - _",
                         plugin->name, MANIFEST_NAME_MAX);
    }
    if (plugin->version == NULL) {
        return error_set(err, RC_INVALID,
                         "descriptor: .version is missing: add "
                         ".version = \"1.0\" to PEG_PLUGIN()");
    }
    if (plugin->handle == NULL) {
        return error_set(err, RC_INVALID,
                         "descriptor: .handle is missing: a plugin must have "
                         "the function that gets the events");
    }
    return RC_OK;
}

/* An exact name, "prefix.*" or "*"; types have no blanks and no other '*'. */
static int
pattern_valid(const char *pattern)
{
    size_t len = strnlen(pattern, EVENT_MAX + 1);
    if (len == 0 || len > EVENT_MAX) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)pattern[i];
        int star_fits = i == len - 1 && (i == 0 || pattern[i - 1] == '.');
        if (byte <= ' ' || byte >= 0x7f || (byte == '*' && !star_fits)) {
            return 0;
        }
    }
    return strcmp(pattern, ".*") != 0;
}

static int
judge_events(const struct peg_plugin *plugin, struct error *err)
{
    const char *const *events = plugin->events;
    if (events == NULL || events[0] == NULL) {
        return error_set(err, RC_INVALID,
                         "descriptor: .events is empty: say what to handle, "
                         "e.g. PEG_EVENTS(\"charge.*\")");
    }
    for (size_t i = 0; events[i] != NULL; i++) {
        if (i == MANIFEST_EVENTS_MAX) {
            return error_set(err, RC_INVALID,
                             "descriptor: .events has more than %d entries, "
                             "or does not end with NULL: use PEG_EVENTS() and "
                             "\"prefix.*\"",
                             MANIFEST_EVENTS_MAX);
        }
        if (!pattern_valid(events[i])) {
            return error_set(err, RC_INVALID,
                             "descriptor: .events: \"%.80s\" is no event "
                             "type: write a full name, \"prefix.*\" or \"*\"",
                             events[i]);
        }
    }
    return RC_OK;
}

/* Option `index`, of which a plugin may know less or more than we do. Copied,
 * since a stride of its own need not keep the alignment. */
static peg_option
option_at(const struct peg_plugin *plugin, size_t index)
{
    peg_option option = {.name = NULL};
    size_t bytes = plugin->option_stride;
    const char *at = (const char *)plugin->options + index * bytes;
    memcpy(&option, at, bytes < sizeof(option) ? bytes : sizeof(option));
    return option;
}

static int
judge_option(const struct peg_plugin *plugin, size_t index, struct error *err)
{
    peg_option option = option_at(plugin, index);
    if (option.name == NULL ||
        !manifest_name_valid(option.name, MANIFEST_OPTION_NAME_MAX)) {
        return error_set(err, RC_INVALID,
                         "descriptor: option %zu: its name \"%.60s\" must be "
                         "1 to %d of a-z 0-9 - _",
                         index, option.name == NULL ? "" : option.name,
                         MANIFEST_OPTION_NAME_MAX);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(option_at(plugin, i).name, option.name) == 0) {
            return error_set(err, RC_INVALID,
                             "descriptor: option \"%s\" is declared twice",
                             option.name);
        }
    }
    if (option.type < PEG_OPTION_STRING || option.type > PEG_OPTION_PATH) {
        return error_set(err, RC_INVALID,
                         "descriptor: option \"%s\": type %d is not one of "
                         "PEG_OPTION_*",
                         option.name, option.type);
    }
    int64_t ignored;
    if (option.fallback != NULL &&
        value_parse((uint32_t)option.type, option.fallback, &ignored) !=
            RC_OK) {
        return error_set(err, RC_INVALID,
                         "descriptor: option \"%s\": its default \"%.60s\" is "
                         "not %s",
                         option.name, option.fallback,
                         value_form((uint32_t)option.type));
    }
    return RC_OK;
}

static int
judge_options(const struct peg_plugin *plugin, struct error *err)
{
    if (plugin->option_count == 0) {
        return RC_OK;
    }
    if (plugin->options == NULL) {
        return error_set(err, RC_INVALID,
                         "descriptor: .option_count is %u, but .options is "
                         "NULL: use PEG_OPTIONS(table)",
                         plugin->option_count);
    }
    if (plugin->option_count > MANIFEST_OPTIONS_MAX) {
        return error_set(err, RC_INVALID,
                         "descriptor: %u options, at most %d are possible",
                         plugin->option_count, MANIFEST_OPTIONS_MAX);
    }
    if (plugin->option_stride < STRIDE_MIN) {
        return error_set(err, RC_INVALID,
                         "descriptor: .option_stride is %u, at least %zu are "
                         "needed: use PEG_OPTIONS(table)",
                         plugin->option_stride, STRIDE_MIN);
    }
    int rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < plugin->option_count; i++) {
        rc = judge_option(plugin, i, err);
    }
    return rc;
}

int
descriptor_judge(struct peg_plugin *out, const void *symbol,
                 size_t symbol_bytes, struct error *err)
{
    uint32_t size;
    memcpy(&size, symbol, sizeof(size)); /* the one member that always is */
    int rc = judge_size(size, symbol_bytes, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct peg_plugin plugin = {.size = 0};
    memcpy(&plugin, symbol, size < sizeof(plugin) ? size : sizeof(plugin));

    rc = judge_abi(&plugin, err);
    if (rc == RC_OK) {
        rc = judge_head(&plugin, err);
    }
    if (rc == RC_OK) {
        rc = judge_events(&plugin, err);
    }
    if (rc == RC_OK) {
        rc = judge_options(&plugin, err);
    }
    if (rc == RC_OK) {
        *out = plugin;
    }
    return rc;
}

/* ---- The manifest --------------------------------------------------- */

/* A copy, "" for NULL; NULL only when memory is out. */
static char *
copy(const char *text)
{
    return strdup(text == NULL ? "" : text);
}

static int
copy_events(struct manifest *out, const struct peg_plugin *plugin)
{
    size_t count = 0;
    while (plugin->events[count] != NULL) {
        count++;
    }
    out->events = calloc(count, sizeof(*out->events));
    if (out->events == NULL) {
        return RC_NOMEM;
    }
    while (out->event_count < count) {
        char *event = copy(plugin->events[out->event_count]);
        if (event == NULL) {
            return RC_NOMEM;
        }
        out->events[out->event_count++] = event;
    }
    return RC_OK;
}

static int
copy_options(struct manifest *out, const struct peg_plugin *plugin)
{
    if (plugin->option_count == 0) {
        return RC_OK;
    }
    out->options = calloc(plugin->option_count, sizeof(*out->options));
    if (out->options == NULL) {
        return RC_NOMEM;
    }
    while (out->option_count < plugin->option_count) {
        peg_option from = option_at(plugin, out->option_count);
        struct manifest_option *to = &out->options[out->option_count++];
        to->name = copy(from.name);
        to->type = (uint32_t)from.type;
        to->flags = from.flags;
        to->fallback = from.fallback == NULL ? NULL : copy(from.fallback);
        to->help = copy(from.help);
        if (to->name == NULL || to->help == NULL ||
            (from.fallback != NULL && to->fallback == NULL)) {
            return RC_NOMEM;
        }
    }
    return RC_OK;
}

/* The daemon kills a runner whose frame is too large; better to say why. */
static int
judge_frame(const struct manifest *manifest, struct error *err)
{
    struct wire_writer writer = {.bytes = NULL};
    wire_begin(&writer, WIRE_MANIFEST, 0);
    manifest_put(&writer, manifest);
    int rc = wire_end(&writer);
    if (rc != RC_OK || writer.len > WIRE_REPLY_MAX) {
        rc = error_set(err, RC_INVALID,
                       "descriptor: its texts are longer than %u KB "
                       "together: shorten the help of the options",
                       WIRE_REPLY_MAX >> 10);
    }
    wire_writer_fini(&writer);
    return rc;
}

int
descriptor_manifest(struct manifest *out, const struct peg_plugin *plugin,
                    struct error *err)
{
    struct manifest manifest = {
        .abi_major = plugin->abi_major,
        .needs_minor = plugin->needs_minor,
        .name = copy(plugin->name),
        .version = copy(plugin->version),
        .summary = copy(plugin->summary),
        .has_init = plugin->init != NULL,
        .has_shutdown = plugin->shutdown != NULL,
        .has_self_test = plugin->self_test != NULL,
    };
    int rc = RC_NOMEM;
    if (manifest.name != NULL && manifest.version != NULL &&
        manifest.summary != NULL) {
        rc = copy_events(&manifest, plugin);
    }
    if (rc == RC_OK) {
        rc = copy_options(&manifest, plugin);
    }
    if (rc == RC_NOMEM) {
        error_set(err, rc, "descriptor: out of memory");
    } else {
        rc = judge_frame(&manifest, err);
    }
    if (rc != RC_OK) {
        manifest_fini(&manifest);
        return rc;
    }
    *out = manifest;
    return RC_OK;
}
