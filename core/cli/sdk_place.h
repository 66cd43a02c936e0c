/* core/cli/sdk_place.h: how a command line on this machine calls this program
 * and finds its CMake package. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SDK_PLACE_H
#define CORE_SDK_PLACE_H

#define SDK_PLACE_MAX 4096

/** Write the word that starts this program: "pegboard" when the PATH leads to
 * it, else its path. */
void sdk_place_program(char out[SDK_PLACE_MAX]);

/**
 * Write what CMake must be told to find the package: the folder, or "" when it
 * looks there by itself.
 *
 * @return whether there is a package
 */
int sdk_place_package(char out[SDK_PLACE_MAX]);

/** Write `text` as one word of a shell. Returns `out`. */
const char *sdk_place_quote(const char *text, char out[SDK_PLACE_MAX]);

#endif
