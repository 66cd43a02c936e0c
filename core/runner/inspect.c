/* core/runner/inspect.c: what a plugin's file needs and has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/inspect.h"

#include "error.h"
#include "plugin/elf.h"
#include "runner/image.h"
#include "runner/refuse.h"
#include "runner/try.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARIES_MAX 256
#define PATH_ROOM     4096
#define NAMES_MAX     1000 /* of exports, and of missing symbols */

/* The libraries that the file needs, as far as they can be loaded. */
struct libraries {
    void *handles[LIBRARIES_MAX];
    size_t count;
};

/* Names come out of the file, and a line is a line. */
static void
print_fact(const char *word, const char *value)
{
    printf("%s ", word);
    for (; *value != '\0'; value++) {
        putchar(*value < ' ' || *value == 0x7f ? '?' : *value);
    }
    putchar('\n');
}

static void
print_flag(const char *word, int is_so)
{
    printf("%s %d\n", word, is_so);
}

/* ---- Libraries ------------------------------------------------------ */

/* A folder of the run path, with $ORIGIN put in. */
static void
expand(const char *from, size_t len, const char *folder, char *out, size_t size)
{
    static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < len && used + 1 < size;) {
        size_t skip = 0;
        for (int k = 0; k < 2; k++) {
            size_t word = strlen(origins[k]);
            if (len - i >= word && strncmp(from + i, origins[k], word) == 0) {
                skip = word;
            }
        }
        int n = skip > 0 ? snprintf(out + used, size - used, "%s", folder)
                         : snprintf(out + used, size - used, "%c", from[i]);
        used += (size_t)n;
        i += skip > 0 ? skip : 1;
    }
}

/* As the loader looks for what the file needs: along its run path first. */
static void *
open_library(const struct elf_facts *facts, const char *name,
             const char *folder)
{
    char dir[PATH_ROOM], path[2 * PATH_ROOM];
    const char *at = facts->run_path == NULL ? "" : facts->run_path;
    while (*at != '\0' && strchr(name, '/') == NULL) {
        size_t len = strcspn(at, ":");
        expand(at, len, folder, dir, sizeof(dir));
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (access(path, R_OK) == 0) {
            return dlopen(path, RTLD_LAZY | RTLD_LOCAL);
        }
        at += len + (at[len] == ':');
    }
    return dlopen(name, RTLD_LAZY | RTLD_LOCAL);
}

static void
load_needed(struct libraries *libraries, const struct elf_facts *facts,
            const struct elf_sanitizer *sanitizer, const char *folder)
{
    const char *name;
    for (size_t i = 0; (name = elf_needed(facts, i)) != NULL; i++) {
        if (libraries->count == LIBRARIES_MAX || name == sanitizer->library) {
            print_fact("needed -", name);
            continue;
        }
        void *handle = open_library(facts, name, folder);
        print_fact(handle != NULL ? "needed 1" : "needed 0", name);
        if (handle != NULL) {
            libraries->handles[libraries->count++] = handle;
        }
    }
}

/* ---- Symbols -------------------------------------------------------- */

static int
is_provided(const struct libraries *libraries, const char *name)
{
    int is_found = dlsym(RTLD_DEFAULT, name) != NULL;
    for (size_t i = 0; i < libraries->count && !is_found; i++) {
        is_found = dlsym(libraries->handles[i], name) != NULL;
    }
    return is_found;
}

/* One that the linker bound to a version was there when it was linked; if the
 * library here is too old the loader says so in better words. */
static int
is_missing(const struct libraries *libraries, const struct elf_symbol *symbol,
           int is_sanitized)
{
    if (symbol->is_defined || symbol->is_weak || symbol->is_versioned ||
        symbol->name[0] == '\0') {
        return 0;
    }
    /* A sanitizer's own are in its runtime, which is not looked into. */
    return !(is_sanitized && strncmp(symbol->name, "__", 2) == 0) &&
           !is_provided(libraries, symbol->name);
}

static void
print_symbols(const struct elf_facts *facts, const struct libraries *libraries,
              int is_sanitized)
{
    struct elf_symbol symbol;
    size_t imports = 0, exports = 0, missing = 0;
    for (size_t i = 0; elf_import(facts, i, &symbol); i++) {
        imports += !symbol.is_defined && symbol.name[0] != '\0';
        if (elf_is_export(&symbol) && exports++ < NAMES_MAX) {
            print_fact("export", symbol.name);
        }
        if (is_missing(libraries, &symbol, is_sanitized) &&
            missing++ < NAMES_MAX) {
            print_fact("missing", symbol.name);
        }
    }
    printf("imports %zu\n", imports);
}

/* ---- All of it ------------------------------------------------------ */

static void
print_facts(const struct elf_facts *facts, const char *folder)
{
    char room[32];
    struct libraries libraries = {.count = 0};
    struct elf_sanitizer sanitizer = {.library = NULL};
    int is_sanitized = elf_sanitizer(facts, &sanitizer);
    print_fact("machine", elf_machine(facts->machine, room, sizeof(room)));
    print_flag("relro", facts->has_relro);
    print_flag("now", facts->binds_now);
    print_flag("stack", facts->has_executable_stack);
    print_flag("textrel", facts->has_text_relocations);
    print_flag("program", facts->is_program);
    print_flag("stripped", facts->imports.count == 0);
    if (facts->run_path != NULL) {
        print_fact("runpath", facts->run_path);
    }
    if (is_sanitized) {
        print_fact("sanitizer", sanitizer.name);
    }
    fflush(stdout); /* a library may end the process */
    load_needed(&libraries, facts, &sanitizer, folder);
    print_symbols(facts, &libraries, is_sanitized);
}

int
inspect_run(const char *path, const char *folder)
{
    struct image image;
    struct error err;
    if (image_open(&image, path, &err) != RC_OK) {
        fprintf(stderr, "pegboard-runner: %s\n", err.text);
        return TRY_REFUSED;
    }
    print_facts(&image.facts, folder);
    image_close(&image);
    return fflush(stdout) == 0 ? TRY_OK : TRY_FAILED;
}
