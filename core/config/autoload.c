/* core/config/autoload.c: the plugins folder, and plugins without a section.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"

#include "config/config.h"
#include "config/paths.h"
#include "config/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char suffix[] = ".so";

void
read_plugins_dir(const struct value *value)
{
    struct config *config = value->target;
    if (value->text[0] == '\0' || value->text[0] == '~') {
        value_error(value, "\"%.128s\" is no path; write one as plugins",
                    value->text);
        return;
    }
    config->plugins_dir =
        build_check(value->build, path_join(config->dir, value->text));
    value->build->plugins_dir_line = value->is_default ? 0 : value->line;
}

static int
is_plugin_file(const struct dirent *entry)
{
    const char *name = entry->d_name;
    size_t len = strlen(name);
    return name[0] != '.' && len >= strlen(suffix) &&
           strcmp(name + len - strlen(suffix), suffix) == 0;
}

/* By bytes, so that the order is the same in every locale. */
static int
compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* By identity: a section may name the file by another path. */
static int
is_loaded(const struct config *config, const char *path)
{
    struct stat file;
    if (stat(path, &file) != 0) {
        return 0;
    }
    for (size_t i = 0; i < config->plugin_count; i++) {
        const char *other_path = config->plugins[i].path;
        struct stat other;
        if (other_path != NULL && stat(other_path, &other) == 0 &&
            other.st_dev == file.st_dev && other.st_ino == file.st_ino) {
            return 1;
        }
    }
    return 0;
}

static void
add_default(struct build *build, const char *name)
{
    struct config_plugin *plugin = plugin_add(build, name, 0);
    if (plugin != NULL) {
        section_fill(build, OPTION_PLUGIN, NULL, plugin);
        plugin_locate(build, plugin, 0);
    }
}

static void
load_file(struct build *build, const char *file)
{
    const struct config *config = build->config;
    char *path = build_check(build, path_join(config->plugins_dir, file));
    if (path == NULL) {
        return;
    }
    char name[NAME_MAX + 1];
    snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(suffix)),
             file);
    if (config_plugin(config, name) != NULL || is_loaded(config, path)) {
        free(path);
        return;
    }
    if (!name_valid(name)) {
        report_error(build->report, config->file, build->plugins_dir_line,
                     "plugin file %s has no good name: names are " NAME_RULE
                     "; rename it, or give it a section [plugin NAME] with "
                     "path = %s",
                     path, file);
        free(path);
        return;
    }
    free(path);
    add_default(build, name);
}

static void
report_folder(struct build *build, int errnum)
{
    /* Not set and not there: there are no such plugins, which is fine. */
    if (errnum == ENOENT && build->plugins_dir_line == 0) {
        return;
    }
    char why[128];
    report_error(build->report, build->config->file, build->plugins_dir_line,
                 "dir: plugins folder %s cannot be read: %s; make it, or "
                 "change this line",
                 build->config->plugins_dir,
                 strerror_r(errnum, why, sizeof(why)));
}

static void
load_pins(struct build *build)
{
    for (size_t i = 0; i < build->pin_count; i++) {
        if (config_plugin(build->config, build->pins[i].name) == NULL) {
            add_default(build, build->pins[i].name);
        }
    }
}

void
autoload_plugins(struct build *build)
{
    const struct config *config = build->config;
    if (build->pins != NULL) {
        load_pins(build);
        return;
    }
    if (config->plugins_dir == NULL) {
        return; /* that is reported already */
    }
    struct dirent **files;
    int count =
        scandir(config->plugins_dir, &files, is_plugin_file, compare_names);
    if (count < 0) {
        report_folder(build, errno);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (config->autoload) {
            load_file(build, files[i]->d_name);
        }
        free(files[i]);
    }
    free(files);
}
