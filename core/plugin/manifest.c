/* core/plugin/manifest.c: what a plugin's descriptor says, as plain data.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/manifest.h"

#include "error.h"
#include "plugin/wire.h"

#include <pegboard/plugin.h>
#include <stdlib.h>
#include <string.h>

void
manifest_put(struct wire_writer *writer, const struct manifest *manifest)
{
    wire_put_u32(writer, manifest->abi_major);
    wire_put_u32(writer, manifest->needs_minor);
    wire_put_cstr(writer, manifest->name);
    wire_put_cstr(writer, manifest->version);
    wire_put_cstr(writer, manifest->summary);
    wire_put_u32(writer, (uint32_t)manifest->event_count);
    for (size_t i = 0; i < manifest->event_count; i++) {
        wire_put_cstr(writer, manifest->events[i]);
    }
    wire_put_u32(writer, (uint32_t)manifest->option_count);
    for (size_t i = 0; i < manifest->option_count; i++) {
        const struct manifest_option *option = &manifest->options[i];
        wire_put_cstr(writer, option->name);
        wire_put_u32(writer, option->type);
        wire_put_u32(writer, option->flags);
        wire_put_u32(writer, option->fallback != NULL);
        wire_put_cstr(writer, option->fallback);
        wire_put_cstr(writer, option->help);
    }
    wire_put_u32(writer, manifest->has_init);
    wire_put_u32(writer, manifest->has_shutdown);
    wire_put_u32(writer, manifest->has_self_test);
}

static int
get_text(struct wire_reader *reader, char **out)
{
    const char *text = wire_get_str(reader, NULL);
    if (reader->failed) {
        return RC_INVALID;
    }
    *out = strdup(text);
    return *out == NULL ? RC_NOMEM : RC_OK;
}

/* A yes or no. */
static int
get_flag(struct wire_reader *reader, uint32_t *out)
{
    *out = wire_get_u32(reader);
    return reader->failed || *out > 1 ? RC_INVALID : RC_OK;
}

static int
get_head(struct wire_reader *reader, struct manifest *out)
{
    out->abi_major = wire_get_u32(reader);
    out->needs_minor = wire_get_u32(reader);
    int rc = get_text(reader, &out->name);
    if (rc == RC_OK && !manifest_name_valid(out->name, MANIFEST_NAME_MAX)) {
        rc = RC_INVALID;
    }
    if (rc == RC_OK) {
        rc = get_text(reader, &out->version);
    }
    return rc == RC_OK ? get_text(reader, &out->summary) : rc;
}

static int
get_events(struct wire_reader *reader, struct manifest *out)
{
    size_t count = wire_get_u32(reader);
    if (count == 0 || count > MANIFEST_EVENTS_MAX) {
        return RC_INVALID;
    }
    out->events = calloc(count, sizeof(*out->events));
    if (out->events == NULL) {
        return RC_NOMEM;
    }
    int rc = RC_OK;
    while (rc == RC_OK && out->event_count < count) {
        rc = get_text(reader, &out->events[out->event_count++]);
    }
    return rc;
}

static int
get_option(struct wire_reader *reader, struct manifest_option *out)
{
    int rc = get_text(reader, &out->name);
    if (rc != RC_OK) {
        return rc;
    }
    out->type = wire_get_u32(reader);
    out->flags = wire_get_u32(reader);
    uint32_t has_fallback;
    rc = get_flag(reader, &has_fallback);
    if (rc != RC_OK || out->type < PEG_OPTION_STRING ||
        out->type > PEG_OPTION_PATH ||
        !manifest_name_valid(out->name, MANIFEST_OPTION_NAME_MAX)) {
        return RC_INVALID;
    }
    rc = get_text(reader, &out->fallback);
    if (!has_fallback) {
        free(out->fallback);
        out->fallback = NULL;
    }
    return rc == RC_OK ? get_text(reader, &out->help) : rc;
}

static int
get_options(struct wire_reader *reader, struct manifest *out)
{
    size_t count = wire_get_u32(reader);
    if (count > MANIFEST_OPTIONS_MAX) {
        return RC_INVALID;
    }
    if (count == 0) {
        return RC_OK;
    }
    out->options = calloc(count, sizeof(*out->options));
    if (out->options == NULL) {
        return RC_NOMEM;
    }
    int rc = RC_OK;
    while (rc == RC_OK && out->option_count < count) {
        rc = get_option(reader, &out->options[out->option_count++]);
    }
    return rc;
}

static int
get_tail(struct wire_reader *reader, struct manifest *out)
{
    int rc = get_flag(reader, &out->has_init);
    if (rc == RC_OK) {
        rc = get_flag(reader, &out->has_shutdown);
    }
    if (rc == RC_OK) {
        rc = get_flag(reader, &out->has_self_test);
    }
    return rc == RC_OK ? wire_done(reader) : rc;
}

int
manifest_get(struct wire_reader *reader, struct manifest *out)
{
    struct manifest got = {.name = NULL};
    int rc = get_head(reader, &got);
    if (rc == RC_OK) {
        rc = get_events(reader, &got);
    }
    if (rc == RC_OK) {
        rc = get_options(reader, &got);
    }
    if (rc == RC_OK) {
        rc = get_tail(reader, &got);
    }
    if (rc != RC_OK) {
        manifest_fini(&got);
        return rc;
    }
    *out = got;
    return RC_OK;
}

void
manifest_fini(struct manifest *manifest)
{
    free(manifest->name);
    free(manifest->version);
    free(manifest->summary);
    for (size_t i = 0; i < manifest->event_count; i++) {
        free(manifest->events[i]);
    }
    free(manifest->events);
    for (size_t i = 0; i < manifest->option_count; i++) {
        free(manifest->options[i].name);
        free(manifest->options[i].fallback);
        free(manifest->options[i].help);
    }
    free(manifest->options);
    *manifest = (struct manifest){.name = NULL};
}

int
manifest_name_valid(const char *name, size_t max)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    return len > 0 && len <= max && name[len] == '\0';
}

const struct manifest_option *
manifest_option_find(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->option_count; i++) {
        if (strcmp(manifest->options[i].name, name) == 0) {
            return &manifest->options[i];
        }
    }
    return NULL;
}
