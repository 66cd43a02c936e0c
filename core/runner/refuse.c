/* core/runner/refuse.c: why a file is not loaded, and how its author mends it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/refuse.h"

#include "error.h"
#include "plugin/elf_facts.h"

#include <pegboard/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SHOW    120 /* bytes of a symbol's name, which C++ makes long */
#define EXPORTS_SHOW 3   /* of what it exports instead */

static const char entry_stem[] = "pegboard_plugin_v";

/* ---- dlopen() ------------------------------------------------------- */

static const char cxx[] = "it has C++ in it: link it with c++ instead of cc";

/* Where symbols come from that are often left out; the first that fits. */
static const struct {
    const char *prefix, *hint;
} owners[] = {
    {"peg_", "it is no function of a library: include <pegboard/plugin.h>, and "
             "say PEG_TARGET_MINOR for what is newer than 1.0"},
    {"pegt_", "the test kit is for test programs, not for plugins"},
    {"cJSON_", "link it with -lcjson"},
    {"curl_", "link it with -lcurl"},
    {"sqlite3_", "link it with -lsqlite3"},
    {"PQ", "link it with -lpq"},
    {"SSL_", "link it with -lssl -lcrypto"},
    {"EVP_", "link it with -lcrypto"},
    {"HMAC", "link it with -lcrypto"},
    {"_ZSt", cxx},
    {"_ZNSt", cxx},
    {"_ZNKSt", cxx},
    {"_ZTISt", cxx},
    {"_ZTVSt", cxx},
    {"_ZTVN10__cxxabiv", cxx},
    {"_Znwm", cxx},
    {"_ZdlPv", cxx},
    {"__gxx_", cxx},
    {"__cxa_", cxx},
    {"__asan_", "it is built with -fsanitize=address: link it with that too"},
    {"__ubsan_", "it is built with -fsanitize=undefined: link it with that "
                 "too"},
    {"__gcov_", "it is built with --coverage: link it with that too"},
};

static int
refuse_undefined(const char *symbol, struct error *err)
{
    size_t len = strcspn(symbol, " ,");
    const char *hint = NULL;
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]) && hint == NULL;
         i++) {
        size_t prefix = strlen(owners[i].prefix);
        if (len >= prefix && strncmp(symbol, owners[i].prefix, prefix) == 0) {
            hint = owners[i].hint;
        }
    }
    if (hint != NULL) {
        return error_set(err, RC_INVALID, "undefined symbol: %.*s: %s",
                         (int)(len < NAME_SHOW ? len : NAME_SHOW), symbol,
                         hint);
    }
    return error_set(err, RC_INVALID,
                     "undefined symbol: %.*s: link the library that defines it "
                     "(ldd shows those it has), or name its source under "
                     "SOURCES; with -Wl,-z,defs the linker finds this",
                     (int)(len < NAME_SHOW ? len : NAME_SHOW), symbol);
}

/* "libfoo.so.1: cannot open shared object file: No such file or directory" */
static int
refuse_library(const struct elf_facts *facts, const char *why,
               struct error *err)
{
    int len = (int)strcspn(why, ":");
    const char *run_path = facts->run_path;
    if (run_path != NULL && strstr(run_path, "$ORIGIN") != NULL) {
        return error_set(
            err, RC_INVALID,
            "the library %.*s is not found: its run path is %.80s, "
            "and a daemon loads a copy of the plugin from another "
            "folder: give -Wl,-rpath a whole path, or put the "
            "library where ldconfig looks",
            len, why, run_path);
    }
    return error_set(err, RC_INVALID,
                     "the library %.*s is not found: install it, or link with "
                     "-Wl,-rpath,FOLDER (ldd shows all that it needs)",
                     len, why);
}

/* What else dlerror() says, and what to do about it. */
static const struct {
    const char *part, *hint;
} hints[] = {
    {"GLIBC", "it was built on a newer system: build it on this one"},
    {"' not found", "it was built with a newer version of that library: build "
                    "it on this system"},
    {"failed to map segment", "its folder is mounted noexec: put it elsewhere, "
                              "or remount with exec"},
    {"ermission denied", "make it readable (chmod), and its folders too"},
    {"static TLS block", "build it with -fPIC, and without "
                         "-ftls-model=initial-exec"},
    {"segment prot after reloc", "it has text relocations: build it with "
                                 "-fPIC"},
    {"executable stack", "link it with -Wl,-z,noexecstack"},
    {"cannot dynamically load", "it is a program: build it with gcc -shared"},
};

