/* core/cli/cmd_new.c: `pegboard new NAME`: a plugin to begin with, which builds
 * and passes its test at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "config/config.h"
#include "error.h"
#include "plugin/manifest.h"
#include "project.h"
#include "project_steps.h"
#include "sdk_place.h"
#include "stripe/catalog.h"
#include "stripe/event.h"
#include "suggest.h"
#include "template/template.h"

#include <cjson/cJSON.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_DEFAULT "payment_intent.succeeded"

const struct flag new_flags[] = {
    {"lang", 0, "LANGUAGE", "c, c++, sh or python; default c"},
    {"events", 0, "LIST", "types it gets, such as invoice.paid,charge.*"},
    {"dir", 0, "FOLDER", "make NAME in this folder instead of here"},
    {NULL, 0, NULL, NULL},
};

/* What the command line asks for. */
struct plan {
    struct project project;
    char *types; /* --events, cut up */
    char folder[SDK_PLACE_MAX];
};

/* ---- The name ------------------------------------------------------- */

/* The nearest name that would do; "" for none. */
static void
mend_name(const char *given, char *out, size_t size)
{
    const char *slash = strrchr(given, '/');
    size_t n = 0;
    for (const char *at = slash == NULL ? given : slash + 1;
         *at != '\0' && n + 1 < size; at++) {
        unsigned char c = (unsigned char)tolower((unsigned char)*at);
        int is_good = isalnum(c) != 0 || (c == '_' && n > 0);
        if (is_good) {
            out[n++] = (char)c;
        } else if (n > 0 && out[n - 1] != '-') {
            out[n++] = '-';
        }
    }
    while (n > 0 && out[n - 1] == '-') {
        n--;
    }
    out[n] = '\0';
}

/* Names that mean something else: targets of CMake; modules that Python would
 * find here instead of its own. */
static const char *const built_names[] = {
    "all",  "clean", "help",       "install",    "package",
    "test", "list",  "preinstall", "edit_cache", NULL};
static const char *const script_names[] = {
    "abc",        "argparse", "ast",       "bisect",    "calendar",  "code",
    "codecs",     "copy",     "csv",       "datetime",  "decimal",   "email",
    "enum",       "errno",    "fnmatch",   "glob",      "hashlib",   "heapq",
    "html",       "http",     "inspect",   "io",        "json",      "keyword",
    "locale",     "logging",  "math",      "numbers",   "operator",  "os",
    "pathlib",    "pickle",   "platform",  "queue",     "random",    "re",
    "sched",      "secrets",  "select",    "selectors", "shutil",    "signal",
    "site",       "socket",   "ssl",       "stat",      "string",    "struct",
    "subprocess", "sys",      "tempfile",  "test",      "threading", "time",
    "token",      "tokenize", "traceback", "types",     "typing",    "unittest",
    "urllib",     "uuid",     "warnings",  "weakref",   NULL};

static int
is_reserved(const struct project_language *language, const char *name)
{
    const char *const *at = language->is_built ? built_names : script_names;
    while (*at != NULL && strcmp(*at, name) != 0) {
        at++;
    }
    return *at != NULL;
}

static int
check_name(const struct args *args, const char *name,
           const struct project_language *language)
{
    char mended[MANIFEST_NAME_MAX + 1];
    if (is_reserved(language, name)) {
        return args_error(args,
                          "\"%s\" is a name that %s has already: take "
                          "another, such as \"%s-events\"",
                          name, language->is_built ? "CMake" : "the language",
                          name);
    }
    if (manifest_name_valid(name, MANIFEST_NAME_MAX) && name[0] != '-') {
        return EXIT_OK;
    }
    mend_name(name, mended, sizeof(mended));
    return args_error(
        args,
        "\"%s\" is no name of a plugin, which is 1 to %d of a-z 0-9 - _%s%s%s%s",
        name, MANIFEST_NAME_MAX, mended[0] != '\0' ? ": did you mean \"" : "",
        mended, mended[0] != '\0' ? "\"?" : "",
        strchr(name, '/') != NULL ? " (--dir says where to make it)" : "");
}

/* ---- Events --------------------------------------------------------- */

static int
check_type(const struct args *args, const char *type)
{
    char room[128];
    if (!event_pattern_valid(type)) {
        return args_error(args,
                          "--events: \"%s\" is no event type: write a full "
                          "name, \"prefix.*\" or \"*\"",
                          type);
    }
    if (catalog_pattern_known(type)) {
        return EXIT_OK;
    }
    const char *nearest = catalog_nearest(type, room, sizeof(room));
    return args_error(args,
                      "--events: Stripe's catalogue has no \"%s\"%s%s%s "
                      "(pegboard trigger --list shows it)",
                      type, nearest != NULL ? ", did you mean \"" : "",
                      nearest != NULL ? nearest : "",
                      nearest != NULL ? "\"?" : "");
}

