/* core/cli/cmd_plugins_inspect.c: `pegboard plugins inspect`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmds.h"

#include "advice.h"
#include "error.h"
#include "inspection.h"
#include "log.h"
#include "plain.h"

#include <cjson/cJSON.h>
#include <pegboard/plugin.h>

#include <stdlib.h>
#include <string.h>

#define SHOW_MAX 1024 /* of a text out of the file */

static const char *
type_name(uint32_t type)
{
    static const char *const names[] = {"?",        "string", "int",  "bool",
                                        "duration", "size",   "list", "path"};
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}

/* ---- As text -------------------------------------------------------- */

static void
print_line(const char *what, const char *text)
{
    char room[SHOW_MAX];
    printf("%-10s%s\n", what, plain(text, room, sizeof(room)));
}

/* All values of a word in one line; `from` bytes of each are left out. */
static void
print_facts(const struct inspection *inspection, const char *what,
            const char *word, size_t from)
{
    const char *value;
    char room[SHOW_MAX];
    printf("%-10s", what);
    for (size_t i = 0; (value = inspection_fact(inspection, word, i)) != NULL;
         i++) {
        printf("%s%s%s", i > 0 ? ", " : "",
               plain(value + from, room, sizeof(room)),
               from > 0 && value[0] == '0' ? " (not found)" : "");
    }
    puts(inspection_count(inspection, word) == 0 ? "nothing" : "");
}

static void
print_option(const struct manifest_option *option)
{
    char room[SHOW_MAX];
    printf("  %-16s %-9s %s%s", option->name, type_name(option->type),
           (option->flags & PEG_OPTION_REQUIRED) != 0 ? "required " : "",
           (option->flags & PEG_OPTION_SECRET) != 0 ? "secret " : "");
    if (option->fallback != NULL) {
        printf("default \"%s\" ", plain(option->fallback, room, sizeof(room)));
    }
    printf(" %s\n", plain(option->help, room, sizeof(room)));
}

static void
print_manifest(const struct manifest *manifest)
{
    char room[SHOW_MAX];
    print_line("name", manifest->name);
    print_line("version", manifest->version);
    print_line("summary", manifest->summary);
    printf("abi       %u.%u (this pegboard has %d.%d)\nevents    ",
           manifest->abi_major, manifest->needs_minor, PEG_ABI_MAJOR,
           PEG_ABI_MINOR);
    for (size_t i = 0; i < manifest->event_count; i++) {
        printf("%s%s", i > 0 ? ", " : "",
               plain(manifest->events[i], room, sizeof(room)));
    }
    printf("\ncalls     %shandle%s%s\n", manifest->has_init ? "init " : "",
           manifest->has_shutdown ? " shutdown" : "",
           manifest->has_self_test ? " self_test" : "");
    printf("options   %s\n", manifest->option_count == 0 ? "none" : "");
    for (size_t i = 0; i < manifest->option_count; i++) {
        print_option(&manifest->options[i]);
    }
}

static void
print_file(const struct inspection *inspection)
{
    const char *machine = inspection_fact(inspection, "machine", 0);
    const char *run_path = inspection_fact(inspection, "runpath", 0);
    printf("sha256    %s\n", inspection->snapshot.digest);
    print_line("machine", machine == NULL ? "?" : machine);
    print_facts(inspection, "exports", "export", 0);
    print_facts(inspection, "needs", "needed", 2);
    if (run_path != NULL) {
        print_line("run path", run_path);
    }
    const char *imports = inspection_fact(inspection, "imports", 0);
    if (inspection_count(inspection, "missing") == 0) {
        printf("imports   %s symbols, %s\n", imports == NULL ? "?" : imports,
               imports == NULL ? "not looked for" : "all found");
    } else {
        print_facts(inspection, "undefined", "missing", 0);
    }
    printf("hardening relro %s, bind now %s, executable stack %s, text "
           "relocations %s\n",
           inspection_is(inspection, "relro") ? "yes" : "no",
           inspection_is(inspection, "now") ? "yes" : "no",
           inspection_is(inspection, "stack") ? "yes" : "no",
           inspection_is(inspection, "textrel") ? "yes" : "no");
}

/* An advice_fn. */
static void
print_advice(void *arg, const char *text)
{
    char room[SHOW_MAX];
    (void)arg;
    printf("warning   %s\n", plain(text, room, sizeof(room)));
}

static int
print_text(const struct inspection *inspection)
{
    if (inspection->refusal[0] == '\0') {
        print_manifest(&inspection->manifest);
    }
    print_file(inspection);
    advice_give(inspection, print_advice, NULL);
    fflush(stdout); /* before what is said on stderr */
    return inspection->refusal[0] == '\0'
               ? EXIT_OK
               : command_error(EXIT_CONFIG, "%s: a daemon would refuse it: %s",
                               inspection->path, inspection->refusal);
}

/* ---- As JSON -------------------------------------------------------- */

static void
add_text(cJSON *to, const char *name, const char *text)
{
    char room[SHOW_MAX];
    cJSON_AddStringToObject(to, name, plain(text, room, sizeof(room)));
}

