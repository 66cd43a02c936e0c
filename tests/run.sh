#!/usr/bin/env bash
# tests/run.sh: install what is needed, build, run every test.
#
# --quick leaves out the sanitizer builds, the fuzzers, and all that takes over
# a minute. The last line is ctest's own.
set -euo pipefail
cd "$(dirname "$0")/.."

quick=
case "${1-}" in
"") ;;
--quick) quick=1 ;;
*)
    echo "usage: tests/run.sh [--quick]" >&2
    exit 2
    ;;
esac

. etc/packages.sh
# shellcheck disable=SC2086,SC2154 # lists of words, from packages.sh
need $build_packages $test_packages
need_node

jobs=$(nproc)

# build FOLDER TARGET OPTION...: configure and build, quietly unless it fails.
build() {
    local log
    log=$(mktemp)
    echo "building $1 ..." >&2
    if ! { cmake -S . -B "$1" -DPEGBOARD_WERROR=ON "${@:3}" &&
        cmake --build "$1" -j "$jobs" --target "$2"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

check() {
    ctest --test-dir "$1" --output-on-failure -j "$jobs" "${@:2}"
}

if [ -z "$quick" ]; then
    # Tests of outside peers and of the build gain nothing from sanitizers.
    build build-asan all -DCMAKE_BUILD_TYPE=Debug \
        -DPEGBOARD_SANITIZE=address,undefined
    check build-asan -LE 'plain'

    build build-tsan all -DCMAKE_BUILD_TYPE=Debug -DPEGBOARD_SANITIZE=thread
    check build-tsan -L 'threads'

    build build-fuzz fuzzers -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang \
        -DPEGBOARD_FUZZ=ON
    check build-fuzz -L 'fuzz'
fi

build build all -DCMAKE_BUILD_TYPE=Release -DPEGBOARD_TESTS=ON
check build ${quick:+-LE long}
