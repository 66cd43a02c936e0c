/* core/config/places.c: the places on disk that a daemon and its plugins write
 * to: state_dir, the log's file, and each data_dir.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/places.h"

#include "config/build.h"
#include "config/config.h"
#include "config/paths.h"
#include "config/report.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
read_place(const struct value *value, char **out, int *line)
{
    if (value->text[0] == '\0') {
        value_error(value, "has no value; give one or take the line out");
        return;
    }
    if (value->text[0] == '~') {
        value_error(value, "~ is not expanded; write the whole path");
        return;
    }
    struct build *build = value->build;
    *out = build_check(build, path_join(build->config->dir, value->text));
    *line = value->line;
}

void
read_state_dir(const struct value *value)
{
    struct config *config = value->target;
    read_place(value, &config->state_dir, &config->state_dir_line);
}

void
read_log_file(const struct value *value)
{
    struct config *config = value->target;
    read_place(value, &config->log_file, &config->log_file_line);
}

/* ---- Are they of use? ----------------------------------------------- */

/* As the daemon would, so by the effective user; 0, or an errno value. */
static int
try_access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? 0 : errno;
}

/* Whether something can be made at `path`; 0, or an errno value. */
static int
try_parent(const char *path)
{
    char *bare = strdup(path);
    if (bare == NULL) {
        return ENOMEM;
    }
    size_t len = strlen(bare);
    while (len > 1 && bare[len - 1] == '/') {
        bare[--len] = '\0';
    }
    char *parent = path_folder(bare);
    int errnum = ENOMEM;
    if (parent != NULL) {
        struct stat st;
        errnum = try_access(parent, W_OK | X_OK);
        if (errnum == 0 && stat(parent, &st) == 0 && !S_ISDIR(st.st_mode)) {
            errnum = ENOTDIR;
        }
    }
    free(parent);
    free(bare);
    return errnum;
}

/* 0, or an errno value. */
static int
try_folder(const char *dir)
{
    struct stat st;
    if (stat(dir, &st) != 0) {
        return errno == ENOENT ? try_parent(dir) : errno;
    }
    return S_ISDIR(st.st_mode) ? try_access(dir, R_OK | W_OK | X_OK) : ENOTDIR;
}

static int
check_state_dir(const struct config *config, struct config_report *report)
{
    int errnum = try_folder(config->state_dir);
    if (errnum == 0) {
        return RC_OK;
    }
    char why[128];
    report_error(report, config->file, config->state_dir_line,
                 "state_dir: %s cannot be made or written to by user %u: %s; "
                 "make it and give it to that user with chown, or write "
                 "another path",
                 config->state_dir, (unsigned)geteuid(),
                 strerror_r(errnum, why, sizeof(why)));
    return RC_INVALID;
}

/* The daemon makes state_dir first. */
static int
will_be_made(const struct config *config, const char *path)
{
    char *parent = path_folder(path);
    int will = parent != NULL && config->state_dir != NULL &&
               path_is_same(parent, config->state_dir);
    free(parent);
    return will;
}

static int
check_log_file(const struct config *config, struct config_report *report)
{
    const char *path = config->log_file;
    struct stat st;
    int errnum;
    if (stat(path, &st) == 0) {
        errnum = S_ISDIR(st.st_mode) ? EISDIR : try_access(path, W_OK);
    } else {
        errnum = errno == ENOENT ? try_parent(path) : errno;
    }
    if (errnum == ENOENT && will_be_made(config, path)) {
        errnum = 0;
    }
    if (errnum != 0) {
        char why[128];
        report_error(report, config->file, config->log_file_line,
                     "file: the log's file %s cannot be opened: %s; write "
                     "another path, or take the line out for standard error",
                     path, strerror_r(errnum, why, sizeof(why)));
        return RC_INVALID;
    }
    return RC_OK;
}

int
places_check(const struct config *config, struct config_report *report)
{
    int rc = RC_OK;
    if (config->state_dir != NULL) {
        rc = check_state_dir(config, report);
    }
    if (config->log_file != NULL && check_log_file(config, report) != RC_OK) {
        rc = RC_INVALID;
    }
    return rc;
}

/* ---- Of plugins ----------------------------------------------------- */

static int
is_wanted(const struct config_plugin *plugin)
{
    return plugin->enabled && !plugin->refused && plugin->data_dir != NULL;
}

/* Nobody can have put another folder there since: its parent is ours, or sticky
 * as /tmp. */
static int
make_data_dir(const struct config_plugin *plugin)
{
    const char *path = plugin->data_dir;
    if (mkdir(path, 0700) != 0) {
        struct stat st;
        if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
            errno = ENOTDIR;
        }
        return errno == EEXIST ? 0 : errno;
    }
    if (plugin->user != NULL && lchown(path, plugin->uid, plugin->gid) != 0) {
        int saved = errno;
        rmdir(path);
        return saved;
    }
    return 0;
}

int
places_make(const struct config *config, struct config_report *report)
{
    int rc = RC_OK;
    for (size_t i = 0; i < config->plugin_count; i++) {
        const struct config_plugin *plugin = &config->plugins[i];
        int errnum = is_wanted(plugin) ? make_data_dir(plugin) : 0;
        if (errnum != 0) {
            char why[128];
            report_error(report, config->file, plugin->line,
                         "data_dir of plugin %s: %s cannot be made: %s; make "
                         "the folder it stands in, or write another path",
                         plugin->name, plugin->data_dir,
                         strerror_r(errnum, why, sizeof(why)));
            rc = RC_INVALID;
        }
    }
    return rc;
}

void
places_forget(struct config *config, struct config_report *report)
{
    for (size_t i = 0; i < config->plugin_count; i++) {
        struct config_plugin *plugin = &config->plugins[i];
        if (is_wanted(plugin) && access(plugin->data_dir, F_OK) != 0 &&
            errno == ENOENT) {
            report_warning(report, config->file, plugin->line,
                           "data_dir of plugin %s: there is no %s yet; the "
                           "daemon will make it, and here the plugin does "
                           "without",
                           plugin->name, plugin->data_dir);
            free(plugin->data_dir);
            plugin->data_dir = NULL;
        }
    }
}
