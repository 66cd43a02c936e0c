# tests/abi/test_layout.sh CC CXX SDK: layout.c tells of each way to break the
# ABI; and the layout is the same on other machines, as far as Clang knows them.
# CXX may be empty. SPDX-License-Identifier: Apache-2.0
cc=$1
cxx=$2
header=$3/include/pegboard/plugin.h
failures=0
cd "$(dirname "$0")" || exit 1

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/pegboard"

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

# expect_text WHAT TEXT COMMAND...: it fails, and the error has the text.
expect_text() {
    what=$1
    text=$2
    shift 2
    if "$@" >"$scratch/said" 2>&1; then
        complain "not noticed: $what, by $1"
    elif ! grep -qF "$text" "$scratch/said"; then
        complain "$what: $1 does not say \"$text\", but:" \
            "$(grep error "$scratch/said" | head -n 3)"
    fi
}

# breaks WHAT TEXT SED: the header changed so does not compile any more.
breaks() {
    sed "$3" "$header" >"$scratch/pegboard/plugin.h"
    if cmp -s "$header" "$scratch/pegboard/plugin.h"; then
        complain "$1: sed finds nothing to change"
    fi
    expect_text "$1" "$2" "$cc" -std=c11 -I"$scratch" -fsyntax-only layout.c
    [ -z "$cxx" ] || expect_text "$1" "$2" "$cxx" -std=c++17 -I"$scratch" \
        -fsyntax-only layout.cc
}

slot='int32_t (\*json_kind)(const peg_event \*ev, const char \*path);'
breaks 'a function before others' 'peg_host.json_kind is no longer at byte 56' \
    "s/^    $slot/    void (*early)(void);\n&/"
breaks 'a function taken away' 'peg_host.json_length is no longer at byte 64' \
    "/^    $slot/d"
breaks 'a function put first' 'peg_host.log is no longer at byte 8' \
    's/^    uint16_t abi_major, abi_minor;/&\n    void (*first)(void);/'
breaks 'a parameter of another type' \
    'peg_host.retry_after is no longer void (*)(const peg_event *, int64_t)' \
    's/(\*retry_after)(const peg_event \*ev, int64_t/(*retry_after)(const peg_event *ev, int32_t/'
breaks 'a result of another type' 'peg_host.ms_left is no longer int64_t' \
    's/int64_t (\*ms_left)/uint64_t (*ms_left)/'
breaks 'a function more, and the minor version the same' \
    'peg_host no longer has 160 bytes' \
    's/^    int32_t (\*store_delete)(.*/&\n    void (*late)(void);/'
breaks 'two members of the descriptor swapped' \
    'peg_plugin.version is no longer at byte 16' \
    '/^    const char \*version; /d; s/^    const char \*summary; .*/&\n    const char *version;/'
breaks 'an option with a wider type' 'peg_option.type is no longer int32_t' \
    's/^    int32_t type;  */    int64_t type; /'
breaks 'a longer peg_str' 'plugins make peg_str themselves' \
    's/^    size_t len;$/&\n    size_t room;/'
breaks 'a constant with another value' 'PEG_SKIP is no longer 1' \
    's/PEG_SKIP = 1/PEG_SKIP = 5/'
breaks 'a limit that is lower' 'PEG_STORE_KEYS_MAX is no longer 64' \
    's/\(PEG_STORE_KEYS_MAX  *\)64/\132/'
breaks 'a new minor version with nothing here' \
    'a new minor version: add to tests/abi/layout.c' \
    's/PEG_ABI_MINOR [0-9]*$/PEG_ABI_MINOR 99/'

# The header asks little of the C library, so Clang can judge the layout of
# machines whose library is not here.
if clang=$(command -v clang); then
    mkdir "$scratch/bare"
    printf '%s\n' '#include <stdarg.h>' '#include <stddef.h>' \
        'int vsnprintf(char *, size_t, const char *, va_list);' \
        >"$scratch/bare/stdio.h"
    echo '#define static_assert _Static_assert' >"$scratch/bare/assert.h"
    for machine in aarch64 riscv64 x86_64; do
        "$clang" --target=$machine-linux-gnu -std=c11 -ffreestanding \
            -nostdlibinc -I"$scratch/bare" -I"${header%/pegboard/*}" \
            -fsyntax-only layout.c || complain "another layout on $machine"
    done
fi

exit $((failures > 0))
