/* core/runner/scratch.c: memory that lives for one call of a handler.
 * SPDX-License-Identifier: Apache-2.0 */
#include "runner/scratch.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK_BYTES 4096 /* most events need no second one */

/* The most that is given at once: a plugin that asks for more has got its
 * arithmetic wrong. */
#define TAKE_BYTES_MAX ((size_t)1 << 30)

struct scratch_chunk {
    struct scratch_chunk *before;
    size_t used, cap; /* bytes of data */
    max_align_t data[];
};

static struct scratch_chunk *
chunk_open(struct scratch_chunk *before, size_t size)
{
    size_t cap = size < CHUNK_BYTES ? CHUNK_BYTES : size;
    struct scratch_chunk *chunk = malloc(sizeof(*chunk) + cap);
    if (chunk != NULL) {
        chunk->before = before;
        chunk->used = 0;
        chunk->cap = cap;
    }
    return chunk;
}

void *
scratch_take(struct scratch *scratch, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    if (size > TAKE_BYTES_MAX) {
        return NULL;
    }
    /* At least one unit, so that two results always differ. */
    size_t units = size / unit + (size % unit != 0 || size == 0);
    struct scratch_chunk *chunk = scratch->last;
    if (chunk == NULL || chunk->cap - chunk->used < units * unit) {
        chunk = chunk_open(chunk, units * unit);
        if (chunk == NULL) {
            return NULL;
        }
        scratch->last = chunk;
    }
    max_align_t *memory = chunk->data + chunk->used / unit;
    chunk->used += units * unit;
    return memory;
}

void *
scratch_need(struct scratch *scratch, size_t size)
{
    void *memory = scratch_take(scratch, size);
    if (memory == NULL) {
        fprintf(stderr, "pegboard-runner: out of memory\n");
        abort();
    }
    return memory;
}

void
scratch_fini(struct scratch *scratch)
{
    while (scratch->last != NULL) {
        struct scratch_chunk *before = scratch->last->before;
        free(scratch->last);
        scratch->last = before;
    }
}
