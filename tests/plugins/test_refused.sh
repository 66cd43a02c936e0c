# tests/plugins/test_refused.sh RUNNER FIXTURES EVENT: what is no good plugin is
# refused, with a sentence that says what is wrong and how to mend it, before
# any of its functions runs (they all abort).
# SPDX-License-Identifier: Apache-2.0
runner=$1
fixtures=$2
event=$3
failures=0

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

# refused FILE TEXT...: exit status 3, and each text in the message.
refused() {
    file=$1
    shift
    got=$("$runner" try "$file" "$event" 2>&1)
    status=$?
    [ "$status" = 3 ] || complain "$file: exit status $status: $got"
    for text in "$@"; do
        case $got in
        *"$text"*) ;;
        *) complain "$file: not said: $text. Said: $got" ;;
        esac
    done
}

# fixture NAME TEXT...
fixture() {
    name=$1
    shift
    refused "$fixtures/$name.so" "$@"
}

# accepted NAME: the rule refuses no more than it should.
accepted() {
    got=$("$runner" try "$fixtures/$1.so" "$event" 2>&1)
    status=$?
    [ "$status $got" = "0 done" ] || complain "$1: $status $got"
}

accepted good
accepted smallest
accepted larger
accepted longest_name
accepted needs_this_minor
accepted good_events

fixture no_symbol 'exports no pegboard_plugin_v1, but something_else' \
    'forget PEG_PLUGIN(...)'
fixture abi2 'exports pegboard_plugin_v2' 'ABI 2, this is ABI 1'
fixture function 'is a function, it must be data'
fixture size0 '.size is 0, at least 72' 'PEG_PLUGIN(...)'
fixture too_small '.size is 71, at least 72'
fixture size_lies '.size is 4096, but pegboard_plugin_v1 has'
fixture major2 '.abi_major is 2, this is 1'
fixture needs_minor99 'plugin needs pegboard ABI 1.99, this is 1.1'
fixture needs_next_minor 'plugin needs pegboard ABI 1.' 'update pegboard'
fixture null_name '.name is missing'
fixture bad_name '.name "Bad Name"' '1 to 32 of a-z 0-9 - _'
fixture empty_name '.name ""'
fixture long_name '.name "a23456789'
fixture null_version '.version is missing'
fixture null_handle '.handle is missing'
fixture null_events '.events is empty'
fixture no_events '.events is empty' 'PEG_EVENTS('
fixture bad_events '.events: "charge*" is no event type' '"prefix.*"'
for number in 1 2 3 4 5 6 7 8; do
    fixture bad_event$number '.events: "' 'is no event type'
done
fixture many_events '.events has more than 256 entries'
fixture null_options '.option_count is 2, but .options is NULL'
fixture many_options '129 options, at most 128'
fixture stride0 '.option_stride is 0, at least 32'
fixture small_stride '.option_stride is 31'
fixture double_option 'option "first" is declared twice'
fixture bad_option 'option 1: its name "Second"'
fixture null_option 'option 1: its name ""'
fixture bad_type 'option "second": type 8'
fixture bad_default 'default "30" is not a duration like'
fixture undefined 'undefined symbol: nobody_defines_this' '-Wl,-z,defs'
fixture init_fail 'error init_fail: cannot reach the database' \
    'init() returned 5'

# Files that are no shared object of this machine.
refused "$scratch/missing.so" 'No such file'
: >"$scratch/empty.so"
refused "$scratch/empty.so" 'the file is empty' 'being copied'
seq 1000 >"$scratch/text.so"
refused "$scratch/text.so" 'no ELF header' 'gcc -shared'
refused "$runner" 'it is a program' 'link it with -shared instead of -pie'

# patch OFFSET OCTAL: a copy of a good plugin with one byte changed.
patch() {
    cp "$fixtures/noop.so" "$scratch/patched.so"
    printf "\\$2" | dd of="$scratch/patched.so" bs=1 seek="$1" conv=notrunc \
        2>/dev/null
}
patch 4 001 # 32 bits, or the size that this machine does not have
refused "$scratch/patched.so" '-bit programs' 'build it here'
patch 18 010 # MIPS
refused "$scratch/patched.so" 'another machine: for MIPS, this one is'

# Cut short: found by reading. dlopen() would die of SIGBUS or SIGSEGV, or load
# it, if the cut is behind what is loaded.
size=$(wc -c <"$fixtures/noop.so")
cut=64
while [ "$cut" -lt "$size" ]; do
    head -c "$cut" "$fixtures/noop.so" >"$scratch/cut.so"
    refused "$scratch/cut.so" 'cut short' 'still being copied'
    cut=$((cut + 512))
done

exit $((failures > 0))
