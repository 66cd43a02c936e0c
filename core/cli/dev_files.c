/* core/cli/dev_files.c: what `pegboard dev` writes into its folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dev_files.h"

#include "config/config.h"
#include "config/paths.h"
#include "config/secret.h"
#include "error.h"
#include "input.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The secret ----------------------------------------------------- */

static int
choose_secret(struct dev_files *files)
{
    struct error err;
    const char *from = args_value(files->args, "secret-file");
    if (from == NULL) {
        return signature_new_secret(files->secret, &err) == RC_OK
                   ? EXIT_OK
                   : command_error(EXIT_FAILED, "%s", err.text);
    }
    struct secret secret;
    if (input_secret(&secret, from, &err) != RC_OK) {
        return command_error(EXIT_CONFIG, "%s", err.text);
    }
    snprintf(files->secret, sizeof(files->secret), "%s", secret.text);
    secret_fini(&secret);
    return EXIT_OK;
}

static int
write_secret(const struct dev_files *files)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/secret", files->folder->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t len = strlen(files->secret);
    if (fd < 0 || write(fd, files->secret, len) != (ssize_t)len) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return command_error(EXIT_FAILED, "cannot write %s: %s", path,
                             strerror(saved));
    }
    close(fd);
    return EXIT_OK;
}

/* ---- Plugins -------------------------------------------------------- */

/* A plugin's name from its file's: what a name may not hold becomes '-'. */
static void
name_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t len = strcspn(base, ".");
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < size; i++) {
        unsigned char c = (unsigned char)tolower((unsigned char)base[i]);
        out[n++] = (char)(isalnum(c) || c == '_' ? c : '-');
    }
    out[n] = '\0';
}

/* Give a plugin a name in our folder, so that no odd character of its path has
 * to go into the file. */
static int
link_plugin(const struct dev_files *files, const char *given, const char *path)
{
    char name[CONFIG_NAME_MAX + 1], link[PATH_MAX + 64];
    name_of(given, name, sizeof(name));
    if (name[0] == '\0') {
        return command_error(EXIT_USAGE, "%s: give the file a name", given);
    }
    snprintf(link, sizeof(link), "%s/%s.so", files->folder->path, name);
    if (symlink(path, link) != 0) {
        return command_error(EXIT_USAGE,
                             errno == EEXIST
                                 ? "%s: a plugin named \"%s\" is there "
                                   "already: give one file another name"
                                 : "%s: cannot link it as \"%s\"",
                             given, name);
    }
    return EXIT_OK;
}

/* Its folder gets a name in ours, too. A script is read at each event, and
 * needs no watch. */
static int
find_script(const struct dev_files *files, struct script *script,
            const char *given)
{
    char name[CONFIG_NAME_MAX + 1], link[PATH_MAX + 64];
    name_of(given, name, sizeof(name));
    snprintf(link, sizeof(link), "%s/%s.d", files->folder->path, name);
    int code = script_open(script, given, files->args, name, link);
    if (code == EXIT_OK) {
        code = link_plugin(files, given, script->plugin);
    }
    return code == EXIT_OK && symlink(script->folder, link) != 0
               ? command_error(EXIT_FAILED, "%s: %s", link, strerror(errno))
               : code;
}

static int
find_plugin(struct dev_files *files, int index)
{
    const char *given = files->args->operands[index];
    struct script *script = &files->scripts[index];
    if (script_is(given)) {
        return find_script(files, script, given);
    }
    char *path = path_absolute(given);
    if (path == NULL) {
        return command_error(EXIT_MISSING, "%s: %s", given, strerror(errno));
    }
    files->sources[files->source_count++] = path;
    return link_plugin(files, given, path);
}

static int
find_plugins(struct dev_files *files)
{
    const struct args *args = files->args;
    int code = EXIT_OK;
    if (args->operand_count == 0) {
        files->sources[0] = path_shipped();
        files->source_count = files->sources[0] != NULL;
    }
    for (int i = 0; i < args->operand_count && code == EXIT_OK; i++) {
        code = find_plugin(files, i);
    }
    return code;
}

