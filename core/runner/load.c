/* core/runner/load.c: open a plugin's .so and judge its descriptor.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/load.h"

#include "error.h"
#include "runner/descriptor.h"
#include "runner/image.h"
#include "runner/refuse.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

/* The file with its constructors run. NULL, and why, if it is refused. */
static void *
open_judged(const char *path, const struct image *image, struct error *err)
{
    if (image_judge(image, err) != RC_OK) {
        return NULL;
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        refuse_open(path, &image->facts, dlerror(), err);
    }
    return handle;
}

/* The descriptor in it. NULL, and why, if there is none. */
static const void *
open_file(const char *path, struct error *err)
{
    struct image image;
    if (image_open(&image, path, err) != RC_OK) {
        return NULL;
    }
    const void *symbol = NULL;
    void *handle = open_judged(path, &image, err);
    if (handle != NULL) {
        symbol = dlsym(handle, REFUSE_SYMBOL);
        if (symbol == NULL) {
            refuse_no_symbol(&image.facts, err);
        }
    }
    image_close(&image);
    return symbol;
}

int
load_open(struct loaded *out, const char *path, enum wire_stage *stage,
          struct error *err)
{
    *stage = WIRE_STAGE_LOAD;
    const void *symbol = open_file(path, err);
    if (symbol == NULL) {
        return RC_INVALID;
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
                         REFUSE_SYMBOL " is a function, it must be data: "
                                       "define it with PEG_PLUGIN(...)");
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
