/* tests/abi/layout.cc: layout.c once more, as C++.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layout.c"
