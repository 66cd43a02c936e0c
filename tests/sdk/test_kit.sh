# tests/sdk/test_kit.sh CC INCLUDE ARCHIVE SOURCE STANDARD...: build the test in
# SOURCE as each of these standards, warnings being errors, and run it; then
# again with AddressSanitizer. The archive shows nothing but pegt_*().
# SPDX-License-Identifier: Apache-2.0
cc=$1
include=$2
archive=$3
source=$4
shift 4

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

others=$(nm -g --defined-only "$archive" |
    awk 'NF == 3 && $3 !~ /^pegt_/ {print $3}')
[ -z "$others" ] || complain "the archive shows $others"
count=$(nm -g --defined-only "$archive" | grep -c ' T pegt_')
declared=$(grep -oE '\bpegt_[a-z0-9_]+\(' "$include/pegboard/testing.h" |
    sort -u | wc -l)
[ "$count" -eq "$declared" ] ||
    complain "$declared functions are declared, $count are there"

# run FLAG...: build it so, and run it.
run() {
    # The source must stand between the language and the archive.
    "$cc" "$@" -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -g \
        -I"$include" "$source" -x none "$archive" -o "$scratch/test" &&
        got=$("$scratch/test" 2>&1) && [ "$got" = passed ] && return
    complain "$cc $*: $got"
}

for standard in "$@"; do
    case $standard in
    *++*) run -x c++ -std="$standard" ;;
    *) run -x c -std="$standard" ;;
    esac
done
ASAN_OPTIONS=detect_leaks=1
export ASAN_OPTIONS
case $1 in
*++*) run -x c++ -std="$1" -fsanitize=address,undefined ;;
*) run -x c -std="$1" -fsanitize=address,undefined ;;
esac

exit $((failures > 0))