int
refuse_open(const char *path, const struct elf_facts *facts, const char *why,
            struct error *err)
{
    static const char undefined[] = "undefined symbol: ";
    why = why == NULL ? "dlopen failed" : why;
    const char *symbol = strstr(why, undefined);
    if (symbol != NULL) {
        return refuse_undefined(symbol + strlen(undefined), err);
    }
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strstr(why, hints[i].part) != NULL) {
            return error_set(err, RC_INVALID, "%.320s: %s", why, hints[i].hint);
        }
    }
    if (strstr(why, "cannot open shared object") != NULL &&
        strncmp(why, path, strlen(path)) != 0) {
        return refuse_library(facts, why, err);
    }
    return error_set(err, RC_INVALID, "%.320s (see ldd)", why);
}

/* ---- dlsym() -------------------------------------------------------- */

/* Names beginning with __ are a compiler's, such as a sanitizer's. */
static int
is_stray(const struct elf_symbol *symbol)
{
    return symbol->is_defined && strncmp(symbol->name, "__", 2) != 0 &&
           strstr(symbol->name, entry_stem) != NULL;
}

/* The descriptor under another name, or where nobody sees it; of those the most
 * telling. 0 for none. */
static int
find_stray(const struct elf_facts *facts, struct elf_symbol *out)
{
    int found = 0;
    struct elf_symbol symbol;
    for (size_t i = 0; elf_local(facts, i, &symbol); i++) {
        if (is_stray(&symbol)) {
            *out = symbol;
            found = 1;
        }
    }
    for (size_t i = 0; elf_import(facts, i, &symbol); i++) {
        if (elf_is_export(&symbol) && is_stray(&symbol)) {
            *out = symbol;
            found = 1;
        }
    }
    return found;
}

static int
refuse_stray(const struct elf_symbol *stray, struct error *err)
{
    if (strncmp(stray->name, "_Z", 2) == 0) {
        return error_set(err, RC_INVALID,
                         "exports no " REFUSE_SYMBOL ": it is there under a "
                         "name of C++ (%.*s): include <pegboard/plugin.h>, "
                         "which makes it extern \"C\", and define it outside "
                         "of every namespace with PEG_PLUGIN(...)",
                         NAME_SHOW, stray->name);
    }
    /* What was hidden and what was static looks the same once it is linked. */
    if (strcmp(stray->name, REFUSE_SYMBOL) == 0) {
        return error_set(err, RC_INVALID,
                         "exports no " REFUSE_SYMBOL ": it is there, but "
                         "static, or hidden by -fvisibility=hidden and a "
                         "declaration of your own, or by a version script: "
                         "define it with PEG_PLUGIN(...) of "
                         "<pegboard/plugin.h>");
    }
    const char *number = strstr(stray->name, entry_stem) + strlen(entry_stem);
    return error_set(err, RC_INVALID,
                     "exports %.*s: it was built for pegboard ABI %.8s, this "
                     "is ABI %d: update pegboard, or build the plugin with "
                     "this version's header",
                     NAME_SHOW, stray->name, number, PEG_ABI_MAJOR);
}

/* "main, helper and 3 more"; "" for nothing. */
static void
name_exports(const struct elf_facts *facts, char *out, size_t size)
{
    size_t count = 0, len = 0;
    struct elf_symbol symbol;
    out[0] = '\0';
    for (size_t i = 0; elf_import(facts, i, &symbol); i++) {
        if (!elf_is_export(&symbol) || symbol.name[0] == '_') {
            continue;
        }
        if (count++ < EXPORTS_SHOW) {
            len += (size_t)snprintf(out + len, size - len, "%s%.40s",
                                    count > 1 ? ", " : "", symbol.name);
        }
    }
    if (count > EXPORTS_SHOW) {
        snprintf(out + len, size - len, " and %zu more", count - EXPORTS_SHOW);
    }
}

int
refuse_no_symbol(const struct elf_facts *facts, struct error *err)
{
    struct elf_symbol stray;
    if (find_stray(facts, &stray)) {
        return refuse_stray(&stray, err);
    }
    char exports[EXPORTS_SHOW * 48 + 32];
    name_exports(facts, exports, sizeof(exports));
    return error_set(err, RC_INVALID,
                     "exports no " REFUSE_SYMBOL "%s%s: did you forget "
                     "PEG_PLUGIN(...), or to name its source under SOURCES, or "
                     "compile it with hidden visibility and a declaration of "
                     "your own?",
                     exports[0] != '\0' ? ", but " : ", nor anything else",
                     exports);
}
