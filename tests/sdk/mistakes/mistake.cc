/* tests/sdk/mistakes/mistake.cc: a plugin without its descriptor, or without a
 * library that it needs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

int32_t elsewhere(peg_ctx *ctx, const peg_event *ev);

#ifdef NO_LIBRARY
#define HANDLE elsewhere
#else
#define HANDLE handle
int32_t handle(peg_ctx *ctx, const peg_event *ev);
int32_t
handle(peg_ctx *, const peg_event *)
{
    return PEG_DONE;
}
#endif

#ifndef NO_DESCRIPTOR
PEG_PLUGIN(.name = "mistake", .version = "1.0", PEG_EVENTS("*"),
           .handle = HANDLE);
#endif
