/* tests/sdk/outside/mixed.cc: a plugin in C++17 with a part in C. It makes of
 * the standard library's templates what Clang and GCC export in spite of hidden
 * visibility.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pegboard/plugin.h>

#include <map>
#include <string>
#include <vector>

extern "C" int part_add(int a, int b);

struct word {
    std::string text;
    int count;
};

std::map<std::string, std::vector<word>>
    everything; /* not static, on purpose */

static const peg_option options[] = {
    {"greeting", PEG_OPTION_STRING, 0, "hello", "said first"},
};

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    peg_str greeting, id;
    if (peg_option_str(ctx, "greeting", &greeting) != PEG_OK ||
        peg_get_str(ev, "data.object.id", &id) != PEG_OK) {
        return PEG_FAIL;
    }
    auto &words = everything[id.ptr];
    words.push_back(word{greeting.ptr, part_add(1, 1)});
    peg_info(ctx, "%s: %d", words.back().text.c_str(), words.back().count);
    return PEG_DONE;
}

PEG_PLUGIN(.name = "mixed", .version = "1.0",
           PEG_EVENTS("payment_intent.succeeded"), PEG_OPTIONS(options),
           .handle = handle);
