#!/usr/bin/env bash
# A Release build's programs and plugins are hardened.
# usage: hardening.sh BUILD_FOLDER
set -euo pipefail
build=$1
if ! grep -q '^CMAKE_BUILD_TYPE:[^=]*=Release' "$build/CMakeCache.txt" ||
    grep -q '^PEGBOARD_SANITIZE:[^=]*=.' "$build/CMakeCache.txt"; then
    echo "skipped: not a Release build"
    exit 77
fi
status=0
lacks() {
    echo "$1 lacks $2"
    status=1
}
for file in "$build"/bin/pegboard "$build"/bin/pegboard-runner \
    $(find "$build/plugins" -name '*.so' -not -path '*/CMakeFiles/*'); do
    segments=$(readelf -lW "$file")
    dynamic=$(readelf -dW "$file")
    symbols=$(readelf --dyn-syms -W "$file")
    grep -q GNU_RELRO <<<"$segments" || lacks "$file" "RELRO"
    grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || lacks "$file" "BIND_NOW"
    grep -E 'GNU_STACK' <<<"$segments" | grep -q 'RWE' &&
        lacks "$file" "a stack that cannot be executed"
    case "$file" in
    *.so) ;;
    *)
        grep -q 'FLAGS_1.*PIE' <<<"$dynamic" || lacks "$file" "PIE"
        grep -q __stack_chk_fail <<<"$symbols" || lacks "$file" "stack protector"
        grep -qE '__(snprintf|vsnprintf|memcpy|read|printf|fprintf)_chk' \
            <<<"$symbols" || lacks "$file" "FORTIFY"
        ;;
    esac
done
if readelf -dW "$build/bin/pegboard-runner" |
    grep NEEDED | grep -vE 'libc\.so|libdl|ld-linux|libpthread'; then
    lacks "$build/bin/pegboard-runner" "independence from other libraries"
fi
if readelf --dyn-syms -W "$build/bin/pegboard" | grep -q dlopen; then
    lacks "$build/bin/pegboard" "the virtue of never calling dlopen"
fi
exit $status
