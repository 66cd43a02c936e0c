/* core/runner/load.c: open a plugin's .so and judge its descriptor.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/load.h"

#include "error.h"
#include "runner/descriptor.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOAD_SYMBOL  "pegboard_plugin_v1"
#define LOAD_ABI_MAX 9 /* newer ABIs that are looked for, to name them */

/* What dlerror() says, and what to do about it; the first that fits. */
static const struct {
    const char *part, *hint;
} hints[] = {
    {"undefined symbol",
     "link the library that defines it, or build with -Wl,-z,defs to find "
     "this at link time"},
    {"GLIBC", "it was built on a newer system: build it on this one"},
    {"wrong ELF class", "build it for this machine's word size"},
    {"invalid ELF header", "it is no shared object: build it with gcc -shared"},
    {"file too short", "the file is cut short: was it being copied?"},
    {"cannot dynamically load", "it is a program: build it with gcc -shared"},
    {"only ET_DYN and ET_EXEC", "it is no shared object: build it with gcc "
                                "-shared"},
    {"cannot enable executable stack", "link it with -Wl,-z,noexecstack"},
};

static const char *
hint_for(const char *path, const char *why)
{
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strstr(why, hints[i].part) != NULL) {
            return hints[i].hint;
        }
    }
    if (strstr(why, "cannot open shared object") != NULL &&
        access(path, R_OK) == 0) {
        /* glibc says "No such file" for these two as well. */
        return "the file is there: a library it needs is missing (see ldd), "
               "or it was built for another kind of machine";
    }
    return NULL;
}

static int
refuse_open(const char *path, struct error *err)
{
    const char *why = dlerror();
    why = why == NULL ? "dlopen failed" : why;
    const char *hint = hint_for(path, why);
    return error_set(err, RC_INVALID, "%.320s%s%s", why,
                     hint == NULL ? "" : ": ", hint == NULL ? "" : hint);
}

static int
refuse_no_symbol(void *handle, struct error *err)
{
    char name[sizeof(LOAD_SYMBOL) + 8];
    for (int abi = PEG_ABI_MAJOR + 1; abi <= LOAD_ABI_MAX; abi++) {
        snprintf(name, sizeof(name), "pegboard_plugin_v%d", abi);
        if (dlsym(handle, name) != NULL) {
            return error_set(err, RC_INVALID,
                             "exports %s: it was built for pegboard ABI %d, "
                             "this is ABI %d: update pegboard, or build the "
                             "plugin with this version's header",
                             name, abi, PEG_ABI_MAJOR);
        }
    }
    return error_set(err, RC_INVALID,
                     "exports no " LOAD_SYMBOL ": is PEG_PLUGIN(...) missing, "
                     "or the file compiled as C++ without the header's extern "
                     "\"C\"?");
}

int
load_open(struct loaded *out, const char *path, enum wire_stage *stage,
          struct error *err)
{
    *stage = WIRE_STAGE_LOAD;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        return refuse_open(path, err);
    }
    const void *symbol = dlsym(handle, LOAD_SYMBOL);
    if (symbol == NULL) {
        return refuse_no_symbol(handle, err);
    }

    *stage = WIRE_STAGE_DESCRIPTOR;
    Dl_info info;
    const ElfW(Sym) *elf = NULL;
    void *extra = NULL;
    if (dladdr1(symbol, &info, &extra, RTLD_DL_SYMENT) != 0) {
        elf = extra;
    }
    if (elf != NULL && ELF64_ST_TYPE(elf->st_info) == STT_FUNC) {
        return error_set(err, RC_INVALID,
                         LOAD_SYMBOL " is a function, it must be data: define "
                                     "it with PEG_PLUGIN(...)");
    }
    struct loaded loaded;
    int rc = descriptor_judge(&loaded.plugin, symbol,
                              elf == NULL ? 0 : (size_t)elf->st_size, err);
    if (rc == RC_OK) {
        rc = descriptor_manifest(&loaded.manifest, &loaded.plugin, err);
    }
    if (rc == RC_OK) {
        *out = loaded;
    }
    return rc;
}

void
load_fini(struct loaded *loaded)
{
    manifest_fini(&loaded->manifest);
}
