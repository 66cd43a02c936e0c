/* core/runner/refuse.h: why a file is not loaded, and how its author mends it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REFUSE_H
#define CORE_REFUSE_H

struct elf_facts; /* plugin/elf_facts.h */
struct error;     /* error.h */

/** What a plugin exports. */
#define REFUSE_SYMBOL "pegboard_plugin_v1"

/** dlopen() said no.
 * @param why  what dlerror() said
 * @return RC_INVALID */
int refuse_open(const char *path, const struct elf_facts *facts,
                const char *why, struct error *err);

/** It was opened, and exports no descriptor. @return RC_INVALID */
int refuse_no_symbol(const struct elf_facts *facts, struct error *err);

#endif
