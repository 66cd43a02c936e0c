/* core/runner/image.h: a plugin's file, looked at before and after it is
 * loaded. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include "plugin/elf_facts.h"

#include <stddef.h>

struct error; /* error.h */

struct image {
    char *bytes; /* mapped */
    size_t len;
    struct elf_facts facts;
};

/**
 * Look at the file at `path` without loading it.
 *
 * @param out  set on success only; end with image_close()
 * @param err  on failure: what it is instead of a shared object for this
 *             machine, and what to do
 * @return RC_OK, RC_NOT_FOUND, RC_INVALID or RC_IO
 */
int image_open(struct image *out, const char *path, struct error *err);

/** Accepts a zeroed one. */
void image_close(struct image *image);

/** Whether this process can load it at all: RC_OK or RC_INVALID. A sanitizer
 * that comes late would end the process. */
int image_judge(const struct image *image, struct error *err);

#endif
