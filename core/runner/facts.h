/* core/runner/facts.h: the facts of an event that a plugin may ask for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FACTS_H
#define CORE_FACTS_H

#include <pegboard/plugin.h>
#include <stdint.h>

struct scratch;    /* runner/scratch.h */
struct wire_event; /* plugin/wire.h */

/* The getters of struct peg_host: PEG_OK, PEG_ABSENT or PEG_TYPE. */

/** @param scratch  where a text that has to be made comes from */
int32_t facts_str(const struct wire_event *facts, int32_t field,
                  struct scratch *scratch, peg_str *out);
int32_t facts_i64(const struct wire_event *facts, int32_t field, int64_t *out);

#endif
