/* mirror/digest.h: the state of an object as one number, after an event and, by
 * what its `previous_attributes` say, before it.
 *
 * Two events that follow each other have this in common: what the first left
 * is what the second found. A number is equal for equal states, whatever the
 * order of their members and the blanks between them. Left out are nulls, since
 * Stripe says of a member that came new that it was null, and links to Stripe's
 * own pages, which it signs anew whenever it shows them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_DIGEST_H
#define MIRROR_DIGEST_H

#include <pegboard/plugin.h>

/** The state in data.object: JSON that the host has checked, as all here. */
uint64_t digest_after(peg_str object);

/** The state before it.
 *
 * @param previous  data.previous_attributes; of length 0 if there is none
 * @return 0 when that does not say what changed: `out` is left alone */
int digest_before(uint64_t *out, peg_str object, peg_str previous);

/** A number for some bytes, begun with another number. */
uint64_t digest_mix(uint64_t seed, const char *bytes, size_t len);

#endif
