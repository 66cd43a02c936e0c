/* core/runner/given.c: the options that `try` is given.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/given.h"

#include "config/paths.h"
#include "config/secret.h"
#include "error.h"
#include "plugin/manifest.h"
#include "runner/settings.h"
#include "suggest.h"
#include "value.h"

#include <pegboard/plugin.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX (32U << 20) /* more than an INI file's options can have */

/* ---- Taking them ---------------------------------------------------- */

int
given_add(struct given *given, const char *pair)
{
    if (given->count == GIVEN_MAX) {
        return RC_FULL;
    }
    size_t len = strcspn(pair, "=");
    given->options[given->count++] = (struct given_option){
        .name = pair,
        .name_len = len,
        .value = pair[len] == '=' ? pair + len + 1 : NULL,
    };
    return RC_OK;
}

static int
read_all(int fd, char **out, size_t *len)
{
    char *text = malloc(READ_MAX);
    size_t used = 0;
    ssize_t n = text == NULL ? -1 : 1;
    while (n > 0 && used < READ_MAX) {
        n = read(fd, text + used, READ_MAX - used);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n > 0) {
            used += (size_t)n;
        }
    }
    if (n != 0 || used == 0 || text[used - 1] != '\0') {
        free(text);
        return RC_IO;
    }
    *out = text;
    *len = used;
    return RC_OK;
}

/* The next text of them; NULL behind the last. */
static const char *
next_text(const char **at, const char *end)
{
    const char *text = *at;
    if (text >= end) {
        return NULL;
    }
    *at = text + strlen(text) + 1;
    return text;
}

int
given_read(struct given *given, int fd)
{
    size_t len;
    int rc = read_all(fd, &given->text, &len);
    close(fd);
    if (rc != RC_OK) {
        return rc;
    }
    const char *at = given->text, *end = given->text + len;
    given->dir = next_text(&at, end);
    const char *where;
    while ((where = next_text(&at, end)) != NULL) {
        const char *name = next_text(&at, end);
        const char *value = next_text(&at, end);
        if (value == NULL) {
            return RC_INVALID;
        }
        if (given->count == GIVEN_MAX) {
            return RC_FULL;
        }
        given->options[given->count++] = (struct given_option){
            .where = where,
            .name = name,
            .name_len = strlen(name),
            .value = value,
        };
    }
    return RC_OK;
}

void
given_fini(struct given *given)
{
    free(given->text);
    *given = (struct given){.count = 0};
}

/* ---- Checking them -------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int
complain(const struct given_option *option, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr,
            "%s: ", option->where == NULL ? "pegboard-runner" : option->where);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return RC_INVALID;
}

static int
is_named(const struct given_option *option, const char *name)
{
    return strlen(name) == option->name_len &&
           strncmp(option->name, name, option->name_len) == 0;
}

static const struct manifest_option *
find_declared(const struct manifest *manifest,
              const struct given_option *option)
{
    for (size_t i = 0; i < manifest->option_count; i++) {
        if (is_named(option, manifest->options[i].name)) {
            return &manifest->options[i];
        }
    }
    return NULL;
}

static int
refuse_unknown(const struct manifest *manifest,
               const struct given_option *option)
{
    char name[MANIFEST_OPTION_NAME_MAX + 2];
    struct suggest suggest;
    snprintf(name, sizeof(name), "%.*s", (int)option->name_len, option->name);
    suggest_init(&suggest, name);
    for (size_t i = 0; i < manifest->option_count; i++) {
        suggest_offer(&suggest, manifest->options[i].name);
    }
    if (suggest.best != NULL) {
        return complain(option, "%s has no option \"%s\", did you mean \"%s\"?",
                        manifest->name, name, suggest.best);
    }
    complain(option, "%s has no option \"%s\"; %s", manifest->name, name,
             manifest->option_count == 0 ? "it declares none" : "it declares:");
    for (size_t i = 0; i < manifest->option_count; i++) {
        const struct manifest_option *declared = &manifest->options[i];
        fprintf(stderr, "  %-16s %s (%s)\n", declared->name, declared->help,
                value_form(declared->type));
    }
    return RC_INVALID;
}

/* A value as the plugin sees it. NULL, and *rc, if it cannot be made. */
static char *
resolve(const struct manifest_option *declared,
        const struct given_option *option, const char *dir, int *rc)
{
    const char *value = option->value;
    int is_reference =
        strncmp(value, "file:", 5) == 0 || strncmp(value, "env:", 4) == 0;
    struct secret secret;
    struct error err;
    *rc = RC_NOMEM;
    if (declared->type == PEG_OPTION_PATH) {
        return path_below(dir, value);
    }
    if (!is_reference || (declared->flags & PEG_OPTION_SECRET) == 0) {
        if (is_reference) {
            complain(option,
                     "warning: option %s is no PEG_OPTION_SECRET, so the "
                     "plugin gets \"%s\" as it stands there",
                     declared->name, value);
        }
        return strdup(value);
    }
    *rc = secret_read_line(&secret, value, dir, &err);
    if (*rc != RC_OK) {
        *rc = *rc == RC_NOMEM
                  ? RC_NOMEM
                  : complain(option, "option %s: %s", declared->name, err.text);
        return NULL;
    }
    char *text = strdup(secret.text);
    secret_fini(&secret);
    *rc = RC_NOMEM;
    return text;
}

