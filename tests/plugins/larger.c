/* tests/plugins/larger.c: a plugin of a later minor version that can live with
 * this one: its descriptor and its options have members we do not know.
 * SPDX-License-Identifier: Apache-2.0 */
#define pegboard_plugin_v1 known_descriptor
#include <pegboard/plugin.h>
#undef pegboard_plugin_v1

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t count;
    if (peg_option_i64(ctx, "second", &count) != PEG_OK || count != 2) {
        peg_reason(ev, "the second option was not found");
        return PEG_FAIL;
    }
    return PEG_DONE;
}

struct later_option {
    peg_option known;
    uint64_t added[3];
};

static const struct later_option options[] = {
    {{"first", PEG_OPTION_STRING, 0, "one", "a first"}, {~0ULL, ~0ULL, ~0ULL}},
    {{"second", PEG_OPTION_INT, 0, "2", "a second"}, {~0ULL, ~0ULL, ~0ULL}},
};

struct later_plugin {
    struct peg_plugin known;
    uint64_t added[8];
};

static const char *const events[] = {"*", NULL};

PEG_EXPORT extern const struct later_plugin pegboard_plugin_v1;
const struct later_plugin pegboard_plugin_v1 = {
    .known =
        {
            .size = sizeof(struct later_plugin),
            .abi_major = PEG_ABI_MAJOR,
            .name = "larger",
            .version = "2.0",
            .events = events,
            .options = &options[0].known,
            .option_count = 2,
            .option_stride = sizeof(options[0]),
            .handle = handle,
        },
    .added = {~0ULL, ~0ULL},
};
