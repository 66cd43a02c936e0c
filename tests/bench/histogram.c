/* tests/bench/histogram.c: counts of latencies, exact to 1.6 %.
 * SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <math.h>
#include <stddef.h>

#define STEP_BITS 6 /* HISTOGRAM_STEPS == 1 << STEP_BITS */

static size_t
slot_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (size_t)value;
    }
    unsigned int top_bit = 63U - (unsigned int)__builtin_clzll(value);
    unsigned int shift = top_bit - STEP_BITS;
    size_t slot = ((size_t)shift << STEP_BITS) + (size_t)(value >> shift);
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

/* The largest value that falls into the slot. */
static uint64_t
slot_end(size_t slot)
{
    if (slot < HISTOGRAM_STEPS) {
        return slot;
    }
    size_t shift = (slot >> STEP_BITS) - 1;
    uint64_t step = (slot & (HISTOGRAM_STEPS - 1)) + HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, int64_t value_ns)
{
    if (value_ns < 0) {
        value_ns = 0;
    }
    h->slots[slot_of((uint64_t)value_ns)]++;
    h->count++;
    if (value_ns > h->max_ns) {
        h->max_ns = value_ns;
    }
}

double
histogram_ms(const struct histogram *h, double percent)
{
    uint64_t wanted = (uint64_t)ceil((double)h->count * percent / 100.0);
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_SLOTS && h->count > 0; i++) {
        seen += h->slots[i];
        if (seen >= wanted && seen > 0) {
            uint64_t end_ns = slot_end(i);
            uint64_t max_ns = (uint64_t)h->max_ns;
            return (double)(end_ns < max_ns ? end_ns : max_ns) / 1e6;
        }
    }
    return 0.0;
}
