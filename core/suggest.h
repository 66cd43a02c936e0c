/* core/suggest.h: "did you mean": the nearest of some known words.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SUGGEST_H
#define CORE_SUGGEST_H

#include <stddef.h>

/** Collects the best candidate while a caller offers words one by one. */
struct suggest {
    const char *word; /* the misspelled one; borrowed */
    const char *best; /* nearest so far, or NULL; borrowed */
    size_t distance;
};

/** Start: nothing is near yet. Words over 128 bytes have no neighbours. */
void suggest_init(struct suggest *suggest, const char *word);

/** Offer a known word. It becomes the best if it is nearest by edit distance
 * (a swap counts 1) and within 2, or a third of the word's length. */
void suggest_offer(struct suggest *suggest, const char *known);

#endif
