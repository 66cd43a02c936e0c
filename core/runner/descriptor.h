/* core/runner/descriptor.h: the rules for a plugin's descriptor.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DESCRIPTOR_H
#define CORE_DESCRIPTOR_H

#include "plugin/manifest.h"

#include <pegboard/plugin.h>
#include <stddef.h>

struct error; /* error.h */

/**
 * Copy the descriptor at `symbol` and judge it. No function of it is called.
 *
 * A descriptor larger than ours is a newer plugin's, which is fine: what we do
 * not know is left out. What a smaller one lacks is zero in the copy.
 *
 * @param symbol_bytes  size of the symbol in the file; 0 when not known
 * @param out           written on success only
 * @return RC_OK, or RC_INVALID with a text that says how to mend it
 */
int descriptor_judge(struct peg_plugin *out, const void *symbol,
                     size_t symbol_bytes, struct error *err);

/**
 * Turn a judged descriptor into plain data.
 *
 * @param out  the caller owns what it points to: manifest_fini()
 * @return RC_OK, RC_INVALID (too large to be sent) or RC_NOMEM
 */
int descriptor_manifest(struct manifest *out, const struct peg_plugin *plugin,
                        struct error *err);

#endif
