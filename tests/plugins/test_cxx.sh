# tests/plugins/test_cxx.sh CXX INCLUDE RUNNER EVENT: the headers in C++17, and a
# plugin written in it.
# SPDX-License-Identifier: Apache-2.0
cxx=$1
include=$2
runner=$3
event=$4

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/plus.cc" <<'CC'
#include <pegboard/money.h>
#include <pegboard/plugin.h>

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t amount;
    char money[PEG_MONEY_MAX];
    if (peg_get_i64(ev, "data.object.amount", &amount) != PEG_OK) {
        return PEG_FAIL;
    }
    peg_info(ctx, "%s", peg_money(money, sizeof(money), amount, "usd"));
    return PEG_DONE;
}

PEG_PLUGIN(.name = "plus", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
CC
"$cxx" -std=c++17 -Wall -Werror -fPIC -shared -fvisibility=hidden \
    -I"$include" -Wl,-z,defs -o "$scratch/plus.so" "$scratch/plus.cc" || exit 1
got=$("$runner" try "$scratch/plus.so" "$event" 2>&1)
[ "$got" = "info plus: 10.99
done" ] && exit 0
echo "$got"
exit 1
