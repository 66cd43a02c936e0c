# tests/plugins/test_cxx.sh CXX CC INCLUDE RUNNER EVENT: the headers in C++17, and a
# plugin written in it, without a warning; the same plugin in C11.
# SPDX-License-Identifier: Apache-2.0
cxx=$1
cc=$2
include=$3
runner=$4
event=$5

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/plus.cc" <<'CC'
#define PEG_TARGET_MINOR 1
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
    peg_str before;
    int32_t status = peg_store_get(ev, "last", &before);
    if (status != PEG_OK && status != PEG_ABSENT) {
        return PEG_RETRY;
    }
    if (peg_store_put(ev, "last", &amount, sizeof(amount)) != PEG_OK ||
        peg_store_delete(ev, "old") != PEG_OK) {
        return PEG_FAIL;
    }
    return PEG_DONE;
}

PEG_PLUGIN(.name = "plus", .version = "1.0", PEG_EVENTS("*"),
           .handle = handle);
CC
strict='-Wall -Wextra -Wpedantic -Wconversion -Werror'
"$cxx" -std=c++17 $strict -fPIC -shared -fvisibility=hidden \
    -I"$include" -Wl,-z,defs -o "$scratch/plus.so" "$scratch/plus.cc" || exit 1
"$cc" -std=c11 $strict -I"$include" -fsyntax-only -x c "$scratch/plus.cc" ||
    exit 1
"$cc" -std=c17 $strict -I"$include" -fsyntax-only -x c "$scratch/plus.cc" ||
    exit 1

# Without the target the functions of 1.1 are not there.
sed 1d "$scratch/plus.cc" >"$scratch/older.cc"
if "$cxx" -std=c++17 -I"$include" -fsyntax-only "$scratch/older.cc" \
    2>/dev/null; then
    echo 'peg_store_get() is there without PEG_TARGET_MINOR'
    exit 1
fi

got=$("$runner" try "$scratch/plus.so" "$event" 2>&1)
[ "$got" = "info plus: 10.99
store: put last (8 bytes)
store: delete old
done" ] && exit 0
echo "$got"
exit 1
