/* tests/plugins/no_symbol.c: a shared object that is no plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

PEG_EXPORT extern int something_else;
int something_else = 1;