static int
put_value(struct settings *settings, const struct manifest_option *declared,
          const struct given_option *option, const char *dir)
{
    struct error err;
    int rc;
    if (value_check_text(option->value, &err) != RC_OK) {
        return complain(option, "option %s: %s", declared->name, err.text);
    }
    char *value = resolve(declared, option, dir, &rc);
    if (value == NULL) {
        return rc;
    }
    rc = settings_put(settings, declared->name, declared->type, value);
    if (rc == RC_INVALID) {
        rc =
            complain(option, "option %s: \"%s\" is not %s", declared->name,
                     (declared->flags & PEG_OPTION_SECRET) != 0 ? "..." : value,
                     value_form(declared->type));
    }
    explicit_bzero(value, strlen(value));
    free(value);
    return rc;
}

/* Whether another of the same name, and from the same place, is before it; or
 * whether --option takes the place of what the file says. */
static int
is_replaced(const struct given *given, size_t index)
{
    const struct given_option *option = &given->options[index];
    for (size_t i = 0; option->where != NULL && i < given->count; i++) {
        const struct given_option *other = &given->options[i];
        if (other->where == NULL && other->name_len == option->name_len &&
            strncmp(other->name, option->name, option->name_len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Paths are absolute for the plugin; on the command line they start here. */
static int
put_one(const struct given *given, size_t index,
        const struct manifest *manifest, struct settings *settings,
        const char *here)
{
    const struct given_option *option = &given->options[index];
    const struct manifest_option *declared = find_declared(manifest, option);
    if (option->value == NULL) {
        return complain(option, "--option %s: write key=value", option->name);
    }
    if (declared == NULL) {
        return refuse_unknown(manifest, option);
    }
    if (is_replaced(given, index)) {
        return RC_OK;
    }
    if (settings_has(settings, declared->name)) {
        return complain(option, "option %s is given twice", declared->name);
    }
    return put_value(settings, declared, option,
                     option->where == NULL ? here : given->dir);
}

/* What was not given, and not complained about. */
static int
put_default(const struct given *given, const struct manifest_option *declared,
            struct settings *settings, const char *dir)
{
    struct given_option option = {.value = declared->fallback};
    for (size_t i = 0; i < given->count; i++) {
        if (is_named(&given->options[i], declared->name)) {
            return RC_OK;
        }
    }
    if (declared->fallback != NULL) {
        return put_value(settings, declared, &option, dir);
    }
    if ((declared->flags & PEG_OPTION_REQUIRED) == 0) {
        return RC_OK;
    }
    return complain(&option,
                    "option %s is required: add --option %s=VALUE (%s)",
                    declared->name, declared->name, declared->help);
}

static int
worse(int a, int b)
{
    return a == RC_NOMEM || b == RC_OK ? a : b;
}

int
given_settle(const struct given *given, const struct manifest *manifest,
             struct settings *settings)
{
    char *here = getcwd(NULL, 0);
    int rc = here == NULL ? RC_NOMEM : RC_OK;
    for (size_t i = 0; rc != RC_NOMEM && i < given->count; i++) {
        rc = worse(put_one(given, i, manifest, settings, here), rc);
    }
    for (size_t i = 0; rc != RC_NOMEM && i < manifest->option_count; i++) {
        rc = worse(put_default(given, &manifest->options[i], settings,
                               given->dir == NULL ? here : given->dir),
                   rc);
    }
    free(here);
    if (rc == RC_NOMEM) {
        fprintf(stderr, "pegboard-runner: out of memory\n");
    }
    return rc;
}
