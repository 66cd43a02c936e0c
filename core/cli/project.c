/* core/cli/project.c: the folder that `pegboard new` makes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "project.h"

#include "error.h"
#include "template/embedded.h"
#include "template/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_WORD "NAME" /* in the names of templates */

/* ---- Languages ------------------------------------------------------ */

static const struct project_language languages[] = {
    {"c", {NULL}, "c", {"built/", "c/"}, "cc", 1},
    {"c++", {"cpp", "cxx"}, "cpp", {"built/", "cpp/"}, "c++", 1},
    {"sh", {"shell", "bash"}, "sh", {"script/", "sh/"}, "sh", 0},
    {"python", {"py", "python3"}, "py", {"script/", "python/"}, "python3", 0},
};

static int
has_name(const struct project_language *language, const char *name)
{
    int has = strcasecmp(language->name, name) == 0;
    for (size_t i = 0; language->aliases[i] != NULL; i++) {
        has |= strcasecmp(language->aliases[i], name) == 0;
    }
    return has;
}

const struct project_language *
project_language(const char *name)
{
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        if (has_name(&languages[i], name)) {
            return &languages[i];
        }
    }
    return NULL;
}

/* ---- Filling in ----------------------------------------------------- */

static int
is_word(const char *word, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(word, name, len) == 0;
}

static void
put_types(const struct project *project, const char *quote, const char *between,
          FILE *to)
{
    for (size_t i = 0; i < project->type_count; i++) {
        fprintf(to, "%s%s%s%s", i > 0 ? between : "", quote, project->types[i],
                quote);
    }
}

/* What stands for the word between two '@'. 0 when it is none of ours. */
static int
put_word(const struct project *project, const char *word, size_t len, FILE *to)
{
    const struct project_language *language = project->language;
    if (is_word(word, len, "NAME")) {
        fputs(project->name, to);
    } else if (is_word(word, len, "TYPE")) {
        fputs(project->type, to);
    } else if (is_word(word, len, "TYPES")) {
        put_types(project, "", ", ", to);
    } else if (is_word(word, len, "TYPE_LINES")) { /* a line may be too long */
        put_types(project, "", ",\n    ", to);
    } else if (is_word(word, len, "EVENTS")) { /* as C has it */
        put_types(project, "\"", ", ", to);
    } else if (is_word(word, len, "SOURCE")) {
        fprintf(to, "%s.%s", project->name, language->suffix);
    } else if (is_word(word, len, "TEST")) {
        fprintf(to, "test.%s", language->suffix);
    } else if (is_word(word, len, "RUNS")) {
        fputs(language->runs, to);
    } else {
        return 0;
    }
    return 1;
}

static void
fill_in(const struct project *project, const char *text, size_t len, FILE *to)
{
    size_t at = 0;
    while (at < len) {
        const char *open = memchr(text + at, '@', len - at);
        size_t plain = open == NULL ? len - at : (size_t)(open - text) - at;
        fwrite(text + at, 1, plain, to);
        at += plain;
        if (open == NULL) {
            return;
        }
        const char *close = memchr(open + 1, '@', len - at - 1);
        size_t word = close == NULL ? 0 : (size_t)(close - open) - 1;
        if (close != NULL && put_word(project, open + 1, word, to)) {
            at += word + 2;
        } else {
            fputc('@', to);
            at++;
        }
    }
}

