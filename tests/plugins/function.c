/* tests/plugins/function.c: has the right symbol, but it is a function.
 * SPDX-License-Identifier: Apache-2.0 */

/* Without the header, which says what the symbol should be. */
__attribute__((visibility("default"))) const void *pegboard_plugin_v1(void);

const void *
pegboard_plugin_v1(void)
{
    return 0;
}
