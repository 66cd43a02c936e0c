/* core/config/paths.c: joining paths, and where a configuration is looked for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/paths.h"

#include "config/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *
path_join(const char *dir, const char *path)
{
    if (path[0] == '/') {
        return strdup(path);
    }
    size_t len = strlen(dir);
    const char *slash = len > 0 && dir[len - 1] == '/' ? "" : "/";
    char *joined;
    return asprintf(&joined, "%s%s%s", dir, slash, path) < 0 ? NULL : joined;
}

char *
path_below(const char *dir, const char *path)
{
    char *folder = realpath(dir, NULL);
    char *joined = path_join(folder != NULL ? folder : dir, path);
    free(folder);
    return joined;
}

char *
path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* The next name in it, of *len bytes; *len is 0 at the end. */
static const char *
next_name(const char *at, size_t *len)
{
    for (;;) {
        at += strspn(at, "/");
        *len = strcspn(at, "/");
        if (*len != 1 || at[0] != '.') {
            return at;
        }
        at++;
    }
}

/* What of `path` comes behind `dir`; NULL when it is elsewhere. */
static const char *
rest_behind(const char *path, const char *dir)
{
    if ((path[0] == '/') != (dir[0] == '/')) {
        return NULL;
    }
    for (;;) {
        size_t path_len, dir_len;
        path = next_name(path, &path_len);
        dir = next_name(dir, &dir_len);
        if (dir_len == 0) {
            return path;
        }
        if (path_len != dir_len || memcmp(path, dir, dir_len) != 0) {
            return NULL;
        }
        path += path_len;
        dir += dir_len;
    }
}

int
path_is_same(const char *a, const char *b)
{
    const char *rest = rest_behind(a, b);
    return rest != NULL && rest[0] == '\0';
}

int
path_is_within(const char *path, const char *dir)
{
    return rest_behind(path, dir) != NULL;
}

const char *
path_seen_from(const char *dir, const char *path)
{
    size_t len = strlen(dir);
    while (len > 0 && dir[len - 1] == '/') {
        len--;
    }
    return strncmp(path, dir, len) == 0 && path[len] == '/' &&
                   path[len + 1] != '\0'
               ? path + len + 1
               : path;
}

char *
path_absolute(const char *given)
{
    struct stat st;
    char *folder = path_folder(given);
    char *dir = folder != NULL ? realpath(folder, NULL) : NULL;
    char *path = NULL;
    const char *slash = strrchr(given, '/');
    if (dir != NULL) {
        path = path_join(dir, slash != NULL ? slash + 1 : given);
    }
    if (path != NULL && stat(path, &st) != 0) {
        int saved = errno;
        free(path);
        path = NULL;
        errno = saved;
    }
    free(folder);
    free(dir);
    return path;
}

char *
path_shipped(void)
{
    static const char *const places[] = {PEGBOARD_PLUGINS_FROM_BIN,
                                         "../plugins"};
    char program[PATH_MAX], path[2 * PATH_MAX];
    char *found = NULL;
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len <= 0) {
        return NULL;
    }
    program[len] = '\0';
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; found == NULL && i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", program, places[i]);
        found = realpath(path, NULL);
    }
    return found;
}

const char *
config_dev_dir(void)
{
    static char dir[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int len = -1;
    struct stat st;
    /* The XDG specification: absolute, and nobody else's. */
    if (runtime != NULL && runtime[0] == '/' &&
        (stat(runtime, &st) != 0 ||
         (st.st_uid == geteuid() && (st.st_mode & 022) == 0))) {
        len = snprintf(dir, sizeof(dir), "%s/pegboard-dev", runtime);
    }
    if (len < 0 || (size_t)len >= sizeof(dir)) {
        snprintf(dir, sizeof(dir), "/tmp/pegboard-dev-%u", (unsigned)geteuid());
    }
    return dir;
}

/* In /tmp anybody can make a folder of that name: only a real one that is ours
 * alone counts, or else others could choose which plugins we load. */
static int
dev_dir_is_ours(const char *dir)
{
    struct stat st;
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & 0777) == 0700;
}

const char *
config_dev_path(void)
{
    static char dev_file[PATH_MAX + sizeof("/dev.ini")];
    const char *dev_dir = config_dev_dir();
    snprintf(dev_file, sizeof(dev_file), "%s/dev.ini", dev_dir);
    return dev_dir_is_ours(dev_dir) && access(dev_file, F_OK) == 0 ? dev_file
                                                                   : NULL;
}

const char *
config_default_path(void)
{
    /* Also if it is not there: to take another file instead would surprise. */
    const char *chosen = getenv("PEGBOARD_CONFIG");
    if (chosen != NULL && chosen[0] != '\0') {
        return chosen;
    }
    if (access("pegboard.ini", F_OK) == 0) {
        return "pegboard.ini";
    }
    const char *dev = config_dev_path();
    if (dev != NULL) {
        return dev;
    }
    const char *installed = "/etc/pegboard/pegboard.ini";
    return access(installed, F_OK) == 0 ? installed : NULL;
}
