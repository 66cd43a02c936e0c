/* core/runner/scratch.h: memory that lives for one call of a handler.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SCRATCH_H
#define CORE_SCRATCH_H

#include <stddef.h>

struct scratch_chunk;

/** Zero it to start. */
struct scratch {
    struct scratch_chunk *last;
};

/** `size` bytes aligned for any type; NULL when there is no memory, or for
 * more than 1 GB. */
void *scratch_take(struct scratch *scratch, size_t size);

/** As scratch_take(), or abort: for getters, which have no way to say that
 * memory is out. A wrong answer could become a wrong verdict; a crash is tried
 * again. */
void *scratch_need(struct scratch *scratch, size_t size);

/** Free all that was taken. */
void scratch_fini(struct scratch *scratch);

#endif
