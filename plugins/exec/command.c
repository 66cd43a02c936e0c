/* plugins/exec/command.c: from the option `command` to a program that can be
 * started.
 * SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t"

/* ---- Words ---------------------------------------------------------- */

/* One word, unquoted, to `to`; returns where it ends, or NULL. */
static const char *
read_word(const char *at, char *to, const char **why)
{
    char quote = '\0';
    for (; *at != '\0' && (quote != '\0' || strchr(BLANKS, *at) == NULL);
         at++) {
        if (*at == quote) {
            quote = '\0';
        } else if (quote == '\0' && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (*at == '\\' && at[1] != '\0' &&
                   (quote == '\0' ||
                    (quote == '"' && strchr("\"\\", at[1]) != NULL))) {
            *to++ = *++at;
        } else if (*at == '\\' && at[1] == '\0') {
            *why = "ends with a backslash";
            return NULL;
        } else {
            *to++ = *at;
        }
    }
    if (quote != '\0') {
        *why = quote == '"' ? "has a \" without its other half"
                            : "has a ' without its other half";
        return NULL;
    }
    *to = '\0';
    return at;
}

int
command_split(char ***out, const char *text, const char **why)
{
    /* No more words than letters, and no word longer than the text. */
    size_t len = strlen(text), count = 0;
    char **words = calloc(len / 2 + 2, sizeof(*words));
    char *word = malloc(len + 1);
    *why = NULL;
    int failed = words == NULL || word == NULL;
    while (!failed && *(text += strspn(text, BLANKS)) != '\0') {
        text = read_word(text, word, why);
        failed = text == NULL || (words[count++] = strdup(word)) == NULL;
    }
    if (!failed && count == 0) {
        *why = "is empty";
        failed = 1;
    }
    free(word);
    if (failed) {
        command_free_words(words);
        return -1;
    }
    *out = words;
    return 0;
}

void
command_free_words(char **words)
{
    for (char **at = words; at != NULL && *at != NULL; at++) {
        free(*at);
    }
    free(words);
}

/* ---- The file ------------------------------------------------------- */

static int
check_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        errno = EACCES;
        return -1;
    }
    return access(path, X_OK);
}

/* @return the path, malloc()ed; NULL with errno */
static char *
find_below(const char *dir, const char *name)
{
    char *path = NULL;
    if ((name[0] == '/' ? asprintf(&path, "%s", name)
                        : asprintf(&path, "%s/%s", dir, name)) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    if (check_file(path) != 0) {
        int saved = errno;
        free(path);
        errno = saved;
        return NULL;
    }
    return path;
}

static char *
find_in(const char *search, const char *name)
{
    int worst = ENOENT;
    while (*search != '\0') {
        size_t len = strcspn(search, ":");
        char *dir = strndup(search, len);
        char *path =
            dir == NULL || dir[0] != '/' ? NULL : find_below(dir, name);
        int failed = errno;
        free(dir);
        if (path != NULL) {
            return path;
        }
        worst = failed == EACCES ? EACCES : worst;
        search += len + (search[len] == ':');
    }
    errno = worst;
    return NULL;
}

static char *
find_program(const char *name, const char *dir, const char *search, char *why,
             size_t size)
{
    int is_path = strchr(name, '/') != NULL;
    char *path = is_path ? find_below(dir, name) : find_in(search, name);
    if (path == NULL) {
        const char *hint = errno == EACCES
                               ? " (it must be a file and executable: chmod +x)"
                               : "";
        snprintf(why, size, "cannot run %s: %s%s; looked in %s", name,
                 strerror(errno), hint, is_path ? dir : search);
    }
    return path;
}

/* A script is run by what stands behind its #!. execve() only says that
 * something is missing. */
static int
check_interpreter(const char *path, char *why, size_t size)
{
    char line[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0; /* one that we may run, and not read */
    }
    ssize_t len = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (len < 2 || memcmp(line, "#!", 2) != 0) {
        return 0; /* no script */
    }
    char *name = line + 2 + strspn(line + 2, " \t");
    name[strcspn(name, " \t\n")] = '\0';
    size_t end = strlen(name);
    if (end > 0 && name[end - 1] == '\r') {
        snprintf(why, size,
                 "cannot run %s: its lines end with CR LF, as on Windows: "
                 "write them with LF",
                 path);
        return -1;
    }
    if (access(name, X_OK) != 0) {
        snprintf(why, size, "cannot run %s: its interpreter, %s: %s", path,
                 name, strerror(errno));
        return -1;
    }
    return 0;
}

/* ---- All of it ------------------------------------------------------ */

static int
split_shell(char ***out, const char *command)
{
    char **words = calloc(4, sizeof(*words));
    if (words == NULL) {
        return -1;
    }
    words[0] = strdup("/bin/sh");
    words[1] = strdup("-c");
    words[2] = strdup(command);
    if (words[0] == NULL || words[1] == NULL || words[2] == NULL) {
        command_free_words(words);
        return -1;
    }
    *out = words;
    return 0;
}

int
command_init(struct program *program, const char *command, int shell,
             const char *dir, const char *search, char *why, size_t size)
{
    const char *mistake = NULL;
    *program = (struct program){.path = NULL};
    if (access(dir, X_OK) != 0) {
        snprintf(why, size, "dir %s: %s", dir, strerror(errno));
        return -1;
    }
    program->dir = strdup(dir);
    if (program->dir == NULL ||
        (shell ? split_shell(&program->argv, command)
               : command_split(&program->argv, command, &mistake)) != 0) {
        snprintf(why, size, "command %s",
                 mistake != NULL ? mistake : "cannot be kept: out of memory");
        return -1;
    }
    program->path = find_program(program->argv[0], dir, search, why, size);
    return program->path == NULL ? -1
                                 : check_interpreter(program->path, why, size);
}

void
command_fini(struct program *program)
{
    command_free_words(program->argv);
    free(program->path);
    free(program->dir);
    *program = (struct program){.path = NULL};
}
