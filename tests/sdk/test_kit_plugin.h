/* tests/sdk/test_kit_plugin.h: what test_kit.c sees of its plugin.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KIT_PLUGIN_H
#define TESTS_KIT_PLUGIN_H

/* Names that the runner has too. */
int error_set(void);
int host_init(void);

/** init() calls that went well, less the shutdown() calls. */
extern int lives;

#endif
