# tests/sdk/test_kit_readme.sh WHAT ROOT ARCHIVE RUNNER [COMPILER]: what
# sdk/README.md shows is so. WHAT is one of
#   test    the test under "Testing" builds and passes; it is short
#   layout  the table of the structs is what the compiler says, and is whole
#   cpp, rust, zig  that plugin builds with the line beside it and does what is
#           said below it; 77 without the compiler
# SPDX-License-Identifier: Apache-2.0
what=$1
root=$2
archive=$3
runner=$4
compiler=$5
readme=$root/sdk/README.md

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
ln -s "$root/sdk" sdk
ln -s "$root/plugins" plugins
mkdir -p build/sdk/testing
ln -s "$archive" build/sdk/testing/

fail() {
    printf '%s\n' "$*"
    exit 1
}

# block HEADING LANGUAGE: the first such block below that heading.
block() {
    awk -v heading="$1" -v open="\`\`\`$2" '
        !inside && /^##/ { here = $0 == heading }
        $0 == "```" && inside { exit }
        inside { print }
        here && $0 == open { inside = 1 }' "$readme"
}

# line HEADING COMMAND: the line of its sh block that begins so, less that.
line() {
    block "$1" sh | sed -n "s,^$2 ,,p"
}

exports_one() {
    exports=$(nm -D --defined-only hello.so | awk '{print $3}')
    [ "$exports" = pegboard_plugin_v1 ] || fail "it exports: $exports"
}

# runs HEADING [EVENT]: try says what the text block says.
runs() {
    got=$(eval "$runner $(line "$1" pegboard-runner)" 2>&1)
    want=$(block "$1" text)
    [ -n "$want" ] && [ "$got" = "$want" ] || fail "README: $want
got: $got"
    exports_one
}

case $what in
test)
    block '## The smallest one' c >hello.c
    block '## Testing' c >test_hello.c
    [ "$(wc -l <test_hello.c)" -le 26 ] || fail 'the test is not short'
    eval "$compiler $(line '## Testing' gcc) -Wextra -Wpedantic -Werror" ||
        exit 1
    ./test_hello || fail 'the test fails'
    export PKG_CONFIG_PATH="${archive%/*/*/*}"
    flags=$(pkg-config --cflags --libs pegboard-testing) &&
        "$compiler" -o test_hello test_hello.c hello.c $flags &&
        ./test_hello || fail 'not with pkg-config'
    sed -i 's/PEG_FAIL/PEG_RETRY/' hello.c
    eval "$compiler $(line '## Testing' gcc)" || exit 1
    ! ./test_hello 2>error || fail 'the test passes on a plugin that is wrong'
    grep -q 'pegt_handle(host) == PEG_FAIL' error || fail "$(cat error)"
    ;;
layout)
    {
        echo '#include <pegboard/plugin.h>'
        awk -F'|' '$2 ~ /^ `peg_[a-z]+` $/ && $3 ~ /^ [0-9]+ $/ {
            gsub(/[ `]/, "", $2)
            printf "_Static_assert(sizeof(struct %s) ==%s, \"\");\n", $2, $3
            n = split($4, members, ",")
            for (i = 1; i <= n; i++) {
                split(members[i], of, "`")
                printf "_Static_assert(offsetof(struct %s, %s) ==%s, " \
                    "\"\");\n", $2, of[2], of[3]
            }
        }' "$readme"
    } >layout.c
    "$compiler" -std=c11 -Isdk/include -fsyntax-only layout.c || exit 1
    # All members of all structs: as many as the header has.
    shown=$(grep -c offsetof layout.c)
    there=$(awk '/^(typedef )?struct peg_[a-z]+ \{/ { inside = 1; next }
        /^\}/ { inside = 0 }
        inside { gsub(/\/\*.*\*\//, ""); text = text $0 }
        END {
            gsub(/\/\*[^*]*\*\//, "", text)
            gsub(/\([^;]*\)/, "", text)
            print gsub(/[,;]/, "", text)
        }' "$root/sdk/include/pegboard/plugin.h")
    [ "$shown" -eq "$there" ] ||
        fail "the table has $shown members, the header $there"
    ;;
cpp)
    block '## C++' cpp >hello.cc
    eval "$compiler $(line '## C++' g++) -Wextra -Wpedantic -Werror" || exit 1
    runs '## C++'
    ;;
rust)
    command -v rustc >/dev/null || {
        echo 'skipped: rustc is not installed'
        exit 77
    }
    block '### Rust' rust >hello.rs
    eval "rustc $(line '### Rust' rustc) -D warnings" || exit 1
    runs '### Rust'
    # A panic ends as RETRY.
    got=$(sed 's/"amount": 109900/"amount": -1/' plugins/receipts/event.json |
        "$runner" try ./hello.so - 2>/dev/null)
    case $got in
    'retry: a payment below zero'*) ;;
    *) fail "after a panic: $got" ;;
    esac
    ;;
zig)
    command -v zig >/dev/null || {
        echo 'skipped: zig is not installed'
        exit 77
    }
    block '### Zig' zig >hello.zig
    eval "zig $(line '### Zig' zig)" || exit 1
    got=$("$runner" try ./hello.so plugins/receipts/event.json 2>/dev/null)
    [ "$got" = done ] || fail "got: $got"
    exports_one
    ;;
*)
    fail "what is $what?"
    ;;
esac