static int
take_events(struct plan *plan, const struct args *args)
{
    const char *given = args_value(args, "events");
    plan->types = strdup(given == NULL ? EVENTS_DEFAULT : given);
    if (plan->types == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    char *rest = plan->types;
    char *type;
    struct project *project = &plan->project;
    while ((type = strsep(&rest, ", ")) != NULL) {
        if (type[0] == '\0') {
            continue;
        }
        int code = check_type(args, type);
        if (code != EXIT_OK) {
            return code;
        }
        if (project->type_count == PROJECT_TYPES_MAX) {
            return args_error(args, "--events: at most %d", PROJECT_TYPES_MAX);
        }
        project->types[project->type_count++] = type;
    }
    return project->type_count > 0
               ? EXIT_OK
               : args_error(args, "--events: name one, such as invoice.paid");
}

/* A type that the first pattern covers, with a sample of its own if there is
 * one. */
static const char *
choose_type(const char *pattern)
{
    size_t count;
    const struct catalog_type *types = catalog_all(&count);
    const char *chosen = NULL;
    if (event_type_matches(pattern, EVENTS_DEFAULT)) {
        return EVENTS_DEFAULT;
    }
    for (size_t i = 0; i < count; i++) {
        if (!event_type_matches(pattern, types[i].name)) {
            continue;
        }
        if (template_known(types[i].name)) {
            return types[i].name;
        }
        chosen = chosen == NULL ? types[i].name : chosen;
    }
    return chosen;
}

/* ---- The plan ------------------------------------------------------- */

static int
take_language(struct plan *plan, const struct args *args)
{
    const char *given = args_value(args, "lang");
    plan->project.language = project_language(given == NULL ? "c" : given);
    return plan->project.language != NULL
               ? EXIT_OK
               : args_error(args,
                            "--lang %s: there are c, c++, sh and python "
                            "(sdk/README.md has recipes for Rust and Zig, "
                            "plugins/exec/README.md for others)",
                            given);
}

static int
make_plan(struct plan *plan, const struct args *args)
{
    const char *name = args->operands[0];
    const char *dir = args_value(args, "dir");
    int code = take_language(plan, args);
    if (code == EXIT_OK) {
        code = check_name(args, name, plan->project.language);
    }
    if (code == EXIT_OK) {
        code = take_events(plan, args);
    }
    if (code != EXIT_OK) {
        return code;
    }
    int len =
        dir == NULL
            ? snprintf(plan->folder, sizeof(plan->folder), "%s", name)
            : snprintf(plan->folder, sizeof(plan->folder), "%s%s%s", dir,
                       dir[0] != '\0' && dir[strlen(dir) - 1] == '/' ? "" : "/",
                       name);
    if (len >= (int)sizeof(plan->folder) / 2) {
        return args_error(args, "--dir is too long");
    }
    plan->project.name = name;
    plan->project.folder = plan->folder;
    plan->project.type = choose_type(plan->project.types[0]);
    return EXIT_OK;
}

/* ---- What it says ---------------------------------------------------- */

static int
print_json(const struct plan *plan, const struct project_files *files,
           char steps[PROJECT_STEPS][PROJECT_STEP_MAX])
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "folder", plan->folder);
    cJSON *list = cJSON_AddArrayToObject(json, "files");
    for (size_t i = 0; i < files->count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(files->names[i]));
    }
    cJSON_AddStringToObject(json, "type", plan->project.type);
    list = cJSON_AddArrayToObject(json, "commands");
    for (size_t i = 0; i < PROJECT_STEPS; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(steps[i]));
    }
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    puts(text);
    free(text);
    return EXIT_OK;
}

static void
print_text(const struct plan *plan, const struct project_files *files,
           char steps[PROJECT_STEPS][PROJECT_STEP_MAX])
{
    printf("%s/ is made:", plan->folder);
    for (size_t i = 0; i < files->count; i++) {
        printf(" %s", files->names[i]);
    }
    printf("\n\n");
    if (plan->project.language->is_built) {
        printf("Its own tests, once it is built: ctest --test-dir %s/build\n",
               plan->folder);
    }
    printf("Next, the last in a second terminal:\n\n");
    for (size_t i = 0; i < PROJECT_STEPS; i++) {
        printf("  %s\n", steps[i]);
    }
}

/* ---- The command ---------------------------------------------------- */

static int
make_project(const struct plan *plan, struct project_files *files)
{
    struct error err;
    int rc = project_make(&plan->project, files, &err);
    if (rc == RC_BUSY) {
        return command_error(EXIT_REFUSED,
                             "%s is there already, and nothing is written over "
                             "it: take another name or --dir",
                             plan->folder);
    }
    return rc == RC_OK
               ? EXIT_OK
               : command_error(rc == RC_NOT_FOUND ? EXIT_MISSING : EXIT_FAILED,
                               "%s", err.text);
}

static int
run(const struct plan *plan, const struct args *args)
{
    static char steps[PROJECT_STEPS][PROJECT_STEP_MAX];
    struct project_files files;
    char package[SDK_PLACE_MAX];
    int code = make_project(plan, &files);
    if (code != EXIT_OK) {
        return code;
    }
    if (plan->project.language->is_built && !sdk_place_package(package)) {
        fprintf(stderr,
                "warning: there is no PegboardConfig.cmake with this program: "
                "run cmake --install in its build folder, or give the first "
                "command -DPegboard_DIR=FOLDER\n");
    }
    project_steps(&plan->project, steps);
    if (args_count(args, "json") > 0) {
        code = print_json(plan, &files, steps);
    } else {
        print_text(plan, &files, steps);
    }
    project_files_fini(&files);
    return code;
}

int
cmd_new(const struct args *args)
{
    struct plan plan = {.types = NULL};
    int code = make_plan(&plan, args);
    if (code == EXIT_OK) {
        code = run(&plan, args);
    }
    free(plan.types);
    return code;
}
