/* core/cli/checked.c: a generation made only to be looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#include "checked.h"

#include "command.h"
#include "config/config.h"
#include "config/report.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
checked_remove(const char *dir)
{
    DIR *open = opendir(dir);
    struct dirent *entry;
    while (open != NULL && (entry = readdir(open)) != NULL) {
        unlinkat(dirfd(open), entry->d_name, 0); /* "." and "..": refused */
    }
    if (open != NULL) {
        closedir(open);
    }
    rmdir(dir);
}

int
checked_load(struct checked *checked, const struct args *args)
{
    struct config *config;
    int code = args_config(args, &config);
    if (code != EXIT_OK) {
        return code;
    }
    log_setup(args_count(args, "verbose") > 0 ? LOG_DEBUG : LOG_WARN,
              LOG_AUTO);
    strcpy(checked->dir, "/tmp/pegboard-check-XXXXXX");
    if (mkdtemp(checked->dir) == NULL) {
        config_close(config);
        return command_error(EXIT_FAILED, "cannot make a folder in /tmp: %s",
                             strerror(errno));
    }
    struct config_report report = {0};
    int rc =
        generation_make(&checked->generation, config, checked->dir, &report);
    report_print(&report, stderr);
    report_fini(&report);
    if (rc != RC_OK) {
        config_close(config);
        checked_remove(checked->dir);
        return EXIT_CONFIG;
    }
    return EXIT_OK;
}

void
checked_fini(struct checked *checked)
{
    generation_close(checked->generation);
    checked_remove(checked->dir);
}
