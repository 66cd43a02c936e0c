# tests/abi/test_frozen.sh RUNNER CC CXX SDK: plugins that were built with each
# header there has been are what they were, are loaded, and get from every
# function what they got then; and their sources still compile.
# CXX may be empty. SPDX-License-Identifier: Apache-2.0
runner=$1
cc=$2
cxx=$3
include=$4/include
failures=0
cd "$(dirname "$0")/frozen" || exit 1

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

# says STATUS TEXT... -- ARGUMENT...: `try` of $plugin with those arguments ends
# so, and says each of the texts.
says() {
    want=$1
    shift
    : >"$scratch/texts"
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >>"$scratch/texts"
        shift
    done
    shift
    got=$("$runner" try "$plugin" event.json "$@" 2>&1)
    status=$?
    [ "$status" = "$want" ] ||
        complain "$plugin $*: exit status $status, not $want: $got"
    while read -r text; do
        case $got in
        *"$text"*) ;;
        *) complain "$plugin $*: does not say \"$text\": $got" ;;
        esac
    done <"$scratch/texts"
}

check_1_0() {
    says 0 'warn frozen: a warning' 'info frozen: ready with 1' done \
        'info frozen: goodbye after 1' -- --option token=t0p
    says 0 'goodbye after 3' -- --option token=t0p --repeat 3
    says 0 skip -- --option token=t0p --option verdict=skip
    says 1 retry '1500 ms' 'asked to retry' -- --option token=t0p \
        --option verdict=retry
    says 1 fail 'asked to fail' -- --option token=t0p --option verdict=fail
    says 3 'an error of init: told' 'init() returned 7' -- \
        --option token=t0p --option refuse=yes
    says 3 'an error of init: a text' -- --option token=other
    says 3 'option token is required' --
}

check_1_1() {
    says 0 'info frozen: ready with 1.1' 'put count (1 bytes)' done --
    says 0 done -- --repeat 3
    says 0 skip -- --option verdict=skip
    says 1 retry '1500 ms' 'asked to retry' -- --option verdict=retry
}

# Nothing is built anew and passed off as old.
sha256sum --check --quiet SHA256SUMS ||
    complain 'a frozen file was changed: take it back from the history'
for file in $(find . -type f ! -name SHA256SUMS | cut -c 3-); do
    grep -q "  $file\$" SHA256SUMS || complain "SHA256SUMS lacks $file"
done

major=$(awk '$2 == "PEG_ABI_MAJOR" {print $3}' "$include/pegboard/plugin.h")
minors=$(awk '$2 == "PEG_ABI_MINOR" {print $3}' "$include/pegboard/plugin.h")
machine=$(uname -m)
ran=0
for minor in $(seq 0 "$minors"); do
    plugin=plugin-$major.$minor-$machine.so
    source=plugin-$major.$minor.c
    if [ -e "$plugin" ]; then
        check_"${major}_$minor"
        ran=$((ran + 1))
    elif [ "$machine" = x86_64 ]; then
        complain "no $plugin: freeze it, see tests/abi/README.md"
    fi
    "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$include" \
        -fsyntax-only "$source" || complain "$source no longer compiles as C11"
    [ -z "$cxx" ] || "$cxx" -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror \
        -I"$include" -fsyntax-only "$source" ||
        complain "$source no longer compiles as C++17"
done

if [ "$failures" -eq 0 ] && [ "$ran" -eq 0 ]; then
    echo "skipped: there is no frozen plugin for $machine"
    exit 77
fi
exit $((failures > 0))
