/* core/runner/load.h: open a plugin's .so and judge its descriptor.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOAD_H
#define CORE_LOAD_H

#include "plugin/manifest.h"
#include "plugin/wire.h"

#include <pegboard/plugin.h>

struct error; /* error.h */

/** A plugin that passed. Its code stays mapped until the process ends. */
struct loaded {
    struct peg_plugin plugin; /* zero behind what an older plugin knows */
    struct manifest manifest; /* the same as plain data; owned */
};

/**
 * dlopen the file and judge what it exports, before any function of the
 * descriptor is called. Its constructors do run: they belong to dlopen, and
 * may crash or hang.
 *
 * @param out    written on success only; end with load_fini()
 * @param path   with a '/' in it, or dlopen looks elsewhere
 * @param stage  set on failure
 * @param err    on failure: what is wrong and how to mend it
 * @return RC_OK, RC_INVALID or RC_NOMEM
 */
int load_open(struct loaded *out, const char *path, enum wire_stage *stage,
              struct error *err);

/** Free the manifest. Nothing is ever dlclosed. Accepts a zeroed one. */
void load_fini(struct loaded *loaded);

#endif
