/* core/cli/paint.c: the colours of states.
 * SPDX-License-Identifier: Apache-2.0 */
#include "paint.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *word, *code;
} colours[] = {
    {"done", PAINT_GOOD},     {"skipped", PAINT_GOOD},
    {"skip", PAINT_GOOD},     {"ready", PAINT_GOOD},
    {"running", PAINT_GOOD},  {"starting", PAINT_WARN},
    {"stopped", PAINT_DIM},   {"retrying", PAINT_WARN},
    {"retry", PAINT_WARN},    {"held", PAINT_WARN},
    {"orphaned", PAINT_WARN}, {"paused", PAINT_WARN},
    {"lost", PAINT_WARN},     {"cancelled", PAINT_WARN},
    {"dead", PAINT_BAD},      {"fail", PAINT_BAD},
    {"failed", PAINT_BAD},    {"crash", PAINT_BAD},
    {"timeout", PAINT_BAD},   {"broken", PAINT_BAD},
    {"failing", PAINT_BAD},   {"discarded", PAINT_DIM},
    {"unrouted", PAINT_DIM},
};

const char *
paint_state(const char *state)
{
    for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
        if (strcmp(colours[i].word, state) == 0) {
            return colours[i].code;
        }
    }
    return "";
}
