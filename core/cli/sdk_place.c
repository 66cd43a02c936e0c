/* core/cli/sdk_place.c: how a command line calls this program and finds its
 * CMake package. SPDX-License-Identifier: Apache-2.0 */
#include "sdk_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
is_same_file(const char *path, const struct stat *st)
{
    struct stat other;
    return stat(path, &other) == 0 && other.st_dev == st->st_dev &&
           other.st_ino == st->st_ino;
}

/* Whether the shell would find this program under its own name. */
static int
is_in_path(const struct stat *own)
{
    char path[SDK_PLACE_MAX];
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ":");
        snprintf(path, sizeof(path), "%.*s/pegboard", (int)len, at);
        if (len > 0 && access(path, X_OK) == 0) {
            return is_same_file(path, own); /* the first one counts */
        }
        at += len + (at[len] == ':');
    }
    return 0;
}

/* Its path, without links; "" if even that is not to be had. */
static void
own_path(char out[SDK_PLACE_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, SDK_PLACE_MAX - 1);
    out[len > 0 ? len : 0] = '\0';
}

/* Below this folder a path can be short. */
static const char *
seen_from_here(const char *path)
{
    char *here = getcwd(NULL, 0);
    size_t len = here == NULL ? 0 : strlen(here);
    if (len > 1 && strncmp(path, here, len) == 0 && path[len] == '/') {
        path += len + 1;
    }
    free(here);
    return path;
}

void
sdk_place_program(char out[SDK_PLACE_MAX])
{
    struct stat own;
    char path[SDK_PLACE_MAX];
    own_path(path);
    if (path[0] == '\0' || (stat(path, &own) == 0 && is_in_path(&own))) {
        snprintf(out, SDK_PLACE_MAX, "pegboard");
    } else {
        const char *seen = seen_from_here(path);
        sdk_place_quote(strchr(seen, '/') != NULL ? seen : path, out);
    }
}

/* CMake looks into the prefixes of the system, and beside what is in the
 * PATH. */
static int
is_found_by_itself(const char *bin)
{
    static const char *const known[] = {"/usr/bin", "/usr/local/bin"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(bin, known[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

int
sdk_place_package(char out[SDK_PLACE_MAX])
{
    static const char *const places[] = {PEGBOARD_PACKAGE_FROM_BIN, ".."};
    char bin[SDK_PLACE_MAX], file[2 * SDK_PLACE_MAX];
    out[0] = '\0';
    own_path(bin);
    char *slash = strrchr(bin, '/');
    if (slash == NULL) {
        return 0;
    }
    *slash = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(file, sizeof(file), "%s/%s/PegboardConfig.cmake", bin,
                 places[i]);
        char *real = realpath(file, NULL);
        if (real == NULL) {
            continue;
        }
        *strrchr(real, '/') = '\0';
        if (i > 0 || !is_found_by_itself(bin)) {
            sdk_place_quote(seen_from_here(real), out);
        }
        free(real);
        return 1;
    }
    return 0;
}

const char *
sdk_place_quote(const char *text, char out[SDK_PLACE_MAX])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        snprintf(out, SDK_PLACE_MAX, "%s", text);
        return out;
    }
    size_t used = 0;
    out[used++] = '\'';
    for (; *text != '\0' && used + 6 < SDK_PLACE_MAX; text++) {
        if (*text == '\'') {
            memcpy(out + used, "'\\''", 4);
            used += 4;
        } else {
            out[used++] = *text;
        }
    }
    out[used++] = '\'';
    out[used] = '\0';
    return out;
}
