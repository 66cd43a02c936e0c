/* core/cli/advice.h: what a plugin's author should look at once more, though a
 * daemon would load the file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ADVICE_H
#define CORE_ADVICE_H

struct inspection;

/** Takes one sentence, which says what to do. */
typedef void advice_fn(void *arg, const char *text);

/** Give all advice there is. */
void advice_give(const struct inspection *inspection, advice_fn *fn, void *arg);

#endif
