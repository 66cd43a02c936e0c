/* tests/bench/histogram.h: counts of latencies, exact to 1.6 %.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

/* Each power of two is cut into 64 equal steps; up to 2^41 ns (36 minutes),
 * what is longer counts as that. */
#define HISTOGRAM_STEPS 64
#define HISTOGRAM_SLOTS (HISTOGRAM_STEPS * 36)

/** All zero is an empty histogram. */
struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count;
    int64_t max_ns;
};

/** Count one value; below zero counts as zero. */
void histogram_add(struct histogram *h, int64_t value_ns);

/** The value that `percent` (0 to 100) of all do not exceed, in milliseconds;
 * 0 when empty. */
double histogram_ms(const struct histogram *h, double percent);

#endif