static int
is_for(const struct project_language *language, const char *template)
{
    for (size_t i = 0; i < 2; i++) {
        const char *folder = language->folders[i];
        if (strncmp(template, folder, strlen(folder)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The file that a template becomes, or NULL: it is for another language, or
 * out of memory. The caller frees it. */
static char *
file_name(const struct project *project, const char *template)
{
    if (!is_for(project->language, template)) {
        return NULL;
    }
    const char *base = strrchr(template, '/') + 1;
    char *name = NULL;
    int n;
    if (strncmp(base, NAME_WORD, strlen(NAME_WORD)) == 0) {
        n = asprintf(&name, "%s%s", project->name, base + strlen(NAME_WORD));
    } else if (strcmp(base, "gitignore") == 0) {
        n = asprintf(&name, ".%s", base); /* here it must not work as one */
    } else {
        n = asprintf(&name, "%s", base);
    }
    return n < 0 ? NULL : name;
}

/* ---- Writing -------------------------------------------------------- */

static int
open_file(int dir, const char *name, mode_t mode, FILE **out, struct error *err)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    *out = fd < 0 ? NULL : fdopen(fd, "w");
    return *out == NULL
               ? error_errno(err, RC_IO, errno, "cannot write %s", name)
               : RC_OK;
}

static int
close_file(FILE *file, const char *name, struct error *err)
{
    int failed = ferror(file);
    return fclose(file) != 0 || failed
               ? error_errno(err, RC_IO, errno, "cannot write %s", name)
               : RC_OK;
}

static int
write_template(const struct project *project, int dir,
               const struct embedded_file *template, const char *name,
               struct error *err)
{
    const char *text = (const char *)template->bytes;
    int is_script = template->len > 2 && memcmp(text, "#!", 2) == 0;
    FILE *to;
    int rc = open_file(dir, name, is_script ? 0777 : 0666, &to, err);
    if (rc != RC_OK) {
        return rc;
    }
    fill_in(project, text, template->len, to);
    return close_file(to, name, err);
}

static int
write_event(const struct project *project, int dir, const char *name,
            struct error *err)
{
    const struct template_request request = {.type = project->type};
    char *body;
    size_t len;
    FILE *to;
    int rc = template_build(&request, &body, &len, err);
    if (rc != RC_OK) {
        return rc;
    }
    rc = open_file(dir, name, 0666, &to, err);
    if (rc == RC_OK) {
        fwrite(body, 1, len, to);
        fputc('\n', to);
        rc = close_file(to, name, err);
    }
    free(body);
    return rc;
}

static int
add_file(const struct project *project, int dir,
         const struct embedded_file *template, struct project_files *files,
         struct error *err)
{
    static const char event[] = "event.json";
    char *name =
        template == NULL ? strdup(event) : file_name(project, template->name);
    if (name == NULL) {
        return template == NULL ? error_set(err, RC_NOMEM, "out of memory")
                                : RC_OK;
    }
    if (files->count == PROJECT_FILES_MAX) {
        free(name);
        return error_set(err, RC_NOMEM, "too many templates");
    }
    files->names[files->count++] = name;
    return template == NULL ? write_event(project, dir, name, err)
                            : write_template(project, dir, template, name, err);
}

static int
fill_folder(const struct project *project, int dir, struct project_files *files,
            struct error *err)
{
    int rc = add_file(project, dir, NULL, files, err);
    for (const struct embedded_file *template = embedded_project;
         rc == RC_OK && template->name != NULL; template ++) {
        rc = add_file(project, dir, template, files, err);
    }
    return rc;
}

/* Take back what was made: only our own files are in it. */
static void
remove_folder(const struct project *project, int dir,
              const struct project_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        unlinkat(dir, files->names[i], 0);
    }
    rmdir(project->folder);
}

int
project_make(const struct project *project, struct project_files *files,
             struct error *err)
{
    struct project_files made = {.count = 0};
    if (mkdir(project->folder, 0777) != 0) {
        int rc = errno == EEXIST   ? RC_BUSY
                 : errno == ENOENT ? RC_NOT_FOUND
                                   : RC_IO;
        return error_errno(err, rc, errno, "cannot make %s", project->folder);
    }
    int rc = RC_IO;
    int dir = open(project->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        error_errno(err, rc, errno, "%s", project->folder);
    } else {
        rc = fill_folder(project, dir, &made, err);
    }
    if (rc != RC_OK) {
        remove_folder(project, dir, &made);
        project_files_fini(&made);
    } else {
        *files = made;
    }
    if (dir >= 0) {
        close(dir);
    }
    return rc;
}

void
project_files_fini(struct project_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->names[i]);
    }
    files->count = 0;
}
