/* core/suggest.c: "did you mean", by edit distance with swaps.
 * SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <stdint.h>
#include <string.h>

#define SUGGEST_WORD_MAX 128
#define SUGGEST_NEAR     2 /* edits forgiven in a word of any length */

static size_t
lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn `a`
 * into `b`. Three rows of the table are enough: a swap looks two rows back. */
static size_t
edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    uint8_t rows[3][SUGGEST_WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        uint8_t *row = rows[i % 3];
        const uint8_t *above = rows[(i + 2) % 3];
        const uint8_t *above_that = rows[(i + 1) % 3];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1] ? 1u : 0u);
            best = lesser(best, above[j] + 1u);
            best = lesser(best, row[j - 1] + 1u);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                best = lesser(best, above_that[j - 2] + 1u);
            }
            row[j] = (uint8_t)best;
        }
    }
    return rows[a_len % 3][b_len];
}

void
suggest_init(struct suggest *suggest, const char *word)
{
    suggest->word = word;
    suggest->best = NULL;
    suggest->distance = SIZE_MAX;
}

void
suggest_offer(struct suggest *suggest, const char *known)
{
    size_t word_len = strnlen(suggest->word, SUGGEST_WORD_MAX + 1);
    size_t known_len = strnlen(known, SUGGEST_WORD_MAX + 1);
    if (word_len > SUGGEST_WORD_MAX || known_len > SUGGEST_WORD_MAX) {
        return;
    }
    size_t near = word_len / 3 > SUGGEST_NEAR ? word_len / 3 : SUGGEST_NEAR;
    size_t distance = edit_distance(suggest->word, word_len, known, known_len);
    if (distance <= near && distance < suggest->distance) {
        suggest->best = known;
        suggest->distance = distance;
    }
}
