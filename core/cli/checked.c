/* core/cli/checked.c: a generation made only to be looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#include "checked.h"

#include "command.h"
#include "config/config.h"
#include "config/places.h"
#include "config/report.h"
#include "error.h"
#include "log.h"
#include "plugin/generation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
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
checked_folder(char *out, struct error *err)
{
    const char *tmp = getenv("TMPDIR");
    struct statvfs fs;
    if (tmp == NULL || tmp[0] != '/' || strlen(tmp) > CHECKED_DIR_MAX - 32) {
        tmp = "/tmp";
    }
    if (statvfs(tmp, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0) {
        return error_set(err, RC_IO,
                         "%s is mounted noexec, so plugins cannot be loaded "
                         "from it: set TMPDIR to a folder that is not",
                         tmp);
    }
    snprintf(out, CHECKED_DIR_MAX, "%s/pegboard-XXXXXX", tmp);
    if (mkdtemp(out) == NULL) {
        return error_errno(err, RC_IO, errno, "cannot make a folder in %s",
                           tmp);
    }
    return RC_OK;
}

/* Signals that would end us can be read from now on; -1 if not, and then they
 * do end us. */
static int
take_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd >= 0) {
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    return fd;
}

void
checked_die(int stop_fd)
{
    struct signalfd_siginfo info = {0};
    sigset_t set;
    sigfillset(&set);
    if (read(stop_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        signal((int)info.ssi_signo, SIG_DFL);
        raise((int)info.ssi_signo); /* when it is let through: */
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    _exit(EXIT_FAILED);
}

int
checked_make(struct checked *checked, struct config *config, int stop_fd,
             struct config_report *report, struct error *err)
{
    int rc = checked_folder(checked->dir, err);
    if (rc != RC_OK) {
        config_close(config);
        return rc;
    }
    places_forget(config, report);
    rc = generation_make(&checked->generation, config, checked->dir, stop_fd,
                         report);
    if (rc != RC_OK) {
        config_close(config);
        checked_remove(checked->dir);
        error_set(err, rc, "%zu error%s", report->errors,
                  report->errors == 1 ? "" : "s");
    }
    return rc;
}

int
checked_load(struct checked *checked, const struct args *args, int to_serve)
{
    const char *path = args_config_path(args);
    if (path == NULL) {
        return EXIT_CONFIG;
    }
    log_setup(args_count(args, "verbose") > 0 ? LOG_DEBUG : LOG_WARN, LOG_AUTO);
    struct config_report report = {0};
    struct config *config;
    struct error err = {0};
    int rc = config_read(&config, path, &report);
    if (rc != RC_NOMEM) {
        if (to_serve) {
            (void)places_check(config, &report); /* the report says it */
        }
        checked->stop_fd = take_signals();
        rc = checked_make(checked, config, checked->stop_fd, &report, &err);
    }
    if (rc == RC_CLOSED) {
        checked_die(checked->stop_fd);
    }
    if (rc != RC_OK || args_count(args, "quiet") == 0) {
        report_print(&report, stderr);
    }
    if (rc != RC_OK && report.errors == 0) {
        command_error(EXIT_FAILED, "%s", err.text);
    }
    report_fini(&report);
    return rc == RC_OK ? EXIT_OK : rc == RC_INVALID ? EXIT_CONFIG : EXIT_FAILED;
}

void
checked_fini(struct checked *checked)
{
    generation_drop(checked->generation);
    checked_remove(checked->dir);
}