static cJSON *
option_json(const struct manifest_option *option)
{
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "name", option->name);
    cJSON_AddStringToObject(one, "type", type_name(option->type));
    cJSON_AddBoolToObject(one, "required",
                          (option->flags & PEG_OPTION_REQUIRED) != 0);
    cJSON_AddBoolToObject(one, "secret",
                          (option->flags & PEG_OPTION_SECRET) != 0);
    if (option->fallback != NULL) {
        add_text(one, "default", option->fallback);
    }
    add_text(one, "help", option->help);
    return one;
}

static void
add_manifest(cJSON *json, const struct manifest *manifest)
{
    char abi[32];
    snprintf(abi, sizeof(abi), "%u.%u", manifest->abi_major,
             manifest->needs_minor);
    add_text(json, "name", manifest->name);
    add_text(json, "version", manifest->version);
    add_text(json, "summary", manifest->summary);
    cJSON_AddStringToObject(json, "abi", abi);
    cJSON *events = cJSON_AddArrayToObject(json, "events");
    for (size_t i = 0; i < manifest->event_count; i++) {
        cJSON_AddItemToArray(events, cJSON_CreateString(manifest->events[i]));
    }
    cJSON *calls = cJSON_AddObjectToObject(json, "calls");
    cJSON_AddBoolToObject(calls, "init", manifest->has_init != 0);
    cJSON_AddBoolToObject(calls, "shutdown", manifest->has_shutdown != 0);
    cJSON_AddBoolToObject(calls, "self_test", manifest->has_self_test != 0);
    cJSON *options = cJSON_AddArrayToObject(json, "options");
    for (size_t i = 0; i < manifest->option_count; i++) {
        cJSON_AddItemToArray(options, option_json(&manifest->options[i]));
    }
}

static void
add_facts(cJSON *json, const struct inspection *inspection, const char *name,
          const char *word)
{
    const char *value;
    char room[SHOW_MAX];
    cJSON *list = cJSON_AddArrayToObject(json, name);
    for (size_t i = 0; (value = inspection_fact(inspection, word, i)) != NULL;
         i++) {
        cJSON_AddItemToArray(
            list, cJSON_CreateString(plain(value, room, sizeof(room))));
    }
}

static void
add_needed(cJSON *json, const struct inspection *inspection)
{
    const char *value;
    cJSON *list = cJSON_AddArrayToObject(json, "needed");
    for (size_t i = 0;
         (value = inspection_fact(inspection, "needed", i)) != NULL; i++) {
        cJSON *one = cJSON_CreateObject();
        add_text(one, "name", value + 2);
        cJSON_AddBoolToObject(one, "found", value[0] != '0');
        cJSON_AddItemToArray(list, one);
    }
}

static void
add_file(cJSON *json, const struct inspection *inspection)
{
    static const char *const flags[][2] = {{"relro", "relro"},
                                           {"bind_now", "now"},
                                           {"executable_stack", "stack"},
                                           {"text_relocations", "textrel"}};
    const char *machine = inspection_fact(inspection, "machine", 0);
    const char *run_path = inspection_fact(inspection, "runpath", 0);
    add_text(json, "machine", machine == NULL ? "" : machine);
    add_facts(json, inspection, "exports", "export");
    add_needed(json, inspection);
    add_facts(json, inspection, "undefined", "missing");
    cJSON *hardening = cJSON_AddObjectToObject(json, "hardening");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        cJSON_AddBoolToObject(hardening, flags[i][0],
                              inspection_is(inspection, flags[i][1]));
    }
    if (run_path != NULL) {
        add_text(json, "run_path", run_path);
    }
}

/* An advice_fn. */
static void
add_advice(void *arg, const char *text)
{
    char room[SHOW_MAX];
    cJSON_AddItemToArray(arg,
                         cJSON_CreateString(plain(text, room, sizeof(room))));
}

static int
print_json(const struct inspection *inspection)
{
    char abi[32];
    cJSON *json = cJSON_CreateObject();
    int is_refused = inspection->refusal[0] != '\0';
    snprintf(abi, sizeof(abi), "%d.%d", PEG_ABI_MAJOR, PEG_ABI_MINOR);
    if (is_refused) {
        add_text(json, "refused", inspection->refusal);
    } else {
        add_manifest(json, &inspection->manifest);
    }
    cJSON_AddStringToObject(json, "host_abi", abi);
    cJSON_AddStringToObject(json, "digest", inspection->snapshot.digest);
    add_file(json, inspection);
    advice_give(inspection, add_advice,
                cJSON_AddArrayToObject(json, "warnings"));
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL) {
        return command_error(EXIT_FAILED, "out of memory");
    }
    puts(text);
    free(text);
    return is_refused ? EXIT_CONFIG : EXIT_OK;
}

/* ---- The command ---------------------------------------------------- */

int
cmd_plugins_inspect(const struct args *args)
{
    struct inspection inspection = {0};
    struct error err;
    log_setup(LOG_WARN, LOG_AUTO);
    int code;
    int rc = inspection_open(&inspection, args->operands[0], &err);
    if (rc != RC_OK) {
        code = command_error(rc == RC_NOT_FOUND ? EXIT_MISSING
                             : rc == RC_INVALID ? EXIT_CONFIG
                                                : EXIT_FAILED,
                             "%s", err.text);
    } else if (args_count(args, "json") > 0) {
        code = print_json(&inspection);
    } else {
        code = print_text(&inspection);
    }
    inspection_close(&inspection);
    return code;
}
