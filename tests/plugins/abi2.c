/* tests/plugins/abi2.c: a plugin of a later ABI, whose symbol says so.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

PEG_EXPORT extern const uint32_t pegboard_plugin_v2[32];
const uint32_t pegboard_plugin_v2[32] = {sizeof(pegboard_plugin_v2)};
