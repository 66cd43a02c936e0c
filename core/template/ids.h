/* core/template/ids.h: fresh ids for test events, in the shape of Stripe's.
 *
 * An id holds the time in base 62, a counter and 65 random bits: ids of one
 * kind sort by age, and two made in the same millisecond differ, whichever
 * processes made them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_IDS_H
#define CORE_IDS_H

#include <stddef.h>
#include <stdint.h>

struct error;

#define IDS_MAX 96 /* room for any id, with its NUL */

/**
 * How ids of an object begin: "pi" for "payment_intent". For an object that is
 * not in the table: the last part of its name.
 *
 * @return NULL for the objects that have no id (balance and its like)
 */
const char *ids_prefix(const char *object);

/**
 * Make an id: "pi_3T...", "cus_...", "cs_test_a1...".
 *
 * @param prefix  without the underscore; at most 40 bytes
 * @param live    whether ids that tell the mode say "live"
 * @return RC_OK, or RC_IO when the system gives no randomness
 */
int ids_make(char out[IDS_MAX], const char *prefix, int live, int64_t now_ms,
             struct error *err);

/** Make the id of a thin event, which has a longer form. */
int ids_make_thin(char out[IDS_MAX], int live, int64_t now_ms,
                  struct error *err);

/** Fill `out` with `len` random letters and digits and a NUL. */
int ids_random(char *out, size_t len, struct error *err);

/** Make a random UUID, as SDKs send for idempotency keys. */
int ids_uuid(char out[IDS_MAX], struct error *err);

#endif