/* ---- The INI file --------------------------------------------------- */

/* What --option gives to that plugin: all without a name when it is the only
 * one, else those that name it. */
static void
write_options(const struct args *args, const char *name, FILE *to)
{
    size_t len = strlen(name);
    fprintf(to, "[plugin %s options]\n", name);
    for (int i = 0; i < args_count(args, "option"); i++) {
        const char *option = args_value_at(args, "option", i);
        if (strncmp(option, name, len) == 0 && option[len] == '.') {
            fprintf(to, "%s\n", option + len + 1);
        } else if (args->operand_count == 1) {
            fprintf(to, "%s\n", option);
        }
    }
}

static void
write_line(const char *line, FILE *to)
{
    if (line != NULL) {
        fprintf(to, "%s\n", line);
    }
}

static void
write_plugins(const struct dev_files *files, FILE *to)
{
    const struct args *args = files->args;
    if (args->operand_count == 0) {
        if (files->source_count > 0) {
            fprintf(to, "[plugins]\ndir = %s\nautoload = yes\n",
                    files->sources[0]);
        }
        return;
    }
    fprintf(to, "[plugins]\nautoload = no\n");
    for (int i = 0; i < args->operand_count; i++) {
        char name[CONFIG_NAME_MAX + 1];
        name_of(args->operands[i], name, sizeof(name));
        fprintf(to, "[plugin %s]\npath = %s/%s.so\n", name, files->folder->path,
                name);
        for (int k = 0; k < args_count(args, "env"); k++) {
            fprintf(to, "env.%s\n", args_value_at(args, "env", k));
        }
        write_options(args, name, to);
        write_line(files->scripts[i].option_command, to);
        write_line(files->scripts[i].option_dir, to);
    }
}

static int
write_ini(const struct dev_files *files, const char *path, const char *listen)
{
    const char *dir = files->folder->path;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to == NULL) {
        return command_error(EXIT_FAILED, "cannot write %s: %s", path,
                             strerror(errno));
    }
    fprintf(to,
            "; written by pegboard dev\n"
            "[server]\nlisten = %s\nstate_dir = %s/state\nthreads = 32\n"
            "[log]\nlevel = info\n"
            "[endpoint dev]\npath = " DEV_PATH "\nsecrets = file:%s/secret\n",
            listen, dir, dir);
    write_plugins(files, to);
    return fclose(to) == 0
               ? EXIT_OK
               : command_error(EXIT_FAILED, "cannot write %s", path);
}

/* ---- All of it ------------------------------------------------------ */

int
dev_files_make(struct dev_files *files, const struct args *args,
               const struct dev_folder *folder)
{
    *files = (struct dev_files){.args = args, .folder = folder};
    const char *listen = args_value(args, "listen");
    snprintf(files->ini, sizeof(files->ini), "%s/dev.ini", folder->path);
    if (folder->root_lock >= 0) {
        snprintf(files->told, sizeof(files->told), "%s/" DEV_FOLDER_TOLD,
                 folder->root);
    } else { /* not the daemon's: to that another address is a change */
        snprintf(files->told, sizeof(files->told), "%s/told.ini", folder->path);
    }
    int code = choose_secret(files);
    if (code == EXIT_OK) {
        code = write_secret(files);
    }
    if (code == EXIT_OK) {
        code = find_plugins(files);
    }
    return code == EXIT_OK ? write_ini(files, files->ini,
                                       listen != NULL ? listen : DEV_LISTEN)
                           : code;
}

int
dev_files_tell(struct dev_files *files, const char *address)
{
    if (files->folder->root_lock < 0) {
        fprintf(stderr,
                "another pegboard dev runs: `pegboard trigger` finds "
                "that one; for this one add -c %s\n",
                files->told);
    }
    return write_ini(files, files->told, address);
}

void
dev_files_fini(struct dev_files *files)
{
    for (size_t i = 0; i < files->source_count; i++) {
        free(files->sources[i]);
    }
    for (size_t i = 0; i < ARGS_MAX; i++) {
        script_fini(&files->scripts[i]);
    }
    explicit_bzero(files->secret, sizeof(files->secret));
}
