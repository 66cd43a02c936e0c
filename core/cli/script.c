/* core/cli/script.c: a handler in a language of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include "command.h"
#include "config/paths.h"
#include "error.h"
#include "sdk_place.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXEC_SO "more/exec.so"

int
script_is(const char *path)
{
    char mark[2] = "";
    struct stat st;
    size_t len = strlen(path);
    if (len > 3 && strcmp(path + len - 3, ".so") == 0) {
        return 0; /* that is said of a plugin which is none */
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return 0;
    }
    int is_script = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                    read(fd, mark, sizeof(mark)) == sizeof(mark) &&
                    memcmp(mark, "#!", sizeof(mark)) == 0;
    close(fd);
    return is_script;
}

/* ---- Its path ------------------------------------------------------- */

/* It becomes an option, for which `dev` has an INI file: " ;" begins a comment
 * there. */
static int
check_path(const char *path)
{
    struct error err;
    if (value_check_text(path, &err) != RC_OK) {
        return command_error(EXIT_USAGE, "the path of a script: %s", err.text);
    }
    if (strstr(strrchr(path, '/'), " ;") != NULL) {
        return command_error(EXIT_USAGE,
                             "%s: \" ;\" begins a comment in INI files: give "
                             "the script another name",
                             path);
    }
    if (strlen(path) > SDK_PLACE_MAX / 8) { /* quoted it must fit */
        return command_error(EXIT_USAGE, "%s: %s", path,
                             strerror(ENAMETOOLONG));
    }
    if (access(path, X_OK) != 0) {
        return command_error(EXIT_CONFIG, "%s: %s%s", path, strerror(errno),
                             errno == EACCES ? ": say chmod +x" : "");
    }
    return EXIT_OK;
}

static int
find_script(struct script *script, char **out, const char *path)
{
    char *full = path_absolute(path);
    if (full == NULL) {
        return command_error(EXIT_MISSING, "%s: %s", path, strerror(errno));
    }
    script->folder = path_folder(full);
    *out = full;
    return script->folder != NULL ? check_path(full)
                                  : command_error(EXIT_FAILED, "out of memory");
}

/* ---- Its options ---------------------------------------------------- */

/* Whether --option says KEY=... or NAME.KEY=... */
static int
is_given(const struct args *args, const char *name, const char *key)
{
    size_t name_len = strlen(name), key_len = strlen(key);
    for (int i = 0; i < args_count(args, "option"); i++) {
        const char *option = args_value_at(args, "option", i);
        if (strncmp(option, name, name_len) == 0 && option[name_len] == '.') {
            option += name_len + 1;
        }
        if (strncmp(option, key, key_len) == 0 && option[key_len] == '=') {
            return 1;
        }
    }
    return 0;
}

static char *
make_option(const char *key, const char *value)
{
    char *option;
    return asprintf(&option, "%s=%s", key, value) < 0 ? NULL : option;
}

static int
set_options(struct script *script, const char *path, const char *dir,
            const struct args *args, const char *name)
{
    char quoted[SDK_PLACE_MAX]; /* exec's quotes mean what a shell's do */
    char *command = path_join(dir, strrchr(path, '/') + 1);
    int failed = command == NULL;
    if (!failed && !is_given(args, name, "command")) {
        script->option_command =
            make_option("command", sdk_place_quote(command, quoted));
        failed |= script->option_command == NULL;
    }
    if (!failed && !is_given(args, name, "dir")) {
        script->option_dir = make_option("dir", dir);
        failed |= script->option_dir == NULL;
    }
    free(command);
    return failed ? command_error(EXIT_FAILED, "out of memory") : EXIT_OK;
}

/* ---- All of it ------------------------------------------------------ */

static int
find_exec(struct script *script)
{
    char *folder = path_shipped();
    script->plugin = folder != NULL ? path_join(folder, EXEC_SO) : NULL;
    free(folder);
    return script->plugin != NULL && access(script->plugin, R_OK) == 0
               ? EXIT_OK
               : command_error(EXIT_MISSING,
                               "a script is run by the plugin exec, and there "
                               "is no " EXEC_SO
                               " with this program: build or install all of "
                               "Pegboard");
}

int
script_open(struct script *script, const char *path, const struct args *args,
            const char *name, const char *dir)
{
    char *full = NULL;
    *script = (struct script){.plugin = NULL};
    int code = find_script(script, &full, path);
    if (code == EXIT_OK) {
        code = find_exec(script);
    }
    if (code == EXIT_OK) {
        code = set_options(script, full, dir != NULL ? dir : script->folder,
                           args, name);
    }
    free(full);
    return code;
}

void
script_fini(struct script *script)
{
    free(script->plugin);
    free(script->folder);
    free(script->option_command);
    free(script->option_dir);
    *script = (struct script){.plugin = NULL};
}
