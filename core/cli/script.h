/* core/cli/script.h: a handler in a language of its own. What begins with "#!"
 * may stand where a plugin's file does, in `dev` and `try`: the plugin exec,
 * which comes with us, is given it as its command.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SCRIPT_H
#define CORE_SCRIPT_H

struct args;

/** A script, as options of exec. */
struct script {
    char *plugin; /* path of exec.so; NULL: no script */
    char *folder; /* it stands in; absolute */
    /** "command=/a/b" and "dir=/a"; NULL when --option gives another. */
    char *option_command, *option_dir;
};

/** Whether the file at `path` is a script; not if it is called .so. Never
 * blocks. */
int script_is(const char *path);

/**
 * Find what runs it. Mistakes are printed.
 *
 * @param name  of the plugin, which --option may name
 * @param dir   where it shall run, if that will be another name of its folder;
 *              or NULL
 * @return 0, or the exit code to leave with; script_fini() in any case
 */
int script_open(struct script *script, const char *path,
                const struct args *args, const char *name, const char *dir);

void script_fini(struct script *script);

#endif
