/* core/cli/trigger_list.h: `pegboard trigger --list`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRIGGER_LIST_H
#define CORE_TRIGGER_LIST_H

struct args;

/** Print the types of the catalogue that the operand matches, those with a
 * template of their own first. Returns an exit code. */
int trigger_list(const struct args *args);

#endif
