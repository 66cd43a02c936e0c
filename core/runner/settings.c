/* core/runner/settings.c: the values of the plugin's options.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/settings.h"

#include "error.h"
#include "plugin/manifest.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

struct setting {
    char *name;
    uint32_t type;
    char *text;     /* a list's is cut up into its items */
    int64_t number; /* of INT, BOOL, DURATION and SIZE */
    peg_str *items; /* of LIST */
    size_t item_count;
};

static const struct setting *
find(const struct settings *settings, const char *name)
{
    for (size_t i = 0; name != NULL && i < settings->count; i++) {
        if (strcmp(settings->list[i].name, name) == 0) {
            return &settings->list[i];
        }
    }
    return NULL;
}

static void
setting_fini(struct setting *setting)
{
    free(setting->name);
    free(setting->text);
    free(setting->items);
}

/* Cut the text at its commas, in place. Nothing between two commas is no
 * item. */
static int
split(struct setting *setting)
{
    size_t commas = 0;
    for (const char *at = setting->text; *at != '\0'; at++) {
        commas += *at == ',';
    }
    setting->items = calloc(commas + 1, sizeof(*setting->items));
    if (setting->items == NULL) {
        return RC_NOMEM;
    }
    char *rest = setting->text;
    char *piece;
    while ((piece = strsep(&rest, ",")) != NULL) {
        piece += strspn(piece, BLANKS);
        size_t len = strlen(piece);
        while (len > 0 && strchr(BLANKS, piece[len - 1]) != NULL) {
            piece[--len] = '\0';
        }
        if (len > 0) {
            setting->items[setting->item_count++] = (peg_str){piece, len};
        }
    }
    return RC_OK;
}

static int
setting_init(struct setting *setting, const char *name, uint32_t type,
             const char *value)
{
    *setting = (struct setting){.type = type};
    if (value_parse(type, value, &setting->number) != RC_OK) {
        return RC_INVALID;
    }
    setting->name = strdup(name);
    setting->text = strdup(value);
    if (setting->name == NULL || setting->text == NULL) {
        return RC_NOMEM;
    }
    return type == PEG_OPTION_LIST ? split(setting) : RC_OK;
}

int
settings_put(struct settings *settings, const char *name, uint32_t type,
             const char *value)
{
    if (settings_has(settings, name)) {
        return RC_BUSY;
    }
    struct setting *list =
        realloc(settings->list, (settings->count + 1) * sizeof(*list));
    if (list == NULL) {
        return RC_NOMEM;
    }
    settings->list = list;
    int rc = setting_init(&list[settings->count], name, type, value);
    if (rc != RC_OK) {
        setting_fini(&list[settings->count]);
        return rc;
    }
    settings->count++;
    return RC_OK;
}

int
settings_put_defaults(struct settings *settings,
                      const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->option_count; i++) {
        const struct manifest_option *option = &manifest->options[i];
        if (option->fallback != NULL &&
            settings_put(settings, option->name, option->type,
                         option->fallback) == RC_NOMEM) {
            return RC_NOMEM;
        }
    }
    return RC_OK;
}

int
settings_has(const struct settings *settings, const char *name)
{
    return find(settings, name) != NULL;
}

int32_t
settings_str(const struct settings *settings, const char *name, peg_str *out)
{
    const struct setting *setting = find(settings, name);
    if (setting == NULL) {
        return PEG_ABSENT;
    }
    if (setting->type != PEG_OPTION_STRING &&
        setting->type != PEG_OPTION_PATH) {
        return PEG_TYPE;
    }
    *out = (peg_str){setting->text, strlen(setting->text)};
    return PEG_OK;
}

int32_t
settings_i64(const struct settings *settings, const char *name, int64_t *out)
{
    const struct setting *setting = find(settings, name);
    if (setting == NULL) {
        return PEG_ABSENT;
    }
    switch (setting->type) {
    case PEG_OPTION_INT:
    case PEG_OPTION_BOOL:
    case PEG_OPTION_DURATION:
    case PEG_OPTION_SIZE:
        *out = setting->number;
        return PEG_OK;
    default:
        return PEG_TYPE;
    }
}

int32_t
settings_item(const struct settings *settings, const char *name, uint32_t index,
              peg_str *out)
{
    const struct setting *setting = find(settings, name);
    if (setting == NULL) {
        return PEG_ABSENT;
    }
    if (setting->type != PEG_OPTION_LIST) {
        return PEG_TYPE;
    }
    if (index >= setting->item_count) {
        return PEG_ABSENT;
    }
    *out = setting->items[index];
    return PEG_OK;
}

void
settings_fini(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        setting_fini(&settings->list[i]);
    }
    free(settings->list);
    *settings = (struct settings){.list = NULL};
}
