/* tests/plugins/descriptor.c: a plugin whose descriptor is made wrong in one
 * member at a time; CMakeLists.txt lists how. Unchanged it is a good one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <stdlib.h>

#ifndef SIZE
#define SIZE sizeof(struct peg_plugin)
#endif
#ifndef MAJOR
#define MAJOR PEG_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR 0
#endif
#ifndef NAME
#define NAME "descriptor"
#endif
#ifndef VERSION
#define VERSION "1.0"
#endif
#ifndef EVENTS
#define EVENTS "*"
#endif
#ifndef LIST
#define LIST events
#endif
#ifndef HANDLE
#define HANDLE handle
#endif
#ifndef OPTIONS
#define OPTIONS options
#endif
#ifndef OPTION_NAME
#define OPTION_NAME "second"
#endif
#ifndef OPTION_TYPE
#define OPTION_TYPE PEG_OPTION_STRING
#endif
#ifndef OPTION_DEFAULT
#define OPTION_DEFAULT NULL
#endif
#ifndef OPTION_COUNT
#define OPTION_COUNT 2
#endif
#ifndef OPTION_STRIDE
#define OPTION_STRIDE sizeof(peg_option)
#endif

/* For lists that are too long. */
#define FOUR(x)    x, x, x, x
#define SIXTEEN(x) FOUR(x), FOUR(x), FOUR(x), FOUR(x)
#define MANY(x)    SIXTEEN(x), SIXTEEN(x), SIXTEEN(x), SIXTEEN(x)
#define MANY_EVENTS                                                            \
    MANY("a.b"), MANY("a.b"), MANY("a.b"), MANY("a.b"), "one.more"

/* Nothing of a refused plugin may run. */
__attribute__((unused)) static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    (void)ctx;
    (void)ev;
#ifdef GOOD
    return PEG_DONE;
#else
    abort();
#endif
}

static int32_t
init(peg_ctx *ctx)
{
    (void)ctx;
#ifdef GOOD
    return 0;
#else
    abort();
#endif
}

__attribute__((unused)) static const peg_option options[] = {
    {"first", PEG_OPTION_STRING, 0, NULL, "a first"},
    {OPTION_NAME, OPTION_TYPE, 0, OPTION_DEFAULT, NULL},
};

__attribute__((unused)) static const char *const events[] = {EVENTS, NULL};

const struct peg_plugin pegboard_plugin_v1 = {
    .size = SIZE,
    .abi_major = MAJOR,
    .needs_minor = MINOR,
    .name = NAME,
    .version = VERSION,
    .events = LIST,
    .options = OPTIONS,
    .option_count = OPTION_COUNT,
    .option_stride = OPTION_STRIDE,
    .init = init,
    .handle = HANDLE,
};
