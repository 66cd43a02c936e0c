/* core/config/plugin.c: a plugin's own keys, and the file it is loaded from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/paths.h"
#include "config/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
name_valid(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= CONFIG_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

struct config_plugin *
plugin_add(struct build *build, const char *name, int line)
{
    struct config *config = build->config;
    if (config->plugin_count == CONFIG_PLUGINS_MAX) {
        report_error(build->report, config->file, line,
                     "plugin %s is one too many: at most %d", name,
                     CONFIG_PLUGINS_MAX);
        return NULL;
    }
    struct config_plugin *plugin = &config->plugins[config->plugin_count++];
    snprintf(plugin->name, sizeof(plugin->name), "%s", name);
    plugin->line = line;
    return plugin;
}

/* As it is written; plugin_locate() looks for it when all keys are read. */
void
read_plugin_path(const struct value *value)
{
    struct config_plugin *plugin = value->target;
    if (value->is_default) {
        char file[CONFIG_NAME_MAX + sizeof(".so")];
        snprintf(file, sizeof(file), "%s.so", plugin->name);
        plugin->path = build_check(value->build, strdup(file));
    } else if (value->text[0] == '\0' || value->text[0] == '~') {
        value_error(value, "\"%.128s\" is no path; write one as %s.so",
                    value->text, plugin->name);
    } else {
        plugin->path = build_check(value->build, strdup(value->text));
    }
}

void
read_env(const struct value *value)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    struct config_plugin *plugin = value->target;
    const char *name = value->key + strlen("env.");
    if (name[0] == '\0' || (name[0] >= '0' && name[0] <= '9') ||
        name[strspn(name, letters)] != '\0') {
        value_error(value, "is not the name of a variable; write env.NAME, of "
                           "letters, digits and _");
        return;
    }
    pairs_push(value->build, &plugin->env, &plugin->env_count, name,
               value->text, value->line);
}

/* ---- The file ------------------------------------------------------- */

/* Whoever can write the file decides what the daemon runs. */
static void
check_file(struct build *build, const char *path, int line)
{
    struct config_report *report = build->report;
    const char *file = build->config->file;
    struct stat st;
    if (stat(path, &st) != 0) {
        char why[128];
        report_error(report, file, line, "plugin file %s cannot be read: %s",
                     path, strerror_r(errno, why, sizeof(why)));
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        report_error(report, file, line,
                     "plugin file %s is not a regular file; name a .so", path);
        return;
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        report_error(report, file, line,
                     "plugin file %s belongs to user %u; give it to root or "
                     "to user %u with chown",
                     path, (unsigned)st.st_uid, (unsigned)geteuid());
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        report_error(report, file, line,
                     "plugin file %s can be written by every user; run chmod "
                     "o-w on it",
                     path);
    } else if ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0 &&
               st.st_gid != getegid()) {
        report_error(report, file, line,
                     "plugin file %s can be written by group %u; run chmod g-w "
                     "on it",
                     path, (unsigned)st.st_gid);
    }
}

static int
is_missing(const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static char *
file_in(const char *folder, const char *sub, const char *name)
{
    struct stat st;
    char *path;
    if (asprintf(&path, "%s/%s%s", folder, sub, name) < 0) {
        return NULL;
    }
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        free(path);
        path = NULL;
    }
    return path;
}

/* What comes with us by that name. It is not taken unasked: a file of one's own
 * may be missing. */
static char *
shipped_place(const char *written)
{
    char *folder = path_shipped();
    const char *slash = strrchr(written, '/');
    const char *name = slash != NULL ? slash + 1 : written;
    char *path = folder != NULL ? file_in(folder, "", name) : NULL;
    if (path == NULL && folder != NULL) {
        path = file_in(folder, "more/", name);
    }
    free(folder);
    return path;
}

/* The place in the plugins folder, else that seen from the ini file. */
static char *
choose_place(struct build *build, const struct config_plugin *plugin,
             const char *written, int line)
{
    struct config *config = build->config;
    const char *folder =
        config->plugins_dir != NULL ? config->plugins_dir : config->dir;
    char *first = build_check(build, path_join(folder, written));
    char *second = build_check(build, path_join(config->dir, written));
    if (first == NULL || second == NULL || !is_missing(first)) {
        free(second);
        return first;
    }
    if (!is_missing(second)) {
        free(first);
        return second;
    }
    if (plugin->enabled) {
        char *shipped = shipped_place(written);
        int is_one = strcmp(first, second) == 0;
        report_error(build->report, config->file, line,
                     "the file of plugin %s is missing: there is %s %s%s%s%s%s",
                     plugin->name, is_one ? "no" : "neither", first,
                     is_one ? "" : " nor ", is_one ? "" : second,
                     shipped != NULL
                         ? "; to take what comes with Pegboard, write "
                           "path = "
                         : "",
                     shipped != NULL ? shipped : "");
        free(shipped);
    }
    free(second);
    return first;
}

/* ---- Pins ----------------------------------------------------------- */

const struct config_pin *
pin_find(const struct build *build, const char *name)
{
    for (size_t i = 0; i < build->pin_count; i++) {
        if (strcmp(build->pins[i].name, name) == 0) {
            return &build->pins[i];
        }
    }
    return NULL;
}

int
pin_is_missing(const struct build *build, const char *name)
{
    return build->pins != NULL && pin_find(build, name) == NULL;
}

/* A disabled plugin's file may be missing or bad: that can be why it is. */
void
plugin_locate(struct build *build, struct config_plugin *plugin, int line)
{
    char *written = plugin->path;
    size_t errors = build->report->errors;
    if (written == NULL) {
        plugin->refused = 1;
        return; /* that is reported already */
    }
    const struct config_pin *pin = pin_find(build, plugin->name);
    plugin->pinned = pin != NULL;
    plugin->path = pin != NULL ? build_check(build, strdup(pin->path))
                               : choose_place(build, plugin, written, line);
    free(written);
    if (plugin->path != NULL && plugin->enabled &&
        (plugin->pinned || !is_missing(plugin->path))) {
        check_file(build, plugin->path, line);
    }
    plugin->refused = build->report->errors > errors;
}
