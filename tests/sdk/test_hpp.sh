# tests/sdk/test_hpp.sh CXX SOURCES SDK ARCHIVE RUNNER EVENT: a plugin on
# pegboard/plugin.hpp builds without a warning, exports one symbol, in memory
# that is read-only, and lets no exception out.
# SPDX-License-Identifier: Apache-2.0
cxx=$1
sources=$2
sdk=$3
archive=$4
runner=$5
event=$6

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
strict='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
shared="-shared -fPIC -fvisibility=hidden -Wl,-z,defs -Wl,-z,now
    -Wl,--version-script=$sdk/cmake/plugin.map -I$sdk/include"

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

# build FLAG...
build() {
    "$cxx" "$@" $strict $shared -o "$scratch/plus.so" \
        "$sources/test_hpp_plugin.cc"
}

# expect WANT WHERE ARG...: what try prints when it throws there.
expect() {
    want=$1
    where=$2
    shift 2
    got=$("$runner" try "$scratch/plus.so" "$event" --option "throw=$where" \
        "$@" 2>&1 | grep -v '^debug')
    [ "$got" = "$want" ] || complain "throw=$where: wanted:
$want
got:
$got"
}

for flags in '-std=c++17 -O0' '-std=c++20 -O2' '-std=c++17 -O2 -fno-rtti'; do
    build $flags || complain "does not build: $flags"
    exports=$(nm -D --defined-only "$scratch/plus.so" | awk '{print $3}')
    [ "$exports" = pegboard_plugin_v1 ] || complain "$flags exports: $exports"
    index=$(readelf -sW "$scratch/plus.so" |
        awk '$8 == "pegboard_plugin_v1" {print $7; exit}')
    readelf -SW "$scratch/plus.so" | grep "^ *\[ *$index\]" |
        grep -qE ' \.(data\.rel\.ro|rodata)' ||
        complain "$flags: the descriptor can be written to"

    nowhere='info plus: evt_1PegReceiptsSample0001:plus pi_3PegReceiptsSample0001
info plus: payment_intent.succeeded 109900, attempt 1, 1 members, count 1
store: delete lost
store: put count (1 bytes)
done
info plus: evt_1PegReceiptsSample0001:plus pi_3PegReceiptsSample0001
info plus: payment_intent.succeeded 109900, attempt 2, 1 members, count 2
store: delete lost
store: put count (1 bytes)
done
info plus: 2 at the end'
    expect "$nowhere" nowhere --repeat 2
    thrown='store: not done, so thrown away: 1'
    expect "error plus: no database at init
pegboard-runner: plus refused: init() returned 1" init
    expect "$thrown
retry: cannot handle
info plus: 1 at the end" handle
    expect "$thrown
retry: an exception that is no std::exception
info plus: 1 at the end" int
    expect "$thrown
retry: beyond a limit of the store
info plus: 1 at the end" store
    expect "$thrown
retry in 3000 ms: in 3 s
info plus: 1 at the end" late
    expect "$thrown
skip: not mine
info plus: 1 at the end" skip
    expect "$thrown
fail: never
info plus: 1 at the end" fail
    expect "$thrown
retry
info plus: 1 at the end" retry
    expect "store: delete lost
done
info plus: 1 at the end
warn plus: cannot let go" shutdown
done

# Through the test kit, also where memory is watched.
for flags in '-O2' '-g -fsanitize=address,undefined'; do
    "$cxx" -std=c++17 $flags $strict -I"$sdk/include" -o "$scratch/test" \
        "$sources/test_hpp_plugin.cc" "$sources/test_hpp_kit.cc" "$archive" &&
        got=$("$scratch/test" 2>&1) && [ "$got" = passed ] ||
        complain "kit, $flags: $got"
done

# mistake WANT MEMBER...: a class with these alone is refused, saying so.
mistake() {
    want=$1
    shift
    printf '%s\n' '#include <pegboard/plugin.hpp>' 'struct wrong {' "$@" '};' \
        'PEGBOARD_PLUGIN(wrong, "wrong", "1.0");' >"$scratch/wrong.cc"
    if got=$("$cxx" -std=c++17 -I"$sdk/include" -fsyntax-only \
        "$scratch/wrong.cc" 2>&1); then
        complain "builds: $*"
    elif [ "$(printf '%s\n' "$got" | grep -c 'error:')" -ne 1 ]; then
        complain "more than one error: $got"
    else
        case $got in
        *"$want"*) ;;
        *) complain "not \"$want\": $got" ;;
        esac
    fi
}

events='static constexpr const char *events[] = {"*"};'
ctor='explicit wrong(peg::context) {}'
handle='peg::verdict handle(const peg::event &) { return peg::verdict::done; }'
mistake 'the class lacks: static constexpr const char *events' \
    "$ctor" "$handle"
mistake 'a public constructor from peg::context' "$events" "$handle"
mistake 'the class lacks: peg::verdict handle(const peg::event &ev)' \
    "$events" "$ctor"
mistake 'the class lacks: peg::verdict handle(const peg::event &ev)' \
    "$events" "$ctor" 'int handle(const peg::event &) { return 0; }'

exit $((failures > 0))
