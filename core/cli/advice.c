/* core/cli/advice.c: what a plugin's author should look at once more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "advice.h"

#include "inspection.h"
#include "stripe/catalog.h"

#include <pegboard/plugin.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY "pegboard_plugin_v1"

struct advice {
    const struct inspection *inspection;
    advice_fn *fn;
    void *arg;
};

__attribute__((format(printf, 2, 3))) static void
say(const struct advice *advice, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    advice->fn(advice->arg, text);
}

/* ---- The file ------------------------------------------------------- */

static void
judge_owner(const struct advice *advice)
{
    const char *path = advice->inspection->path;
    struct stat st;
    if (stat(path, &st) != 0) {
        return;
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        say(advice, "every user can write it, so a daemon refuses it: run "
                    "chmod o-w on it");
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        say(advice,
            "it belongs to user %u: a daemon loads what belongs to root or to "
            "its own user",
            (unsigned)st.st_uid);
    }
}

/* Names beginning with __ are a compiler's, such as a sanitizer's. */
static void
judge_exports(const struct advice *advice)
{
    const char *name, *first = NULL;
    size_t others = 0;
    for (size_t i = 0;
         (name = inspection_fact(advice->inspection, "export", i)) != NULL;
         i++) {
        if (strcmp(name, ENTRY) != 0 && strncmp(name, "__", 2) != 0) {
            first = first == NULL ? name : first;
            others++;
        }
    }
    if (others > 0) {
        say(advice,
            "it exports %zu more than " ENTRY " (%.60s): build it with "
            "-fvisibility=hidden, or with pegboard_add_plugin()",
            others, first);
    }
}

static void
judge_hardening(const struct advice *advice)
{
    const struct inspection *inspection = advice->inspection;
    if (!inspection_is(inspection, "relro") ||
        !inspection_is(inspection, "now")) {
        say(advice, "its tables of functions stay writable: link it with "
                    "-Wl,-z,relro,-z,now");
    }
    if (inspection_is(inspection, "stack")) {
        say(advice, "it makes the stack executable: link it with "
                    "-Wl,-z,noexecstack");
    }
    if (inspection_is(inspection, "textrel")) {
        say(advice, "it has text relocations: build all of it with -fPIC");
    }
    const char *sanitizer = inspection_fact(inspection, "sanitizer", 0);
    if (sanitizer != NULL) {
        say(advice, "it is built with %s: only pegboard try --preload runs it",
            sanitizer);
    }
}

static void
judge_libraries(const struct advice *advice)
{
    const struct inspection *inspection = advice->inspection;
    const char *run_path = inspection_fact(inspection, "runpath", 0);
    const char *needed;
    if (run_path != NULL && strstr(run_path, "ORIGIN") != NULL) {
        say(advice,
            "its run path is %.120s: a daemon loads a copy from another "
            "folder, so nothing is found there: give -Wl,-rpath a whole path",
            run_path);
    }
    for (size_t i = 0;
         (needed = inspection_fact(inspection, "needed", i)) != NULL; i++) {
        if (needed[0] == '0') {
            say(advice,
                "the library %.120s is not found: install it, or link "
                "with -Wl,-rpath,FOLDER",
                needed + 2);
        }
    }
}

/* ---- The descriptor ------------------------------------------------- */

static void
judge_events(const struct advice *advice)
{
    const struct manifest *manifest = &advice->inspection->manifest;
    for (size_t i = 0; i < manifest->event_count; i++) {
        char room[128];
        const char *type = manifest->events[i];
        if (catalog_pattern_known(type)) {
            continue;
        }
        const char *nearest = catalog_nearest(type, room, sizeof(room));
        say(advice, "Stripe's catalogue has no event type %.100s%s%s%s", type,
            nearest != NULL ? ", did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
}

static void
judge_option(const struct advice *advice, const struct manifest_option *option)
{
    int is_required = (option->flags & PEG_OPTION_REQUIRED) != 0;
    int is_secret = (option->flags & PEG_OPTION_SECRET) != 0;
    if (is_required && option->fallback != NULL) {
        say(advice,
            "option %s is required and has a default: keep one of the two",
            option->name);
    }
    if (is_secret && option->fallback != NULL && option->fallback[0] != '\0') {
        say(advice,
            "option %s is a secret with a default, which everybody can read "
            "in the file: take the default out",
            option->name);
    }
    if (option->help[0] == '\0') {
        say(advice, "option %s has no help: one line for whoever sets it",
            option->name);
    }
}

void
advice_give(const struct inspection *inspection, advice_fn *fn, void *arg)
{
    const struct advice advice = {
        .inspection = inspection, .fn = fn, .arg = arg};
    const struct manifest *manifest = &inspection->manifest;
    judge_owner(&advice);
    judge_exports(&advice);
    judge_hardening(&advice);
    judge_libraries(&advice);
    judge_events(&advice);
    for (size_t i = 0; i < manifest->option_count; i++) {
        judge_option(&advice, &manifest->options[i]);
    }
}
